"""Fitting the response model: passes over all products, after each of which the prior widths are learned anew."""

import logging
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.errors import InputError
from gpu_pricer.heartbeat import beat
from gpu_pricer.network.response.fitting.attribute_effects import AttributeEffects
from gpu_pricer.network.response.fitting.dissimilarity import Nests
from gpu_pricer.network.response.fitting.newton import learned_widths, newton_pass
from gpu_pricer.network.response.fitting.step_share import StepShare
from gpu_pricer.network.response.grid.grid import FLOAT, Grid, Outcomes
from gpu_pricer.network.response.model import Layout, State, start_state, utility
from gpu_pricer.network.response.priors.prior_elasticity import PriorElasticity
from gpu_pricer.network.response.priors.shock_variances import ShockVariances
from gpu_pricer.network.response.priors.widths import Widths, change_of, segments_widths, start_widths
from gpu_pricer.network.response.threads import threads_of_one

log = logging.getLogger(__name__)

FIRST_PASSES, FIRST_DAMPING, DAMPING = 3, 0.5, 0.8  # the first passes of a cold start keep the widths
LEAST_DAMPING, LEAST_OF_WIDTHS = 0.1, 0.05  # of a step that leads back
SETTLED_WIDTH = 0.1  # change of the log of a prior variance: sensitivities may rest while a width grows
SETTLED_VARIANCE = 0.03  # root of the mean square change of the log of the categories' shock variances
SETTLED_NEST = 0.01  # change of a dissimilarity
SETTLED_ATTRIBUTES = 0.02  # change of what attributes say of a log sensitivity
MOST_TO_GO = 3.0
"""Posterior standard deviations: a fit that moves further in a pass is not to be priced from.

Searches that swing around their end move by up to 1.5 on simulated logs, those that run away by 24 and more.
"""
ENDS = torch.tensor([0.05, 0.95], dtype=FLOAT)  # of the categories whose shocks a line of the log describes
FOLLOWING = 5  # passes, at least, in which all else follows the dissimilarities that went to 1


@dataclass(frozen=True)
class FitConfig:
    """How long to search, and what is known beside the log.

    passes: over the products, at most; tolerance: stop when the log sensitivities' steps are shorter, as the root of
    their mean square in posterior standard deviations. prior_elasticity: published elasticities, None without.
    """

    passes: int
    tolerance: float
    prior_elasticity: PriorElasticity | None

    def __post_init__(self) -> None:
        require_integer("response.fit.passes", self.passes, 1)
        require_number("response.fit.tolerance", self.tolerance, above=0)


@dataclass(frozen=True)
class Fit:
    """The fitted model of a grid: posterior means, what is uncertain of them, and the learned widths.

    attributes: what they say of sensitivities, None where that was not learned. to_go: how far the log sensitivities
    moved in the last pass, as the root of their mean square in posterior standard deviations.
    """

    grid: Grid
    counts: Outcomes
    layout: Layout
    state: State
    widths: Widths
    attributes: AttributeEffects | None
    to_go: float

    @property
    def sensitivity(self) -> Tensor:
        """Return the posterior mean of b of every segment and product, [S, P]."""
        return self.state.sensitivity(self.layout).T

    def require_settled(self) -> "Fit":
        """Return the fit itself; raise InputError if its search was still far from where it leads."""
        if not self.to_go <= MOST_TO_GO:
            raise InputError(
                f"the {self.counts.noun} did not settle within train.response.fit.passes passes: its log sensitivities "
                f"still moved by {self.to_go:.1f} posterior standard deviations in the last one, and prices from it "
                "would be arbitrary; raise that number, or set train.response.nested=false, which settles more often"
            )
        return self

    def category_sensitivity(self) -> Tensor:
        """Return the expected b of a product that neither log nor attributes tell, by segment and category, [S, G]."""
        mean = self.state.theta[:, self.layout.log_sensitivity]
        variance = self.widths.product.diagonal()[self.layout.log_sensitivity]
        return torch.exp(mean + 0.5 * variance).T

    def common_sensitivity(self) -> Tensor:
        """Return the expected b of a product whose whole category the log says nothing of, by segment [S]."""
        beta = self.layout.log_sensitivity
        mean, covariance = self.widths.category_prior(self.state.mu, self.layout)
        variance = (self.widths.product + covariance).diagonal()[beta]
        return torch.exp(mean[beta] + 0.5 * variance)

    def told_by_attributes(self, rows: int) -> Tensor:
        """Return what attributes add to the log sensitivity of the artefact's rows, [rows], 0 behind its products."""
        told = torch.zeros(rows, dtype=FLOAT)
        if self.attributes is not None:
            known = self.attributes.log_sensitivity()
            told[: len(known)] = known
        return told

    def utility(self) -> Tensor:
        """Return the utility of every product, segment and period, [P, S, W]: a forecast where nothing was taught."""
        return utility(self.grid, self.state, self.layout)

    def next_appeal(self, context: Tensor) -> Tensor:
        """Return the appeal at the reference price in the period to price, [S, P].

        context [P, C]: that period's. Season and shock are forecast by their autoregressions; in a period that has
        begun they are what its days show.
        """
        ahead = self.grid.periods_ahead
        season = self.widths.season.forecast(self.state.season[self.grid.category, -1], ahead)
        shock = self.widths.shock.forecast(self.state.shock[:, -1], ahead)
        effect = (context * self.state.z[:, self.layout.effect]).sum(1)
        appeal = self.state.z[:, self.layout.appeal].T
        return appeal + season + shock + effect + self.grid.next_offset + self._next_nest_effect(appeal, effect)

    def _next_nest_effect(self, appeal: Tensor, effect: Tensor) -> Tensor:
        """Return what the dissimilarity adds at these effects of promotions [P] on appeals [S, P], [S, P]."""
        grid = self.grid
        promoted, usual = (grid.sum_by_category((appeal + add).exp().T).log() for add in (effect, 0.0))
        return ((self.state.dissimilarity[:, None] - 1) * (promoted - usual))[grid.category].T


