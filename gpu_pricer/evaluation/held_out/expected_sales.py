"""Expected sales per product and period over all occasions, of models that have only predicted a sample of them.

A sum of probabilities over a weighted sample has sampling noise, the more the probabilities differ between users, and
this noise alone raises the deviance of the sum. For the demand model the sums over all occasions are known
(held_out_sums.parquet). The ratio of these to its sums over the sample measures the noise, and corrects the sums of
another model over the same sample as far as the two models' noise is correlated (a ratio estimator).
"""

import polars as pl

from gpu_pricer.evaluation.held_out.scores import CELL, PREDICTED


def estimated_sums(offers: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return period, product_id and a model's estimated sums over all occasions of each of PREDICTED that it has.

    offers: a row per offer of the sample with period, product_id, weight, the model's predictions, and as known_… those
    of the demand model. known: by period and product, the demand model's sums over all occasions.

    The estimate is s · (K / k)^β with the sums over the sample s of the model and k of the demand model, whose sum over
    all occasions is K (Srivastava 1967). The power β = Σ cov(s, k)/K / Σ var(k)/K, sums over all products and periods,
    makes the noise least. An offer of weight w was drawn with the probability 1/w, and adds w (w − 1) d e to the
    covariance, where d and e are how far the two models' predictions are from their means over the drawn offers of the
    product and period (with these weights): like offers are drawn in fixed numbers. β is 1 for a model that predicts as
    the demand model does, and about 0 for one that does not tell users apart.
    """
    found = offers.select(CELL).unique().sort(CELL)
    for name in PREDICTED:
        if name in offers.columns:
            found = found.join(_estimated(offers, known, name), on=CELL, maintain_order="left")
    return found


def _estimated(offers: pl.DataFrame, known: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return period, product_id and the estimated sums of one prediction."""
    weight = pl.col("weight").cast(pl.Float64)
    own, theirs = pl.col(name).cast(pl.Float64), pl.col(f"known_{name}").cast(pl.Float64)
    drawn = weight * (weight - 1)
    cells = (
        offers.group_by(CELL, maintain_order=True)
        .agg(
            sample=(weight * own).sum(),
            known_sample=(weight * theirs).sum(),
            covariance=(drawn * own * theirs).sum() - (drawn * own).sum() * _mean(theirs, drawn),
            variance=(drawn * theirs * theirs).sum() - (drawn * theirs).sum() * _mean(theirs, drawn),
        )
        .join(known.select(*CELL, over_all=name), on=CELL)
        .sort(CELL)
    )
    noise = cells.filter(pl.col("over_all") > 0).select(pl.col("covariance", "variance") / pl.col("over_all"))
    covariance, variance = noise.to_numpy().sum(axis=0)  # of sorted rows by NumPy: equal bits from run to run
    power = covariance / variance if variance > 0 else 0.0
    factor = pl.when(pl.col("known_sample") > 0).then(pl.col("over_all") / pl.col("known_sample")).otherwise(1.0)
    return cells.select(*CELL, (pl.col("sample") * factor**power).alias(name))


def _mean(value: pl.Expr, weight: pl.Expr) -> pl.Expr:
    """Return the weighted mean, 0 where nothing has a weight."""
    total = weight.sum()
    return pl.when(total > 0).then((weight * value).sum() / total).otherwise(0.0)
