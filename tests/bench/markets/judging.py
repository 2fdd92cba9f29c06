"""Everything that one market is judged by, as numbers."""

from pathlib import Path

import numpy as np

from gpu_pricer.evaluation.demand.intervals import elasticity_intervals
from gpu_pricer.evaluation.profit import Rungs
from tests.bench.markets.best_prices import best_uniform, oracle
from tests.bench.markets.contest import run_jobs
from tests.bench.markets.market import Market
from tests.bench.markets.response import compare_response, coverage_of_closest, demand_of, within_product_slope
from tests.bench.markets.rivals import rival_prices
from tests.bench.markets.rungs import market_rungs
from tests.bench.markets.told import TOLD


def judged(market: Market, folder: Path, told: str, overrides: list[str]) -> dict[str, object]:
    """Return the numbers of one market, whose runs write below `folder`.

    share: by contestant, the share of personalisation gain: (profit − best uniform) / (oracle − best uniform).
    profit_over_today: by contestant, best_uniform and oracle. coverage: of the elasticities of the logits that come
    closest to the segments' demand, of those with the bend that the run learned: an error of the bend itself does not
    show there. coverage_at_today: of the elasticities at today's prices themselves, which differ where demand is no
    such logit, or the bend is wrong. Coverage and slope are None where the artefact has none.
    """
    truth = market.truth
    rungs = market_rungs(truth, market.tables["products"])
    uniform = best_uniform(truth, rungs)
    ours = run_jobs(market, folder / "ours", overrides)
    prices = {
        "ours": ours.prices(truth.user_id, truth.product_id),
        "told": TOLD[told](market, ours.tables, folder / "told", overrides),
        **rival_prices(truth, ours.tables, rungs),
        "best_uniform": uniform,
        "oracle": oracle(truth, rungs, uniform)[:, truth.types],
    }
    require_legal(rungs, truth.today, prices)
    profit = {name: truth.profit(price) for name, price in prices.items()}
    today = truth.profit(truth.today[:, None])
    least, attainable = profit["best_uniform"], profit["oracle"] - profit["best_uniform"]
    response, intervals = compare_response(truth, ours), elasticity_intervals(demand_of(truth, ours))
    return {
        "share": {name: (value - least) / attainable for name, value in profit.items()},
        "profit_over_today": {name: value / today - 1 for name, value in profit.items()},
        "slope": within_product_slope(response),
        "bend": ours.bend,
        "coverage": None if intervals is None else coverage_of_closest(truth, ours, response, intervals),
        "coverage_at_today": None if intervals is None else response.coverage(intervals),
    }


def require_legal(rungs: Rungs, today: np.ndarray, prices: dict[str, np.ndarray]) -> None:
    """Raise ValueError where a contestant sets a price that is neither a rung of the product nor today's [P]."""
    for product, own in enumerate(np.split(rungs.price, rungs.start[1:-1])):
        for name, price in prices.items():
            if not np.isin(price[product], [*own, today[product]]).all():
                found = np.setdiff1d(price[product], own)
                raise ValueError(f"{name} must set prices of {own.min():.0f} to {own.max():.0f} cents, found {found}")
