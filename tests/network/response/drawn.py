"""Tiny markets drawn from the response model itself, whose truth the tests know."""

from dataclasses import dataclass

import numpy as np
import torch

from gpu_pricer.network.response.grid.grid import Counts, Grid
from gpu_pricer.network.response.grid.grid_columns import GridColumns
from gpu_pricer.network.response.model import Layout, start_state
from gpu_pricer.network.response.priors.autoregression import Autoregression
from gpu_pricer.network.response.priors.prior_elasticity import PriorElasticity
from gpu_pricer.network.response.priors.widths import Widths


@dataclass(frozen=True)
class Market:
    """A grid, what segments bought on it, and the truth [P, S]."""

    grid: Grid
    counts: Counts
    appeal: np.ndarray
    sensitivity: np.ndarray

    @property
    def layout(self):
        """Return the layout of the coefficients."""
        return Layout(self.counts.segments, self.grid.context.shape[2])


@dataclass(frozen=True)
class Recipe:
    """How a market is drawn. visits: of every segment in every period; move: standard deviation of log prices.

    category, product: standard deviations of log sensitivities around the mean and around the category's.
    brands: what each adds to the log sensitivity of its products; products have them in turn. dissimilarity: of the
    categories in turn; with it they are nests, whose seasons lie outside them. shock_scale: times `shock`, the standard
    deviation of the categories' shocks, in turn.
    """

    sizes: tuple[int, ...] = (3, 2, 3)
    segments: int = 2
    periods: int = 10
    visits: int = 4000
    move: float = 0.15
    category: float = 0.3
    product: float = 0.3
    shock: float = 0.1
    shock_scale: tuple[float, ...] = (1.0,)
    on_shelf: float = 0.9
    has_outside_option: bool = True
    brands: tuple[float, ...] = (0.0,)
    dissimilarity: tuple[float, ...] = (1.0,)


def draw_market(seed, recipe=Recipe()):
    """Return a market with one promotion as context."""
    rng = np.random.default_rng(seed)
    segments, periods, products = recipe.segments, recipe.periods, sum(recipe.sizes)
    category = np.repeat(np.arange(len(recipe.sizes)), recipe.sizes)
    of_category = rng.normal(0, recipe.category, (len(recipe.sizes), segments))
    log_sensitivity = np.log(2.5) + np.linspace(-0.3, 0.3, segments) + of_category[category]
    log_sensitivity += np.resize(recipe.brands, products)[:, None]
    sensitivity = np.exp(log_sensitivity + rng.normal(0, recipe.product, (products, segments)))
    appeal = rng.normal(-2.0, 0.5, (products, segments))
    on_shelf = (rng.random((products, periods)) < recipe.on_shelf).astype(float)
    move = (np.exp(rng.normal(0, recipe.move, (products, periods))) - 1) * on_shelf
    display = (rng.random((products, periods)) < 0.2) * on_shelf
    season = autoregression(rng, len(recipe.sizes), periods, 0.3)
    scale = np.resize(recipe.shock_scale, len(recipe.sizes))[category]
    shock = scale[:, None] * autoregression(rng, products, periods, recipe.shock)
    utility = appeal[:, :, None] - sensitivity[:, :, None] * move[:, None]
    utility += (0.5 * display + shock)[:, None]
    utility += nest_effect(utility, appeal, on_shelf, category, recipe.dissimilarity)
    utility += season[category][:, None]
    return Market(
        Grid(
            columns=GridColumns.of_periods(periods),
            row=torch.arange(products),
            category=torch.from_numpy(category),
            on_shelf=torch.from_numpy(on_shelf),
            move=torch.from_numpy(move),
            context=torch.from_numpy(display[:, :, None]),
            controls=0,
            offset=torch.zeros(products, periods, dtype=torch.float64),
            unit_offset=torch.zeros(products, periods, dtype=torch.float64),
            next_offset=torch.zeros(products, dtype=torch.float64),
            next_ages=torch.zeros(products, 0),
            price_information=torch.ones(products, dtype=torch.float64),
            has_outside_option=recipe.has_outside_option,
            periods_ahead=1,
        ),
        choose(rng, utility, on_shelf, category, recipe.visits, recipe.has_outside_option),
        appeal,
        sensitivity,
    )


def autoregression(rng, rows, periods, spread, persistence=0.5):
    """Return [rows, periods] of a stationary first-order autoregression."""
    values = rng.normal(size=(rows, periods))
    for period in range(1, periods):
        values[:, period] = persistence * values[:, period - 1] + np.sqrt(1 - persistence**2) * values[:, period]
    return spread * values


def nest_effect(utility, appeal, on_shelf, category, dissimilarity):
    """Return [P, S, W]: added to utilities, it gives a logit the choices of nests that start as the logit's."""
    effect = np.zeros_like(utility)
    for g, s, w in np.ndindex(category[-1] + 1, *utility.shape[1:]):
        offered = np.flatnonzero((category == g) & (on_shelf[:, w] > 0))
        if len(offered):
            lift = np.log(np.exp(utility[offered, s, w]).sum() / np.exp(appeal[offered, s]).sum())
            effect[offered, s, w] = (dissimilarity[g % len(dissimilarity)] - 1) * lift
    return effect


def choose(rng, utility, on_shelf, category, visits, has_outside_option):
    """Return Counts of multinomial choices by utility [P, S, W]; a closed category is not visited."""
    _, segments, periods = utility.shape
    bought, seen = np.zeros_like(utility), np.zeros((category[-1] + 1, segments, periods))
    for g, s, w in np.ndindex(seen.shape):
        offered = np.flatnonzero((category == g) & (on_shelf[:, w] > 0))
        if len(offered):
            weight = np.append(np.exp(utility[offered, s, w]), float(has_outside_option))
            seen[g, s, w] = visits
            bought[offered, s, w] = rng.multinomial(visits, weight / weight.sum())[:-1]
    return Counts(torch.from_numpy(bought), torch.from_numpy(seen))


def a_covariance(rng, width, scale):
    """Return a random covariance [width, width]."""
    root = rng.normal(size=(width, width))
    return torch.from_numpy(scale * (root @ root.T / width + 0.5 * np.eye(width)))


def some_widths(seed, layout):
    """Return random widths, with a prior elasticity where the seed is odd."""
    rng = np.random.default_rng(seed)
    width = layout.width
    elasticity = PriorElasticity(2.0, 0.4, 0.8) if seed % 2 else None
    return Widths(a_covariance(rng, width, 0.2), a_covariance(rng, width, 0.3),
                  Autoregression(0.7, 0.6), Autoregression(0.2, 0.3), elasticity)  # fmt: skip


def some_state(seed, market, uncertain, dissimilarity=(1.0,)):
    """A random state; with nothing known of its uncertainty unless it is to be uncertain.

    dissimilarity: of the categories in turn.
    """
    generator = torch.Generator().manual_seed(seed)
    state = start_state(market.grid, market.counts, market.layout)
    state.dissimilarity[:] = torch.from_numpy(np.resize(dissimilarity, market.grid.categories))
    for name in ("z", "theta", "mu", "season", "shock"):
        values = getattr(state, name)
        values += 0.2 * torch.randn(values.shape, generator=generator, dtype=values.dtype)
    scale = torch.randn(market.grid.categories, generator=generator, dtype=torch.float64)
    state.shock_scale[:] = torch.exp(0.5 * scale)
    if uncertain:
        state.variance += 0.1 * torch.rand(state.variance.shape, generator=generator, dtype=torch.float64)
        state.pull += torch.rand(state.pull.shape, generator=generator, dtype=torch.float64)
    return state
