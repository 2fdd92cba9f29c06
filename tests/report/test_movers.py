"""What is said of another price of a mover is what the demand gives by hand."""

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.policy.objective import Objective
from gpu_pricer.pricing import Tiling
from gpu_pricer.report.figures.demand import demand_figures
from gpu_pricer.report.figures.product import product_figures, product_names
from gpu_pricer.report.movers import top_movers
from gpu_pricer.report.scored import scored_version
from gpu_pricer.versions.priced_catalog import PricedCatalog
from gpu_pricer.versions.scored_version import score
from tests.markets import PROFIT, USUAL, a_policy, catalog_of, small_artefact
from tests.pricing.logit import category_value, dense_demand

ARTEFACT = small_artefact(5, segments=3, products=12, categories=3)
ARTEFACT = replace(ARTEFACT, segments=ARTEFACT.segments.with_columns(pl.col("visits") * 1000))
CATALOG = catalog_of(ARTEFACT, 5)
WIDE = replace(USUAL, max_decrease=0.4, max_increase=0.6, min_margin_rate=None, within_support=False)


def movers_under(objective, folder):
    """The movers of the version that a policy with this objective prices, and its prices by product and segment."""
    policy = a_policy(bounds=WIDE, objective=objective)
    tiling = Tiling("long", 10**6, 1, None, 1, details=["parts"])
    version = score(ARTEFACT, PricedCatalog(CATALOG), policy, tiling, folder, "cpu")
    scored = scored_version(folder, version, ARTEFACT, CATALOG, policy)
    rows = product_figures(
        scored, demand_figures(scored.problem, scored.price, scored.support), product_names(CATALOG, [])
    )
    return top_movers(scored, rows, 12), pl.read_parquet(folder / "*.parquet")


def next_best(product, prices):
    """The other rung with the most profit of the category, and what it earns more in a period, both by hand.

    In the segment with the most visits, whose id is returned too.
    """
    segment, visits = ARTEFACT.segments.sort("visits").row(-1)
    names = [f"p{i:03d}" for i in range(12) if i % 3 == int(product[1:]) % 3]
    mine = prices.filter(pl.col("product_id").is_in(names), segment_id=segment).sort("product_id")
    price = mine["price"].cast(pl.Float64).to_numpy()
    at, today = names.index(product), float(mine["today_price"][names.index(product)])
    cents = [c for c in range(9, 2000, 10) if 0.6 * today <= c / 100 <= 1.6 * today and c != round(100 * price[at])]
    moved = np.tile(price, (len(cents), 1))
    moved[:, at] = np.array(cents) / 100
    profit = category_value(ARTEFACT, CATALOG, dense_demand(ARTEFACT).index(segment), names, np.vstack([moved, price]))
    best = int(np.argmax(profit[:-1]))
    return cents[best] / 100, visits * (profit[best] - profit[-1]), segment


@pytest.mark.parametrize("objective", [PROFIT, Objective(profit=0.0, revenue=1.0)])
def test_next_best_price_has_the_most_profit_of_the_others(tmp_path, objective):
    movers, prices = movers_under(objective, tmp_path / "now")
    case = "Counting profit alone," if objective.revenue > 0 else "Next best price:"

    assert len(movers) > 5
    for mover in movers:
        price, gain, segment = next_best(mover.figures["product_id"], prices)
        said = re.fullmatch(
            rf"{case} ([\d.]+) in place of ([\d.]+) in segment {segment} would earn the category "
            r"([\d.,]+) USD (more|less) in a period\.",
            mover.runner_up,
        )
        assert float(said[1]) == price
        assert float(said[3].replace(",", "")) == pytest.approx(abs(gain), rel=1e-3, abs=0.51)
        assert said[4] == ("more" if gain > 0 else "less")
        shown = prices.filter(product_id=mover.figures["product_id"], segment_id=segment)["price"].item()
        assert said[2] == str(shown)
    assert any("more" in mover.runner_up for mover in movers) == (objective.revenue > 0)
