"""The truth of a scenario."""

from dataclasses import replace

import numpy as np
import polars as pl

from tests.bench.markets.clusters import clustered
from tests.bench.markets.scenario import START, Scenario
from tests.bench.markets.truth import Truth

LEAST_SUPPORT = 0.1


def true_demand(scenario: Scenario) -> Truth:
    """Return the truth in the week after the log; users without types are clustered."""
    people, history = scenario.people, scenario.history
    lowest, highest = _support(scenario)
    unclustered = Truth(
        product_id=scenario.goods.product_id,
        unit_cost=history.cost[-1],
        today=history.today,
        lowest=lowest,
        highest=highest,
        user_id=people.user_id,
        visits=people.visit_rate,
        types=np.zeros(people.count, np.int64) if people.kind is None else people.kind,
        choice=scenario.choice,
        quantity=scenario.quantity,
        week_state=scenario.week_state(history.weeks),
        hidden=_hidden(scenario),
    )
    return replace(unclustered, types=clustered(unclustered)) if people.kind is None else unclustered


def _support(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest price [P]: the category's range of price over median price, at least ± 10 %.

    A product that was never on the shelf counts as if it had been.
    """
    paid, start = scenario.history.paid, scenario.goods.start
    seen = scenario.shelf | ~scenario.shelf.any(axis=0)
    median = np.nanmedian(np.where(seen, paid, np.nan), axis=0)
    ratio = np.where(seen, paid / median, 1.0)
    low = np.minimum(np.minimum.reduceat(ratio.min(axis=0), start[:-1]), 1 - LEAST_SUPPORT)
    high = np.maximum(np.maximum.reduceat(ratio.max(axis=0), start[:-1]), 1 + LEAST_SUPPORT)
    category = scenario.goods.category
    return low[category] * median, high[category] * median


def _hidden(scenario: Scenario) -> pl.DataFrame:
    weeks, products = scenario.history.paid.shape
    shock = scenario.hidden[:weeks].copy()
    if scenario.drift is not None:
        shock += np.array([scenario.drift.week(week).mean(axis=1) for week in range(weeks)])
    return pl.DataFrame(
        {
            "product_id": np.tile(scenario.goods.product_id, weeks),
            "period": np.repeat(np.datetime64(START, "D") + 7 * np.arange(weeks), products),
            "shock": shock.ravel(),
        }
    )
