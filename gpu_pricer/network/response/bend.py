"""The bend of the market's price response: 0 if utility is linear in the price, 1 if in its log (see price_bend.py).

A mixture of users of different sensitivity looks bent even if every single response is linear, because the buyers left
at high prices are the less sensitive ones. So users are divided into GROUPS by their own slopes, and the bend is
estimated within the groups, as one number for the whole market: by a Poisson regression of a group's purchases of a
product in a period. The regression has fixed effects of group × product and of group × category × period, which absorb
seasons, visits and nests, and takes the effects of promotions and controls as given. Its two coefficients are on

    −b (x − 1)  and  b (x − 1 − ln x),      b: the learned sensitivity of the category times the slope of the group,

and the bend is the second over the first. Errors are clustered by product, because its periods may share shocks (Liang
& Zeger 1986). The bend is 0 unless the estimate lies TOLD standard errors above 0.

Each product may depart from the sensitivity of its category, in the first column, by a random effect of the learned
width. The learned sensitivities of products cannot stand in the columns: they were learned without a bend, so that
those of products with deep cuts have taken up a part of it. With them, logs of products with cuts of 10, 20, 40 and
60 % and a true bend of 1 gave .05 to .23, with departures .76 to 1; a simulated fashion shop .39, with departures 1.04.
With one sensitivity for all products of a category, those whose most sensitive products have the deepest cuts would
look bent.

Estimates in market families of the zoo, seeds 101 and 102 (December 2026): demands whose utility is linear in the price
−.07 to .00 with standard errors of .07 to .11, demands of remembered prices .85 (.11), and a simulated shop with
constant elasticities and shocks .80 (.09). Pooled over users, linear demands would have up to .3. A threshold of three
standard errors would reject hardly more linear demands than one of two. The regression ignores the spread of slopes
inside a group.
"""

import logging
from typing import NamedTuple

import torch
from torch import Tensor

from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.network.response.fit import Fit
from gpu_pricer.network.response.grid import FLOAT, LARGEST_UTILITY, Grid, UserLog
from gpu_pricer.network.response.threads import threads_of_one

log = logging.getLogger(__name__)

GROUPS = 8  # of users
TOLD = 2.0
STEPS, ROUNDS = 12, 15  # of Newton's method, at most; of levels of products and of categories' periods in turn
LONGEST_STEP = 0.5  # of a departure
SETTLED = 1e-4  # twice what the last step gained of log likelihood
START = (1.0, 0.0)  # around which both coefficients have a weak prior, of standard deviation 1


class Regression(NamedTuple):
    """The coefficients [2] of both columns, the inverse of their information [2, 2], and what their scores vary by.

    spread [2, 2]: the sum of the outer products of the products' scores.
    """

    coefficient: Tensor
    inverse: Tensor
    spread: Tensor

    def bend(self) -> tuple[float, float]:
        """Return the bend and its standard error."""
        even, curved = self.coefficient.tolist()
        error = float((self.inverse @ self.spread @ self.inverse)[1, 1].sqrt())
        return curved / even, error / abs(even)


class _Score(NamedTuple):
    """What a block of n products says of the coefficients, beside all levels and its products' departures.

    gradient [n, 2], information [2, 2]: of the coefficients. step [n]: of the departures, at coefficients that rest;
    follow [n, 2]: how much less they move per unit of the coefficients' step.
    """

    gradient: Tensor
    information: Tensor
    step: Tensor
    follow: Tensor


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
    found = regression(grid, bought, own, offset, _departures_precision(fit))
    bend, error = found.bend()
    kept = min(bend, 1.0) if found.coefficient[0] > 0 and bend > TOLD * error else 0.0
    log.info(
        "bend of the price response (0: linear in the price, 1: in its log): %.2f ± %.2f, taken as %.2f",
        bend,
        error,
        kept,
    )
    return kept


