"""The response model: a multinomial logit of segments whose coefficients are drawn from categories'.

Of product j of category g for segment s in period w, at the relative price move x = price / reference − 1:

    u[s, j, w] = a[s, j] − exp(β[s, j] + beside[j]) · x[j, w]
                 + context[j, w] · δ[j] + season[g, v] + shock[j, v] + offset[j, w]
    z[j] = (a[·, j], β[·, j], δ[j]) ~ Normal(θ[g], product covariance),   θ[g] ~ Normal(μ, category covariance)

Seasons and shocks are first-order autoregressions over the spans v of periods, which are the periods themselves unless
there are many. A shock moves a product in one period for a reason that is in no table: without shocks every purchase
would count as independent evidence on the price response. Shocks of a category have a variance of its own (see
priors/shock_variances.py). All covariances are estimated.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpu_pricer.network.response.grid.grid import FLOAT, LARGEST_UTILITY, Grid, Outcomes

MEANS = ("z", "theta", "mu", "season", "shock", "dissimilarity")  # fields of a State
OF_PRODUCTS = ("z", "shock", "beside", "variance", "pull")
OF_CATEGORIES = ("theta", "season", "shock_scale", "dissimilarity", "open_dissimilarity", "nest_variance")
KEPT = ("season", "shock", "shock_scale", "dissimilarity", "open_dissimilarity", "nest_variance", "beside")
"""Fields of the State of one segment that are also the start of several."""
NO_RESPONSE = -1000.0  # log sensitivity of what does not answer prices: exp makes it 0
LARGEST_VARIANCE = 1.0  # of β in the mean of exp(β): beyond, prior widths and means drive each other apart

Pairs = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Layout:
    """Where the D = 2 S + C coefficients of a product lie: appeals, log sensitivities, effects of context."""

    segments: int
    contexts: int

    @property
    def width(self) -> int:
        """Return D."""
        return 2 * self.segments + self.contexts

    @property
    def appeal(self) -> slice:
        """Return where the appeals a lie."""
        return slice(0, self.segments)

    @property
    def log_sensitivity(self) -> slice:
        """Return where the log sensitivities β lie."""
        return slice(self.segments, 2 * self.segments)

    @property
    def effect(self) -> slice:
        """Return where the effects of context δ lie."""
        return slice(2 * self.segments, self.width)


@dataclass
class State:
    """The posterior means, which a pass changes in place, and what the last pass knew of their uncertainty.

    z [P, D], theta [G, D], mu [D], season [G, V], shock [P, V]. shock_scale [G]: standard deviation of a category's
    shocks, relative to that of Widths.shock. dissimilarity, nest_variance [G]: γ (see fitting/dissimilarity.py) and its
    posterior variance, 1 and 0 where none was learned. open_dissimilarity [G]: γ before those that the log hardly tells
    from 1 were set to 1, where another search starts. beside [P]: what attributes add to β (see
    fitting/attribute_effects.py). variance [P, S]: posterior variance of β. pull [P, S]: share of the information about
    β that the log gives (see fitting/newton.py). mu_variance [D, D]: posterior covariance of μ. mu_start [D]: where μ
    started, the centre of its weak prior.
    """

    z: Tensor
    theta: Tensor
    mu: Tensor
    season: Tensor
    shock: Tensor
    shock_scale: Tensor
    dissimilarity: Tensor
    open_dissimilarity: Tensor
    nest_variance: Tensor
    beside: Tensor
    variance: Tensor
    pull: Tensor
    mu_variance: Tensor
    mu_start: Tensor

    def part(self, products: slice, categories: slice) -> "State":
        """Return a view of a block of Grid.blocks."""
        of_products = {name: getattr(self, name)[products] for name in OF_PRODUCTS}
        of_categories = {name: getattr(self, name)[categories] for name in OF_CATEGORIES}
        return replace(self, **of_products, **of_categories)

    def like(self, pooled: "State", one: Layout, layout: Layout) -> "State":
        """Return this state with every segment where the pooled one is; one: the layout of that single segment."""

        def spread_out(values: Tensor) -> Tensor:
            level, slope, effect = (values[..., part] for part in (one.appeal, one.log_sensitivity, one.effect))
            shape = (*values.shape[:-1], layout.segments)
            return torch.cat([level.expand(shape), slope.expand(shape), effect], dim=-1)

        moved = {name: spread_out(getattr(pooled, name)) for name in ("z", "theta", "mu")}
        kept = {name: getattr(pooled, name).clone() for name in KEPT}
        return replace(self, **moved, **kept)

    def copy(self) -> "State":
        """Return a state that no pass over this one changes."""
        return replace(self, **{name: getattr(self, name).clone() for name in MEANS})

    def take_share(self, share: float, before: "State") -> None:
        """Take a share of the way from an earlier state."""
        for name in MEANS:
            getattr(self, name).lerp_(getattr(before, name), 1 - share)

    def going_on(self, earlier: "State", products: Pairs, categories: Pairs) -> "State":
        """Return this state with what an earlier one knows of the same products and categories.

        products, categories: their numbers here and there.
        """
        moved: dict[str, Tensor] = {}
        for names, (own, theirs) in ((OF_PRODUCTS, products), (OF_CATEGORIES, categories)):
            moved |= {name: getattr(self, name).index_copy(0, own, getattr(earlier, name)[theirs]) for name in names}
        return replace(self, **moved, mu=earlier.mu.clone(), mu_variance=earlier.mu_variance)

    def sensitivity(self, layout: Layout) -> Tensor:
        """Return the posterior mean of exp(β), [P, S]."""
        mean = self.z[:, layout.log_sensitivity] + self.beside[:, None]
        return torch.exp(mean + 0.5 * self.variance.clamp(max=LARGEST_VARIANCE))


@dataclass(frozen=True)
class Cells:
    """Where a block stands: sensitivity [P, S], and [P, S, W]: choice probability, and slope = du / dβ."""

    sensitivity: Tensor
    share: Tensor
    slope: Tensor


def start_state(grid: Grid, counts: Outcomes, layout: Layout) -> State:
    """Return a state in which products differ by how much they sell, and all segments are alike."""
    level = counts.levels(grid)
    z = torch.zeros(len(level), layout.width, dtype=FLOAT)
    z[:, layout.appeal] = level[:, None]
    z[:, layout.log_sensitivity] = torch.tensor(counts.start_sensitivity).log().clamp(min=NO_RESPONSE)
    theta = grid.sum_by_category(z) / torch.bincount(grid.category)[:, None]
    zeros = torch.zeros(len(level), layout.segments, dtype=FLOAT)
    return State(
        z=z,
        theta=theta,
        mu=theta.mean(0),
        mu_start=theta.mean(0),
        season=torch.zeros(grid.categories, grid.spans, dtype=FLOAT),
        shock=torch.zeros(len(level), grid.spans, dtype=FLOAT),
        shock_scale=torch.ones(grid.categories, dtype=FLOAT),
        dissimilarity=torch.ones(grid.categories, dtype=FLOAT),
        open_dissimilarity=torch.ones(grid.categories, dtype=FLOAT),
        nest_variance=torch.zeros(grid.categories, dtype=FLOAT),
        beside=torch.zeros(len(level), dtype=FLOAT),
        variance=zeros,
        pull=zeros.clone(),
        mu_variance=torch.zeros(layout.width, layout.width, dtype=FLOAT),
    )


def utility(grid: Grid, state: State, layout: Layout) -> Tensor:
    """Return u [P, S, W] at the posterior means, off the shelf too; grid and state are of the same products.

    In a nest it is the utility of a multinomial logit with the nest's choice probabilities at the period's prices.
    """
    effect = (grid.context * state.z[:, None, layout.effect]).sum(2)
    common = effect + (state.season[grid.category] + state.shock)[:, grid.columns.spans_of()] + grid.offset
    response = state.sensitivity(layout)[:, :, None] * grid.bent_move[:, None]
    nest = nest_effect(grid, state, layout)[grid.category]
    return state.z[:, layout.appeal, None] - response + common[:, None] + nest


def nest_effect(grid: Grid, state: State, layout: Layout) -> Tensor:
    """Return what the dissimilarity adds to the utility of all products of a category, [G, S, W]: (γ − 1) x."""
    shortfall = state.dissimilarity - 1
    if not bool(shortfall.any()):
        return torch.zeros(grid.categories, layout.segments, grid.columns.count, dtype=FLOAT)
    return shortfall[:, None, None] * inclusive_values(grid, state, layout)[1]


def inclusive_values(grid: Grid, state: State, layout: Layout) -> tuple[Tensor, Tensor]:
    """Return log V, and what prices and promotions add to it, [G, S, W] each; V: the sum of exp(utility) by category.

    The first is at reference prices without promotions. Both are of the period's shelf, and 0 where it is empty.
    Controls, seasons and shocks are left out.
    """
    moved = _moved_utility(grid, state, layout)
    base = _log_total(grid, state.z[:, layout.appeal, None].expand_as(moved))
    return base, _log_total(grid, moved) - base


def _moved_utility(grid: Grid, state: State, layout: Layout) -> Tensor:
    """Return the utility [P, S, W] of which the inclusive values at the period's prices and promotions are made."""
    kept = grid.context.shape[2] - grid.controls
    effect = (grid.context[:, :, :kept] * state.z[:, None, layout.effect][:, :, :kept]).sum(2)
    level = state.z[:, layout.appeal, None]
    return level + effect[:, None] - state.sensitivity(layout)[:, :, None] * grid.bent_move[:, None]


