"""The bend of the market's price response: 0 if utility is linear in the price, 1 if in its log (see price_bend.py).

A mixture of users of different sensitivity looks bent even if every single response is linear, because the buyers left
at high prices are the less sensitive ones. So users are divided into GROUPS by their own slopes, and the bend is
estimated within the groups, as one number ρ for the whole market: by a Poisson regression of the purchases of product j
by group k in period w,

    ln E[n] = level[j, k] + period[k, w] + offset[j, w] − slope[j] · b[k] · (x[j, w] − 1 as ρ bends it),

with b the learned sensitivity of the category times the slope of the group. The periods are those of a category, so
that they absorb seasons, visits and nests. The offset are the effects of promotions and controls, taken as given.

Each product has a slope of its own. Learned sensitivities of products cannot stand in their place: they were learned
without a bend, so that those of products with deep cuts have taken up a part of it. With them, logs of products with
cuts of 10, 20, 40 and 60 % and a true bend of 1 gave .05 to .23. Nor can slopes have a narrow prior: where the products
with the deepest cuts are the most sensitive ones, a linear response would look bent.

Newton's method moves all unknowns at once. Each category's levels, periods and slopes are eliminated exactly from the
equation of ρ. The standard error is the largest of three: by the information alone, and clustered by product and by
category, whose periods may share shocks (Liang & Zeger 1986). The estimate is shrunk towards 0 by its error, with a
prior variance by empirical Bayes: a threshold would make the bend jump from night to night. The bend is 0 where fewer
than LEAST_PRODUCTS tell it, where sales rise with prices, and where the search does not settle.
"""

import logging
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from gpu_pricer.heartbeat import beat
from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.network.response.fitting.fit import Fit
from gpu_pricer.network.response.grid.grid import FLOAT, LARGEST_UTILITY, Grid, UserLog
from gpu_pricer.network.response.threads import threads_of_one

log = logging.getLogger(__name__)

GROUPS = 8  # of users
MOST_PRODUCTS = 500  # of a category, the best sellers: a step costs the cube of their number
LEAST_PRODUCTS = 10  # that tell the bend: errors that are clustered by fewer are too small
STEPS, ROUNDS = 30, 15  # of Newton's method, at most; of the levels of products and periods in turn, before the first
LONGEST_STEP = 0.5  # of the bend and of slopes
LONGEST_LEVEL = 2.0  # of a step of levels and of periods
SETTLED = 1e-4  # twice what the next step gains of log likelihood
SLOPES = 1.0  # precision of the prior of slopes around 1
BEND = 1.0  # standard deviation of the prior of the bend around 0
RIDGE = 1e-9  # of the equations of levels, which are told up to a constant


class Regression(NamedTuple):
    """The bend, its standard error, and the mean slope of the products, relative to b.

    products: how many tell them. settled: whether the search found a maximum.
    """

    bend: float
    error: float
    slope: float
    products: int
    settled: bool

    @property
    def kept(self) -> float:
        """Return the bend that is taken, from 0 to 1: 0 where the log does not tell one.

        It is the posterior mean with a prior around 0 whose variance is the most likely one, max(bend² − error², 0).
        """
        is_told = self.settled and self.products >= LEAST_PRODUCTS and self.slope > 0
        shrunk = self.bend - self.error**2 / self.bend if self.bend > self.error else 0.0
        return min(shrunk, 1.0) if is_told else 0.0


def learned_bend(fit: Fit, users: UserLog, slope: Tensor) -> float:
    """Return the bend of users' responses to prices, from 0 to 1, and say in a line of the log how it was found.

    fit: of all users as one segment, without a bend. slope [U]: every user's sensitivity relative to everybody's.
    """
    grid = fit.grid
    group = slope.argsort().argsort() * GROUPS // len(slope)
    size = torch.bincount(group, minlength=GROUPS).clamp(min=1)
    relative = torch.zeros(GROUPS, dtype=FLOAT).index_add(0, group, slope.double()) / size
    bought = users.counts(grid, group[:, None].expand(users.visits.shape), GROUPS).bought
    offset = (grid.context * fit.state.z[:, None, fit.layout.effect]).sum(2) + grid.offset
    own = _of_category(grid, fit.sensitivity[0], bought.sum((1, 2)))[:, None] * relative
    found = regression(grid, bought, own, offset)
    log.info(
        "bend of the price response (0: linear in the price, 1: in its log): %.2f ± %.2f, taken as %.2f%s",
        found.bend,
        found.error,
        found.kept,
        "" if found.settled else ", since the search for it did not settle",
    )
    return found.kept


