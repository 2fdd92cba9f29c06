"""What a version may earn: its gain over posterior draws, the profit of one price list, unidentified responses."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.policy import Policy, with_rule_columns
from gpu_pricer.pricing import POINT, PricingProblem, match_products, problem_of
from gpu_pricer.pricing.drawn_outcomes import drawn_profit, interval, profit_of
from gpu_pricer.pricing.problem.posterior_draws import has_own_draws, posterior_draws
from gpu_pricer.report.scored import read_prices
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.artefact.demand_tables import is_from_log
from gpu_pricer.tables.priced_products import read_catalog
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.tables.version.price_history import recorded_history
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.stock_record import read_unit_limits, with_served_share
from gpu_pricer.versions.appraisal.uniform_prices import UniformProfit, uniform_profit
from gpu_pricer.versions.priced_catalog import with_history_columns
from kernels import Draws, utility_lines

MOST_CELLS = 10_000_000
"""Products × segments up to which an outlook is computed, so that its prices fit into memory."""

LEAST_DRAWS = 20
"""Draws that a standard deviation over draws needs."""

HARDLY, VAGUE = 0.8, 0.25
"""A category does not identify its price response where the posterior standard deviation of its log sensitivity is at
least this share of the prior's, and at least so large: a sensitivity known to 25 %."""

RISE, LEAST_FALL = 0.10, 0.01
"""A category is inelastic where its purchases fall by less than LEAST_FALL if all its prices rise by RISE."""


class Gain(NamedTuple):
    """The profit over today's under the posterior draws of the price response: its mean, and its 90 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Outlook:
    """What a version of the price table may earn, in currency per period.

    gain: None without posterior draws, and where is_rationed. is_rationed: whether a limit per product, as of its
    stock, serves less than is asked for at the version's prices or at today's. The version's profit then counts the
    units served, but the draws would count all units asked for.
    uniform: what one price per product for all segments would earn; None where that is not computed.
    categories: their number. vague: how many of them do not identify a price response. published: for how many of them
    published elasticities tell more of the response than the log does. inelastic: how many of them, as a whole, hardly
    respond to prices.
    untaught, borrowed: two shares of the units expected at today's prices: of categories whose price response the log
    did not teach, and of categories that learned more of it from other categories than from their own log (see
    is_from_log); 0 without a posterior.
    """

    gain: Gain | None
    is_rationed: bool
    uniform: UniformProfit | None
    vague: int
    categories: int
    published: int
    inelastic: int
    untaught: float
    borrowed: float


def outlook_of(
    version: PriceVersion, folder: Path, artefact: DemandArtefact, path: Path, policy: Policy
) -> Outlook | None:
    """Return the outlook of a version in a folder; None in the wide layout, or with more than MOST_CELLS cells.

    artefact, path (of the catalog), policy: those that the version was scored from.
    """
    if version.layout != "long" or version.tally.rows > MOST_CELLS:
        return None
    catalog, history = read_catalog(path, policy.columns), recorded_history(folder)
    if history is not None:
        catalog = with_history_columns(catalog, policy, history, date.fromisoformat(version.day))
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    problem = problem_of(artefact, matched, policy)
    gain, vague, untaught, borrowed, price = None, 0, 0.0, 0.0, read_prices(folder, problem)
    is_rationed = has_rationed(problem, read_unit_limits(folder / RECORD), price)
    if artefact.posterior is not None:
        category_id = matched.products["category_id"].rle().struct.field("value")
        draws, is_taught = posterior_draws(artefact, category_id), has_own_draws(artefact, category_id)
        if not is_rationed:
            gains = gain_of_draws(problem, draws, price)
            gain = Gain(float(gains.mean()), *interval(gains))
        vague = int(vague_categories(problem, draws, is_taught).sum())
        untaught = share_of_units(problem, ~is_taught)
        borrowed = share_of_units(problem, is_taught & ~is_own(artefact, category_id))
    uniform = None
    if version.uncertainty == POINT and version.segments > 1:
        uniform = uniform_profit(artefact, catalog, policy, folder, version.backend)
    published = count_published(artefact, matched.products["category_id"])
    of_categories = vague, problem.category_count, published, count_inelastic(problem)
    return Outlook(gain, is_rationed, uniform, *of_categories, untaught, borrowed)


def has_rationed(problem: PricingProblem, limits: pl.DataFrame | None, price: np.ndarray) -> bool:
    """Return whether a product's limit is below the units asked for at prices [P, S] in cents or at today's.

    limits: see read_unit_limits.
    """
    if limits is None:
        return False
    products, demand = problem.products, problem.demand.tile(0, len(price))
    for asked_at in (products.today[:, None], price):
        sales = products.sales(problem.totals(demand, 0, problem.category_count, asked_at))
        units = pl.DataFrame({"product_id": products.product_id, "units": sales.units})
        if with_served_share(units, limits)["served"].min() < 1:  # type: ignore[operator]
            return True
    return False


def gain_of_draws(problem: PricingProblem, draws: Draws, price: np.ndarray) -> np.ndarray:
    """Return the profit at prices [P, S] in cents less that at today's, under each draw [D], in currency."""
    today, value = problem.products.today[:, None], profit_of(problem)
    return drawn_profit(problem, draws, price, value) - drawn_profit(problem, draws, today, value)


