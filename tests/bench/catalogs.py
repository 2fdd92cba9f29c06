"""The grocery market of the kernel benchmarks as what the scoring job reads: an artefact and a catalog."""

from dataclasses import replace

import numpy as np
import polars as pl
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from gpu_pricer import CONF
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import FORMAT_VERSION, DemandArtefact, DemandInfo
from gpu_pricer.tables.price_table import CENTS
from kernels import FactorDemand
from tests.bench.grocery_markets import ENDING, PERIOD, Market, MarketSize, grocery_market
from tests.markets import USUAL, a_policy

VISITS = 1000.0
"""Of every segment."""


def grocery_policy() -> Policy:
    """Return the policy whose rungs and bounds are the market's."""
    endings = [cents / CENTS for cents in range(ENDING, CENTS, PERIOD)]
    return a_policy(replace(USUAL, max_increase=0.3), Ladder(endings, None))


def job_tiling() -> Tiling:
    """Return how the scoring job cuts its work unless told otherwise."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return instantiate(compose("config").score)


def grocery_inputs(size: MarketSize, seed: int = 0) -> tuple[DemandArtefact, pl.DataFrame]:
    """Return the artefact and the catalog of grocery_market(size, seed), all of which is on the shelf."""
    market = grocery_market(size, seed)
    table = _products(market)
    return _artefact(market, table), table.select("product_id", "category_id", "price", "cost", "availability")


def _products(market: Market) -> pl.DataFrame:
    """Return every column of a product that either side has."""
    inputs, category_size = market.inputs, market.category_size
    price = inputs.shelf.reference_price.astype(np.float64) / CENTS
    product = pl.int_range(len(price), eager=True)
    return pl.DataFrame(
        {
            "product_id": "p" + product.cast(pl.String).str.zfill(7),
            "category_id": "c" + (product // category_size).cast(pl.String).str.zfill(6),
            "price": price,
            "cost": inputs.unit_cost.astype(np.float64) / CENTS,
            "availability": np.ones(len(price)),
            "reference_price": price,
            "min_price": 0.7 * price,
            "max_price": 1.3 * price,
            "choices_per_purchase": np.ones(len(price)),
            "units_per_choice": inputs.weight.astype(np.float64),
        }
    )


def _artefact(market: Market, products: pl.DataFrame) -> DemandArtefact:
    demand = market.demand
    assert isinstance(demand, FactorDemand)
    segments = demand.segment_count
    offsets = {"appeal_offset": demand.appeal_offset, "sensitivity_offset": demand.sensitivity_offset}
    return DemandArtefact(
        info=_info(),
        factors={n: f for n, f in vars(demand).items() if not n.endswith("offset")},
        segments=pl.DataFrame(
            {"segment_id": [f"s{s:04d}" for s in range(segments)], "visits": np.full(segments, VISITS)}
        ),
        products=products.drop("price", "cost"),
        offsets=products.select("product_id").with_columns(
            pl.Series(name, offset.astype(np.float64)) for name, offset in offsets.items()
        ),
    )


def _info() -> DemandInfo:
    return DemandInfo(
        format_version=FORMAT_VERSION,
        kind="mnl",
        form="factors",
        run="20260101T000000",
        created="2026-01-01T00:00:00+00:00",
        training_start="2025-01-06",
        training_end="2025-12-28",
        period_days=7,
        pricing_period="2026-01-05",
        outside_option=True,
        currency="USD",
    )