def lift_shares(grid: Grid, state: State, layout: Layout) -> tuple[Tensor, Tensor]:
    """Return the share of each product in its category's V, [P, S, W] each: in the period, and at reference prices."""
    moved = _moved_utility(grid, state, layout)
    usual = state.z[:, layout.appeal, None].expand_as(moved)
    return _shares_of_total(grid, moved), _shares_of_total(grid, usual)


def _shares_of_total(grid: Grid, utility: Tensor) -> Tensor:
    weight = utility.clamp(max=LARGEST_UTILITY).exp() * grid.on_shelf[:, None]
    return weight / grid.sum_by_category(weight).clamp(min=1e-300)[grid.category]


def _log_total(grid: Grid, utility: Tensor) -> Tensor:
    """Return log V [G, S, W] of utilities [P, S, W], 0 where the shelf is empty."""
    total = grid.sum_by_category(utility.clamp(max=LARGEST_UTILITY).exp() * grid.on_shelf[:, None])
    return torch.where(grid.is_open()[:, None] > 0, total.clamp(min=1e-300).log(), 0.0)


def slopes(grid: Grid, sensitivity: Tensor) -> Tensor:
    """Return du / dβ of every cell, [P, S, W]; sensitivity [P, S]."""
    return -sensitivity[:, :, None] * grid.bent_move[:, None]


def cells_of(grid: Grid, state: State, layout: Layout) -> Cells:
    """Return the choice probabilities and slopes of the cells."""
    sensitivity = state.sensitivity(layout)
    return Cells(
        sensitivity=sensitivity,
        share=grid.shares(utility(grid, state, layout)),
        slope=slopes(grid, sensitivity),
    )