def _of_category(grid: Grid, values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over a category, weighted by weight [P], of values [P], for each of its products."""
    return (grid.sum_by_category(values * weight) / grid.sum_by_category(weight).clamp(min=1e-30))[grid.category]


def regression(grid: Grid, bought: Tensor, sensitivity: Tensor, offset: Tensor) -> Regression:
    """Return the regression of purchases [P, K, W] by K groups of users.

    sensitivity [P, K]: b of each group, for each product. offset [P, W]: what else moves the log of the purchases.
    """
    categories = [_Category.of(grid, bought, sensitivity, offset, products) for products, _ in grid.blocks(1)]
    categories = [category for category in categories if len(category.price) > 1]
    bend, is_settled = 0.0, False
    with threads_of_one() as run:
        for number in range(STEPS):
            beat("bend of the price response: step %d of at most %d", number + 1, STEPS)
            solved = list(run(partial(_Category.solved, bend=bend), categories))
            information = BEND**-2 + sum(found.information for found in solved)
            gradient = sum(found.gradient for found in solved) - bend * BEND**-2
            if is_settled := gradient**2 / information + sum(found.decrement for found in solved) < SETTLED:
                break
            step = min(max(gradient / information, -LONGEST_STEP), LONGEST_STEP)
            for category, found in zip(categories, solved, strict=True):
                category.move(found, step)
            bend += step
    weight = sum(float(found.weight.sum()) for found in solved)
    slope = sum(
        float(found.weight @ category.unknown.slope) for category, found in zip(categories, solved, strict=True)
    )
    return Regression(
        bend=bend,
        error=_standard_error([found.score for found in solved], information),
        slope=slope / weight if weight > 0 else 0.0,
        products=sum(len(category.price) for category in categories),
        settled=is_settled,
    )


def _standard_error(scores: list[Tensor], information: float) -> float:
    """Return the largest of the standard errors by the information, and clustered by product and by category.

    scores: of the products of each category, [n] each.
    """
    of_products, of_categories = [float(score) for own in scores for score in own], [float(own.sum()) for own in scores]
    variances = [
        sum(score**2 for score in clusters) * len(clusters) / (len(clusters) - 1)
        for clusters in (of_products, of_categories)
        if len(clusters) > 1
    ]
    return max([information, *variances]) ** 0.5 / information


@dataclass(frozen=True)
class _Step:
    """A step of the unknowns of a category: level [K, n], period [K, W], slope [n]."""

    level: Tensor
    period: Tensor
    slope: Tensor

    def explains(self, of_slope: Tensor) -> Tensor:
        """Return by what the log of the expected purchases moves, [K, n, W]; of_slope: per unit of the slopes."""
        return self.level[:, :, None] + self.period[:, None] + self.slope[:, None] * of_slope


@dataclass(frozen=True)
class _Solved:
    """The step of a category's unknowns, and what it says of the bend with these eliminated.

    gradient, information: of the log likelihood by the bend. score [n]: the gradient by product. decrement: twice what
    the step at a resting bend gains. weight [n]: information about the slopes, levels and periods eliminated. resting:
    the step at a resting bend; following: what to subtract from it for each unit that the bend moves.
    """

    gradient: float
    information: float
    score: Tensor
    decrement: float
    weight: Tensor
    resting: _Step
    following: _Step


@dataclass(frozen=True)
class _Gram:
    """Weighted products of columns of a category's cells [K, n, W], beside the periods.

    A column of a product is 0 in the cells of all others. weight [K, n, W]; total [K, W]: of the products.
    """

    weight: Tensor
    total: Tensor

    @classmethod
    def of(cls, weight: Tensor) -> "_Gram":
        """Return the products by these weights."""
        return cls(weight, weight.sum(1).clamp(min=1e-300))

    def of_products(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the products of a column of each product with another one of each, [K, n, n]."""
        first, second = self.weight * one, self.weight * other
        return torch.diag_embed((first * other).sum(2)) - (first / self.total[:, None]) @ second.mT

    def beside_periods(self, column: Tensor) -> Tensor:
        """Return a column of all products [K, n, W] less its means by period."""
        return column - ((self.weight * column).sum(1) / self.total)[:, None]

    def step(self, column: Tensor, of_slope: Tensor, level: Tensor, slope: Tensor) -> _Step:
        """Return the step of these levels and slopes with the periods that explain most of a column [K, n, W]."""
        left = column - level[:, :, None] - slope[:, None] * of_slope
        return _Step(level, (self.weight * left).sum(1) / self.total, slope)


@dataclass
class _Category:
    """The n products of a category that were sold, and the unknowns of their regression, which `move` changes.

    price, offset [n, W]: moves of prices, and what else is known. seen [K, n, W]: 1 in cells of products that the group
    bought, in periods in which it bought in the category; the others, 0, tell nothing. bought [K, n, W]; sensitivity
    [K, n].
    """

    price: Tensor
    offset: Tensor
    seen: Tensor
    bought: Tensor
    sensitivity: Tensor
    unknown: _Step

    @classmethod
    def of(cls, grid: Grid, bought: Tensor, sensitivity: Tensor, offset: Tensor, products: slice) -> "_Category":
        """Return the category of these products at slopes of 1 and a bend of 0, with the levels that fit best."""
        sold = bought[products].sum((1, 2))
        best = sold.argsort(descending=True, stable=True)[:MOST_PRODUCTS]
        row = products.start + best[sold[best] > 0].sort().values
        counts = (bought[row] * grid.on_shelf[row, None]).permute(1, 0, 2)
        of_products, of_periods = counts.sum(2), counts.sum(1)
        seen = grid.on_shelf[row] * (of_products > 0)[:, :, None] * (of_periods > 0)[:, None]
        unknown = _Step(torch.zeros_like(of_products), torch.zeros_like(of_periods), torch.ones(len(row), dtype=FLOAT))
        found = cls(grid.move[row], offset[row], seen, counts, sensitivity[row].T, unknown)
        for _ in range(ROUNDS):
            unknown.period.add_(_log_ratio(of_periods, found.expected(0.0).sum(1)))
            unknown.level.add_(_log_ratio(of_products, found.expected(0.0).sum(2)))
        return found

    def expected(self, bend: float) -> Tensor:
        """Return the expected purchases of the cells, [K, n, W]."""
        response = (self.sensitivity * self.unknown.slope)[:, :, None] * bent(self.price, bend)
        utility = self.unknown.level[:, :, None] + self.unknown.period[:, None] + self.offset - response
        return utility.clamp(max=LARGEST_UTILITY).exp() * self.seen

    def solved(self, bend: float) -> _Solved:
        """Return the Newton step at a bend: periods are eliminated first, then levels, then slopes."""
        expected = self.expected(bend)
        gram, rest = _Gram.of(expected), self.bought - expected
        of_slope = -self.sensitivity[:, :, None] * bent(self.price, bend)
        of_bend = -(self.sensitivity * self.unknown.slope)[:, :, None] * (torch.log1p(self.price) - self.price)
        pull = SLOPES * (1 - self.unknown.slope)
        levels, crossed = gram.of_products(self.seen, self.seen), gram.of_products(self.seen, of_slope)
        levels += torch.diag_embed(RIDGE * expected.sum(2) + (levels.diagonal(dim1=1, dim2=2) <= 0))
        driven = expected * gram.beside_periods(of_bend), rest - expected * (rest.sum(1) / gram.total)[:, None]
        of_levels = torch.stack([values.sum(2) for values in driven], dim=2)
        by_slope, by_driven = torch.linalg.solve(levels, torch.cat([crossed, of_levels], dim=2)).split(
            [len(pull), 2], 2
        )
        information = (gram.of_products(of_slope, of_slope) - crossed.mT @ by_slope).sum(0)
        of_slopes = torch.stack([(values * of_slope).sum((0, 2)) for values in driven], dim=1)
        of_slopes -= torch.einsum("kin,kic->nc", crossed, by_driven)
        of_slopes[:, 1] += pull
        slopes = torch.linalg.solve(information + SLOPES * torch.eye(len(pull), dtype=FLOAT), of_slopes)
        following, resting = (
            gram.step(column, of_slope, by_driven[:, :, which] - by_slope @ slopes[:, which], slopes[:, which])
            for which, column in enumerate((of_bend, rest / expected.clamp(min=1e-300) * self.seen))
        )
        alone = of_bend - following.explains(of_slope)
        return _Solved(
            gradient=float((alone * rest).sum() - pull @ following.slope),
            information=float((driven[0] * alone).sum()),
            score=(alone * rest).sum((0, 2)),
            decrement=float((rest * resting.explains(of_slope)).sum() + pull @ resting.slope),
            weight=information.diagonal().clamp(min=0),
            resting=resting,
            following=following,
        )

    def move(self, found: _Solved, bend_step: float) -> None:
        """Take the step that goes with a step of the bend."""
        for name, longest in (("slope", LONGEST_STEP), ("level", LONGEST_LEVEL), ("period", LONGEST_LEVEL)):
            step = getattr(found.resting, name) - getattr(found.following, name) * bend_step
            getattr(self.unknown, name).add_(step.clamp(-longest, longest))


def _log_ratio(counts: Tensor, expected: Tensor) -> Tensor:
    """Return the log of counts over what is expected, 0 where there are none."""
    return torch.where(counts > 0, (counts / expected.clamp(min=1e-300)).clamp(min=1e-300).log(), 0.0)
