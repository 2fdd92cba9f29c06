"""Small markets for tests: a demand artefact and the catalog that goes with it."""

from dataclasses import fields, replace

import numpy as np
import polars as pl

from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.objective import Objective
from gpu_pricer.policy.policy import Policy
from gpu_pricer.tables.artefact import FORMAT_VERSION, DemandArtefact, DemandInfo

PROFIT = Objective(profit=1.0, revenue=0.0)
NO_RULES = Bounds(
    **dict.fromkeys(field.name for field in fields(Bounds))
    | {
        "within_support": False,
        "below_list_price": False,
        "competitor_columns": ["competitor_price"],
        "competitor_of": "cheapest",
    }
)
USUAL = replace(NO_RULES, max_decrease=0.30, max_increase=0.15, min_margin_rate=0.05, within_support=True)
NINES = Ladder(endings=[0.09, 0.19, 0.29, 0.39, 0.49, 0.59, 0.69, 0.79, 0.89, 0.99], prices=None)


def a_policy(
    bounds: Bounds = USUAL,
    ladder: Ladder | None = NINES,
    objective: Objective = PROFIT,
    category_ladders: dict | None = None,
    overrides: str | None = None,
    constraints: dict | None = None,
    on_infeasible: str = "relax",
) -> Policy:
    """A policy that differs from the usual one in what is named."""
    return Policy(objective, bounds, ladder, category_ladders or {}, overrides, constraints or {}, on_infeasible)


def small_artefact(
    seed: int, segments: int = 5, products: int = 24, categories: int = 6, form: str = "factors"
) -> DemandArtefact:
    """Random demand with sensible elasticities; products p000, p001, ... are dealt to c0, c1, ..."""
    rng = np.random.default_rng(seed)
    if form == "factors":
        factors = {
            "segment_appeal": rng.normal(0, 0.5, (segments, 3)),
            "product_appeal": rng.normal(0, 0.5, (products, 3)),
            "segment_sensitivity": rng.uniform(0.8, 1.2, (segments, 2)),
            "product_sensitivity": rng.uniform(0.8, 1.6, (products, 2)),
        }
    else:
        factors = {
            "appeal": rng.normal(-1, 1, (segments, products)),
            "sensitivity": rng.uniform(1, 4, (segments, products)),
        }
    reference = np.round(rng.uniform(1, 9, products), 2)
    return DemandArtefact(
        info=demand_info(form),
        factors={name: factor.astype(np.float32) for name, factor in factors.items()},
        segments=pl.DataFrame(
            {
                "segment_id": [f"s{i}" for i in rng.permutation(segments)],
                "visits": rng.uniform(10, 100, segments),
            }
        ),
        products=pl.DataFrame(
            {
                "product_id": [f"p{i:03d}" for i in range(products)],
                "category_id": [f"c{i % categories}" for i in range(products)],
                "reference_price": reference,
                "min_price": 0.8 * reference,
                "max_price": 1.2 * reference,
                "availability": np.where(rng.random(products) < 0.1, 0.0, rng.uniform(0.5, 1, products)),
                "choices_per_purchase": np.full(products, 1.2),
                "units_per_choice": rng.uniform(1, 2, products),
                "quantity_sensitivity": 0.0,
            }
        ),
    )


def with_posterior(artefact: DemandArtefact, spread: float, draws: int = 20, seed: int = 0) -> DemandArtefact:
    """The artefact with normal deviations of its log sensitivities, for every segment and category."""
    cells = artefact.segments.select("segment_id").join(
        artefact.products.select(pl.col("category_id").unique().sort()), how="cross"
    )
    rows = cells.join(pl.DataFrame({"draw": np.arange(draws)}), how="cross")
    deviation = np.random.default_rng(seed).normal(0, spread, rows.height)
    return replace(artefact, posterior=rows.with_columns(log_deviation=pl.Series(deviation, dtype=pl.Float32)))


