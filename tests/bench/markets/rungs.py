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
    flat = {name: np.ones((1, len(truth.product_id)), np.float32) for name in ("appeal", "sensitivity")}
    problem = problem_of(truth, products, flat)
    assert problem.products.product_id.to_list() == truth.product_id.tolist()
    return legal_rungs(problem.pricing_inputs(0, problem.category_count))


def problem_of(truth: Truth, products: pl.DataFrame, factors: dict[str, np.ndarray]) -> PricingProblem:
    """Return the pricing problem of a dense demand [S, P] at today's prices as reference prices.

    factors: appeal and sensitivity, float32. products: the raw table.
    """
    segments = len(factors["appeal"])
    day = START.isoformat()
    info = DemandInfo(FORMAT_VERSION, "mnl", "dense", "zoo", day, day, day, 7, day, True, "USD")
    rows = products.sort("product_id").select(
        "product_id",
        "category_id",
        reference_price="price",
        min_price="price",
        max_price="price",
        availability=pl.lit(1.0),
        choices_per_purchase=pl.lit(1.0),
        units_per_choice=pl.lit(1.0),
    )
    names = [f"S{segment:03d}" for segment in range(segments)]
    demand = DemandArtefact(
        info=info,
        factors=factors,
        segments=pl.DataFrame({"segment_id": names, "visits": np.ones(segments)}),
        products=rows,
    )
    return pricing_problem(demand, catalog_of(truth, products), zoo_policy())