def fit_response(
    grid: Grid,
    counts: Outcomes,
    config: FitConfig,
    start: Fit | None = None,
    nests: Nests | None = None,
    attributes: AttributeEffects | None = None,
) -> Fit:
    """Return the fitted model; one line of the log says how it settled, a warning if it did not.

    start: an earlier fit from which the search starts, of the same users as one segment or of other periods. nests,
    attributes: learn the dissimilarities, and what products' attributes say of sensitivities, from all users as one
    segment; without them both are taken from `start`. If grid and counts are those of `start`, it is returned itself.
    """
    learns_more = nests is not None or attributes is not None
    if start is not None and grid is start.grid and counts.equal(start.counts) and not learns_more:
        return start
    layout = Layout(counts.segments, grid.context.shape[2])
    state, widths, first = _first_guess(grid, counts, layout, start)
    if nests is not None:
        state.dissimilarity.copy_(state.open_dissimilarity)
    widths = replace(widths, elasticity=config.prior_elasticity)
    damping, of_widths, least = StepShare(LEAST_DAMPING, DAMPING), StepShare(LEAST_OF_WIDTHS, 1.0), 0
    variances = ShockVariances(state.shock_scale)
    with threads_of_one() as run:
        for passed in range(1, config.passes + 1):
            is_first, before = passed <= first, state.copy()
            share, moved = (FIRST_DAMPING, None) if is_first else (damping.share, nests)
            moments = newton_pass(grid, counts, state, widths, share, moved, run)
            distance = float(moments.mean_distance[1])
            beat("%s of %d segments: pass %d, %.2f posterior sd to go", counts.noun, counts.segments, passed, distance)
            if is_first:
                continue
            damping.after(_step(before, state, layout, config.tolerance) / share)
            shown = learned_widths(moments, widths)
            of_widths.after(shown.coordinates() - widths.coordinates())
            change, widths = change_of(widths, shown), widths.towards(shown, of_widths.share)
            away = variances.teach(state.shock_scale, *moments.shock_variance.unbind(1)) / SETTLED_VARIANCE
            change = max(change / SETTLED_WIDTH, away, _moved_beside(grid, state, widths, nests, attributes))
            is_settled = distance < config.tolerance and change < 1
            if nests is not None and (is_settled or passed >= config.passes - FOLLOWING):
                nests.settle(state)
                nests, least = None, passed + FOLLOWING
                damping = StepShare(LEAST_DAMPING, DAMPING)  # what follows has a long way to go again
            elif is_settled and passed >= least:
                break
    is_settled = passed < config.passes or distance < config.tolerance
    log.log(
        logging.INFO if is_settled else logging.WARNING,
        "%s of %d segments, %d products: mean sensitivity %.2f, standard deviation of shocks %.2f (in nine of ten "
        "categories %.2f to %.2f), %d passes, %.2f posterior sd to go%s",
        counts.noun, counts.segments, len(grid.row), float(state.sensitivity(layout).mean()), widths.shock.spread,
        *(widths.shock.spread * state.shock_scale.quantile(ENDS)).tolist(), passed, distance,
        "" if is_settled else ", not settled: raise train.response.fit.passes",
    )  # fmt: skip
    if attributes is not None:
        attributes.settle()
    elif start is not None and start.grid is grid:
        attributes = start.attributes
    return Fit(grid, counts, layout, state, widths, attributes, distance)


def _moved_beside(
    grid: Grid, state: State, widths: Widths, nests: Nests | None, attributes: AttributeEffects | None
) -> float:
    """Learn the spread of nests and what attributes say; return how far both moved, of what settled ones may move."""
    moved = 0.0
    if nests is not None:
        nests.learn_spread()
        moved = nests.longest / SETTLED_NEST
    if attributes is not None:
        moved = max(moved, attributes.improve(grid, state, widths) / SETTLED_ATTRIBUTES)
    return moved


def _step(before: State, after: State, layout: Layout, tolerance: float) -> Tensor:
    """Return how far log sensitivities and dissimilarities moved, of what settled ones may move, [P S + G]."""
    beta = (after.z - before.z)[:, layout.log_sensitivity] / after.variance.sqrt()
    nests = after.dissimilarity - before.dissimilarity
    return torch.cat([beta.flatten() / beta.numel() ** 0.5 / tolerance, nests / SETTLED_NEST])


def _first_guess(grid: Grid, counts: Outcomes, layout: Layout, start: Fit | None) -> tuple[State, Widths, int]:
    """Return state and widths from which the search starts, and how many passes keep these widths."""
    state = start_state(grid, counts, layout)
    if start is not None and start.grid is grid:
        return state.like(start.state, start.layout, layout), segments_widths(start.widths, layout), 0
    if start is not None and start.layout == layout and start.grid.spans == grid.spans:
        own, theirs = grid.products_of(start.grid)
        of_category = grid.category[own], start.grid.category[theirs]
        return state.going_on(start.state, (own, theirs), of_category), start.widths, 0
    return state, start_widths(layout, counts.start_spread), FIRST_PASSES
