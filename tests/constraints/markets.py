"""Markets for portfolio constraints, of any size: departments, a price ladder, today's prices and stock."""

from dataclasses import replace

import numpy as np
import polars as pl

from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.price_table import CENTS
from tests.markets import NO_RULES, demand_info

DEPARTMENTS = ("grocery", "drinks", "household", "care", "pets")
QUARTERS = Ladder(endings=[0.25, 0.49, 0.75, 0.99], prices=None)
AROUND_TODAY = replace(NO_RULES, max_decrease=0.30, max_increase=0.15, min_margin_rate=0.02)
TASTES = 6


def department_market(
    seed: int, products: int, segments: int, category_size: int = 20
) -> tuple[DemandArtefact, pl.DataFrame]:
    """Return demand and catalog; the catalog has a department (whole categories) and a stock.

    Buying rates, elasticities (b about 1.5 to 5), unit costs (45 to 80 % of today's price) and visits differ by
    product and segment. Stock is missing for 95 % of the products and of the others between 0.6 and 1.8 times what
    they sell at today's prices, roughly.
    """
    rng = np.random.default_rng(seed)
    category = np.arange(products) // category_size
    price = _today(rng, products)
    visits = np.round(rng.lognormal(7, 0.8, segments), 1)
    taste = rng.normal(0, 0.4, (segments, TASTES))
    flavour = rng.normal(0, 0.4, (products, TASTES))
    level = rng.normal(-1.6 - np.log(category_size), 0.7, products)
    bend, strength = rng.normal(0, 0.25, (segments, 2)), rng.normal(0, 0.35, (products, 2))
    base = rng.normal(2.6, 0.6, products)
    ones = np.ones(segments)
    factors = {
        "segment_appeal": np.column_stack([taste, ones]),
        "product_appeal": np.column_stack([flavour, level]),
        "segment_sensitivity": np.column_stack([bend, ones]),
        "product_sensitivity": np.column_stack([strength, base]),
    }
    units_per_choice = np.round(rng.uniform(1, 1.6, products), 2)
    names = pl.Series("product_id", [f"p{i:07d}" for i in range(products)])
    category_id = pl.Series("category_id", [f"c{i:06d}" for i in category])
    artefact = DemandArtefact(
        info=demand_info("factors"),
        factors={name: factor.astype(np.float32) for name, factor in factors.items()},
        segments=pl.DataFrame({"segment_id": [f"s{i:03d}" for i in range(segments)], "visits": visits}),
        products=pl.DataFrame(
            {
                "product_id": names,
                "category_id": category_id,
                "reference_price": price,
                "min_price": 0.6 * price,
                "max_price": 1.5 * price,
                "availability": np.ones(products),
                "choices_per_purchase": np.ones(products),
                "units_per_choice": units_per_choice,
            }
        ),
    )
    chance = np.exp(level) / (1 + np.bincount(category, np.exp(level))[category])
    sold = visits.sum() * chance * units_per_choice
    stock = np.where(rng.random(products) < 0.05, np.round(sold * rng.uniform(0.6, 1.8, products)), np.nan)
    catalog = pl.DataFrame(
        {
            "product_id": names,
            "category_id": category_id,
            "price": price,
            "cost": np.round(price * rng.uniform(0.45, 0.80, products), 2),
            "availability": np.ones(products),
            "stock": pl.Series(stock, nan_to_null=True),
            "department": pl.Series(DEPARTMENTS)[category % len(DEPARTMENTS)],
        }
    )
    return artefact, catalog


def _today(rng: np.random.Generator, products: int) -> np.ndarray:
    """Today's prices, on the ladder of quarters."""
    cents = np.round(rng.lognormal(6.1, 0.6, products)).clip(120, 5000).astype(np.int64)
    return QUARTERS.at_or_above(cents) / CENTS