def count_published(artefact: DemandArtefact, category_id: pl.Series) -> int:
    """Return in how many of the categories published elasticities tell more of the price response than the log does."""
    known = artefact.categories
    if known is None or known["prior_elasticity"].null_count() == known.height:
        return 0
    found = category_id.unique().to_frame("category_id").join(known, on="category_id", how="left")
    return found.filter(~is_from_log().fill_null(False)).height


def vague_categories(problem: PricingProblem, draws: Draws, is_taught: np.ndarray) -> np.ndarray:
    """Return which categories do not identify a price response, bool [G], see HARDLY.

    None with fewer than LEAST_DRAWS draws; a category that did not teach [G] has no response of its own, and is none of
    them. The variance of the prior is estimated as that between the categories' estimates plus the mean posterior
    variance.
    """
    if draws.factor.shape[2] < LEAST_DRAWS or not is_taught.any():
        return np.zeros(problem.category_count, np.bool_)
    visits = problem.segments.visits / problem.segments.visits.sum()
    everything = (0, problem.category_count)
    slope = utility_lines(problem.demand_in_double(), problem.shelf(*everything))[1]
    sensitivity = np.log(slope * problem.products.reference_price[:, None]) @ visits
    starts = problem.products.category_start
    estimate = np.add.reduceat(sensitivity, starts[:-1]) / np.diff(starts)
    variance = np.einsum("hsd,s->hd", np.log(draws.factor[draws.row[is_taught]]), visits).var(axis=1)
    prior = estimate[is_taught].var() + variance.mean()
    found = np.zeros(len(is_taught), np.bool_)
    found[is_taught] = (variance >= HARDLY**2 * prior) & (variance >= VAGUE**2)
    return found


def is_own(artefact: DemandArtefact, category_id: pl.Series) -> np.ndarray:
    """Return whether the log taught the price response of these categories as other ones did or more, bool [G].

    True of all where the artefact does not say.
    """
    if artefact.categories is None:
        return np.ones(len(category_id), np.bool_)
    known = artefact.categories.select("category_id", is_own=is_from_log())
    found = category_id.to_frame("category_id").join(known, on="category_id", how="left", maintain_order="left")
    return found["is_own"].fill_null(False).to_numpy()


def share_of_units(problem: PricingProblem, chosen: np.ndarray) -> float:
    """Return the share of the units expected at today's prices that is in the chosen categories, bool [G]."""
    units = _by_category(problem, problem.products.units_per_choice * _chosen(problem, problem.products.today))
    total = float(units.sum())
    return float(units[chosen].sum()) / total if total > 0 else 0.0


def count_inelastic(problem: PricingProblem) -> int:
    """Return how many of the categories that sell at today's prices are inelastic as a whole, see RISE.

    A price rises by a cent at least. A demand without an outside option makes all categories so. Otherwise nearly every
    visit buys there, as in a log of a single category, which has no visit without a purchase.
    """
    today = problem.products.today
    risen = np.maximum(np.rint(today * (1 + RISE)), today + 1)
    now, dearer = (_purchases(problem, price) for price in (today, risen))
    return int(((now > 0) & (dearer > (1 - LEAST_FALL) * now)).sum())


def _purchases(problem: PricingProblem, price: np.ndarray) -> np.ndarray:
    """Return the expected purchases [G] of a period if all segments pay the same prices [P] in cents."""
    return _by_category(problem, _chosen(problem, price))


def _chosen(problem: PricingProblem, price: np.ndarray) -> np.ndarray:
    """Return how often each product is chosen in a period, [P], if all segments pay the same prices [P] in cents."""
    demand, prices = problem.demand.tile(0, len(price)), price[:, None].astype(problem.products.today.dtype)
    return problem.totals(demand, 0, problem.category_count, prices).chosen[:, 0]


def _by_category(problem: PricingProblem, of_products: np.ndarray) -> np.ndarray:
    """Return the sums [G] of what the products [P] have."""
    return np.add.reduceat(of_products, problem.products.category_start[:-1])