def with_stand_ins(artefact: DemandArtefact, taught: list[str], count: int, spread: float) -> DemandArtefact:
    """The artefact with the draws of these categories alone, and so many stand-ins for the others."""
    own = artefact.posterior.filter(pl.col("category_id").is_in(taught))
    draws, segments = own["draw"].unique().sort(), artefact.segments["segment_id"]
    rows = pl.DataFrame({"stand_in": np.arange(count)}).join(segments.to_frame(), how="cross")
    rows = rows.join(draws.to_frame(), how="cross")
    deviation = pl.Series(np.random.default_rng(1).normal(0, spread, rows.height), dtype=pl.Float32)
    return replace(artefact, posterior=pl.concat([own, rows.with_columns(log_deviation=deviation)], how="diagonal"))


def with_dissimilarity(artefact: DemandArtefact, dissimilarity: dict[str, float]) -> DemandArtefact:
    """The artefact with these dissimilarities of categories."""
    table = pl.DataFrame({"category_id": [*dissimilarity], "dissimilarity": [*dissimilarity.values()]})
    said = dict.fromkeys(("season", "season_low", "season_high", "sensitivity_from_log"), pl.lit(0.0))
    return replace(artefact, categories=table.with_columns(**said, prior_elasticity=pl.lit(None, pl.Float64)))


def probabilities(artefact: DemandArtefact, move: np.ndarray) -> np.ndarray:
    """Probabilities [S, P] of a dense artefact at prices that lie `move` [P], relative, above the reference ones."""
    products = artefact.products
    is_known = products["product_id"].is_not_null().to_numpy()
    a, b = (artefact.factors[name].astype(np.float64) for name in ("appeal", "sensitivity"))
    weight = products["availability"].to_numpy() * is_known * np.exp(a - b * move)
    found = np.zeros_like(weight)
    for name in products["category_id"].unique():
        rows = (products["category_id"] == name).to_numpy()
        gamma = artefact.dissimilarity_of(pl.Series([name]))[0]
        total = weight[:, rows].sum(axis=1, keepdims=True)
        share = np.divide(weight[:, rows], total, out=np.zeros_like(weight[:, rows]), where=total > 0)
        found[:, rows] = share * total**gamma / (1 + total**gamma)
    return found


def demand_info(form: str = "factors", outside_option: bool = True) -> DemandInfo:
    """What demand.json of a small artefact says."""
    return DemandInfo(
        format_version=FORMAT_VERSION,
        kind="mnl",
        form=form,
        run="20260101T000000",
        created="2026-01-01T00:00:00+00:00",
        training_start="2025-01-06",
        training_end="2025-12-28",
        period_days=7,
        pricing_period="2026-01-05",
        outside_option=outside_option,
        currency="USD",
    )


def catalog_of(artefact: DemandArtefact, seed: int = 0) -> pl.DataFrame:
    """The artefact's products at prices near the reference, costs below; in no order."""
    rng = np.random.default_rng(seed)
    known = artefact.products.filter(pl.col("product_id").is_not_null())
    price = np.round(known["reference_price"].to_numpy() * rng.uniform(0.9, 1.1, known.height), 2)
    return known.select(
        "product_id",
        "category_id",
        price=pl.Series(price),
        cost=pl.Series(price * rng.uniform(0.5, 0.7, known.height)),
        availability=pl.lit(None, dtype=pl.Float64),
    ).sample(fraction=1, shuffle=True, seed=seed)


def one_product(
    price: float, cost: float, reference: float = 5.0, support: tuple[float, float] = (0.01, 9999.0)
) -> tuple[DemandArtefact, pl.DataFrame]:
    """One segment, one product of sensitivity 2 and appeal 0: its optimum is easy to compute by hand."""
    artefact = DemandArtefact(
        info=demand_info("dense"),
        factors={"appeal": np.zeros((1, 1), np.float32), "sensitivity": np.full((1, 1), 2, np.float32)},
        segments=pl.DataFrame({"segment_id": ["s0"], "visits": [1.0]}),
        products=pl.DataFrame(
            {
                "product_id": ["p"],
                "category_id": ["c"],
                "reference_price": [reference],
                "min_price": [support[0]],
                "max_price": [support[1]],
                "availability": [1.0],
                "choices_per_purchase": [1.0],
                "units_per_choice": [1.0],
            }
        ),
    )
    catalog = {"product_id": ["p"], "category_id": ["c"], "price": [price], "cost": [cost]}
    return artefact, pl.DataFrame(catalog | {"availability": [None]}, schema_overrides={"availability": pl.Float64})
