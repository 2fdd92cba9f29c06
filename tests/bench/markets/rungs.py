"""The legal prices of a market under a policy, by the policy's own code."""

from pathlib import Path

import numpy as np
import polars as pl
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from gpu_pricer.evaluation.profit import Rungs, legal_rungs
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, pricing_problem
from gpu_pricer.tables.artefact import FORMAT_VERSION, DemandArtefact, DemandInfo
from tests.bench.markets.scenario import START
from tests.bench.markets.truth import Truth

CONF = Path(__file__).parents[3] / "conf"
FLOOR, CEILING = "lowest_price", "highest_price"
LIMITS = (f"policy.bounds.floor_column={FLOOR}", f"policy.bounds.ceiling_column={CEILING}")
"""Overrides by which everybody who prices a market keeps to the prices of its log."""


def zoo_policy() -> Policy:
    """Return the policy of every contestant: conf/policy/profit.yaml inside the prices of the log.

    within_support is off here, since floor and ceiling columns say the same of every contestant's demand.
    """
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("config", ["data=parquet", "policy=profit", "policy.bounds.within_support=false", *LIMITS])
    return instantiate(config.policy)


def catalog_of(truth: Truth, products: pl.DataFrame) -> pl.DataFrame:
    """Return the products with the floor and ceiling columns that the policy reads, in currency."""
    limits = pl.DataFrame({"product_id": truth.product_id, FLOOR: truth.lowest / 100, CEILING: truth.highest / 100})
    return products.join(limits, on="product_id", how="left", maintain_order="left")


def market_rungs(truth: Truth, products: pl.DataFrame) -> Rungs:
    """Return the legal rungs of every product; products: the raw table."""
    rows = products.select("product_id", "category_id", reference_price="price", units_per_choice=pl.lit(1.0))
    flat = np.ones((1, products.height), np.float32)
    problem = problem_of(flat, flat, rows, catalog_of(truth, products))
    assert problem.products.product_id.to_list() == truth.product_id.tolist()
    return legal_rungs(problem.pricing_inputs(0, problem.category_count))


def problem_of(
    appeal: np.ndarray, sensitivity: np.ndarray, products: pl.DataFrame, catalog: pl.DataFrame
) -> PricingProblem:
    """Return the pricing problem of a dense demand, float32 [S, P], under the policy of the zoo.

    products [P]: product_id, category_id, reference_price and units_per_choice. catalog: from catalog_of.
    """
    day = START.isoformat()
    segments = pl.DataFrame({"segment_id": [f"S{s:03d}" for s in range(len(appeal))], "visits": 1.0})
    demand = DemandArtefact(
        info=DemandInfo(FORMAT_VERSION, "mnl", "dense", "zoo", day, day, day, 7, day, True, "USD"),
        factors={"appeal": appeal, "sensitivity": sensitivity},
        segments=segments,
        products=products.with_columns(
            min_price="reference_price",
            max_price="reference_price",
            availability=pl.lit(1.0),
            choices_per_purchase=pl.lit(1.0),
        ),
    )
    return pricing_problem(demand, catalog, zoo_policy())
