"""The demand model against choices that its training never saw."""

import polars as pl

from gpu_pricer.evaluation.metrics import evaluate_choices, poisson_deviance

PAST_PERIODS = 8
MOVES = {"moved_5pct": 0.05, "moved_15pct": 0.15}


def evaluate_held_out(offers: pl.DataFrame, shelf: pl.DataFrame) -> dict[str, object]:
    """The test block of metrics.json.

    offers: one row per offer with period, product_id, probability, bought and weight (how many offers it
    stands for). Deviance compares buyers per product and period with predictions; *moved* are those whose
    price left the mean of the product's previous 8 periods by more than 5 or 15 %, in logs.
    """
    scores = evaluate_choices(
        offers["bought"].to_numpy(),
        offers["probability"].to_numpy(),
        offers["weight"].cast(pl.Float64).to_numpy(),
    )
    weight = pl.col("weight")
    cells = offers.group_by("period", "product_id").agg(
        buyers=(weight * pl.col("bought")).sum(), predicted=(weight * pl.col("probability")).sum()
    )
    cells = cells.join(price_moves(shelf), on=["period", "product_id"], how="left")
    subsets = {"all": cells} | {name: cells.filter(pl.col("move") > least) for name, least in MOVES.items()}
    deviance = {
        name: poisson_deviance(rows["buyers"].to_numpy(), rows["predicted"].to_numpy())
        for name, rows in subsets.items()
    }
    return {**scores, "poisson_deviance": deviance}


def price_moves(shelf: pl.DataFrame) -> pl.DataFrame:
    """period, product_id and move = |ln(price / its mean over the 8 periods before)|; null at first."""
    past = pl.col("price").shift(1).rolling_mean(PAST_PERIODS, min_samples=1).over("product_id", order_by="period")
    return shelf.select("period", "product_id", move=(pl.col("price") / past).log().abs())