def _of_category(grid: Grid, values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over a category, weighted by weight [P], of values [P], for each of its products."""
    return (grid.sum_by_category(values * weight) / grid.sum_by_category(weight).clamp(min=1e-30))[grid.category]


def _departures_precision(fit: Fit) -> float:
    """Return one over the variance of the products' log sensitivities around their category's, attributes included."""
    beta = fit.layout.log_sensitivity.start
    return 1 / float(fit.widths.product[beta, beta] + fit.state.beside.square().mean())


def regression(grid: Grid, bought: Tensor, sensitivity: Tensor, offset: Tensor, precision: float) -> Regression:
    """Return the regression of purchases [P, K, W] by K groups of users on the two columns.

    sensitivity [P, K]: b of each group for each product. offset [P, W]: what else moves the log of the purchases.
    precision: of the products' departures, relative to their sensitivities.
    """
    coefficient, departure = torch.tensor(START, dtype=FLOAT), torch.zeros(len(bought), dtype=FLOAT)

    def score(block: tuple[slice, slice]) -> _Score:
        """Return the score of a block at the coefficients and departures found so far."""
        products, part = block[0], grid.part(*block)
        cells = bought[products], sensitivity[products], offset[products]
        return _score(part, *cells, departure[products], coefficient, precision)

    with threads_of_one() as run:
        for _ in range(STEPS):
            gradient, information = torch.tensor(START, dtype=FLOAT) - coefficient, torch.eye(2, dtype=FLOAT)
            spread, parts = torch.zeros(2, 2, dtype=FLOAT), []
            for part in run(score, grid.blocks()):
                gradient, information = gradient + part.gradient.sum(0), information + part.information
                spread = spread + part.gradient.T @ part.gradient
                parts.append(part)
            inverse = torch.linalg.inv(information)
            step = inverse @ gradient
            coefficient = coefficient + step
            moved = torch.cat([part.step - part.follow @ step for part in parts])
            departure = departure + moved.clamp(-LONGEST_STEP, LONGEST_STEP)
            if step @ gradient < SETTLED:
                break
    return Regression(coefficient, inverse, spread)


def _score(
    grid: Grid,
    bought: Tensor,
    sensitivity: Tensor,
    offset: Tensor,
    departure: Tensor,
    coefficient: Tensor,
    precision: float,
) -> _Score:
    """Return the score of a block: bought [n, K, W]; sensitivity [n, K]; offset [n, W]; departure [n].

    The gradient is exact. The information of a departure leaves out what departures tell of each other.
    """
    falls, bends = -grid.move, grid.move - bent(grid.move, 1.0)
    columns = torch.stack([sensitivity[:, :, None] * values[:, None] for values in (falls, bends)])
    utility = torch.einsum("c,cnkw->nkw", coefficient, columns) + departure[:, None, None] * columns[0]
    expected = (utility + offset[:, None]).clamp(max=LARGEST_UTILITY).exp() * grid.on_shelf[:, None]
    of_products, of_periods = bought.sum(2, keepdim=True), grid.sum_by_category(bought)
    for _ in range(ROUNDS):
        expected = expected * (of_periods / grid.sum_by_category(expected).clamp(min=1e-300))[grid.category]
        expected = expected * (of_products / expected.sum(2, keepdim=True).clamp(min=1e-300))
    left = torch.stack([_beside_levels(grid, column, expected) for column in columns])
    own = columns[0] - (expected * columns[0]).sum(2, keepdim=True) / expected.sum(2, keepdim=True).clamp(min=1e-300)
    others = 1 - expected / grid.sum_by_category(expected).clamp(min=1e-300)[grid.category]
    variance = 1 / ((expected * own.square() * others).sum((1, 2)) + precision)
    step = variance * ((own * (bought - expected)).sum((1, 2)) - precision * departure)
    crossed = torch.einsum("nkw,cnkw,nkw->nc", own, left, expected)
    return _Score(
        gradient=torch.einsum("cnkw,nkw->nc", left, bought - expected) - crossed * step[:, None],
        information=torch.einsum("cnkw,dnkw,nkw->cd", left, left, expected) - (crossed.T * variance) @ crossed,
        step=step,
        follow=variance[:, None] * crossed,
    )


def _beside_levels(grid: Grid, column: Tensor, expected: Tensor) -> Tensor:
    """Return a column [n, K, W] less its means by product and by period of a category, weighted by the expected."""
    of_products = expected.sum(2, keepdim=True).clamp(min=1e-300)
    of_periods = grid.sum_by_category(expected).clamp(min=1e-300)
    for _ in range(ROUNDS):
        column = column - (expected * column).sum(2, keepdim=True) / of_products
        column = column - (grid.sum_by_category(expected * column) / of_periods)[grid.category]
    return column
