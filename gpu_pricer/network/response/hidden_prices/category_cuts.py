"""What the other products of a category tell about the cut of a product in a period.

A sale on a whole category cuts the prices of products, too, that sell too little in its period to show them. A cut is
therefore taken as μ + b + e: the usual cut μ of the product, what is common to the category in the period, b, and what
is the product's own, e. The best linear prediction of b from the n other products of the category that show a price,
whose cuts are d_1 … d_n beyond their usual ones, is Σ d · σ_b² / (σ_e² + n σ_b²): their mean, the nearer to 0 the fewer
they are (random effects, Robinson 1991). The product's own cut is left out, so that periods that show a cut and
periods that hide it are told the same. Variances are those of empirical Bayes, by moments: the mean product of two
cuts of a category in a period is σ_b², and the mean square is σ_b² + σ_e². Without any common part, nothing is told.

Cuts show more often than they happen, which moves the prediction to deeper cuts. It only says which periods are alike;
the cuts drawn within these are weighted as chances to show say (see unseen_cuts.py).
"""

import polars as pl

LEAST_VARIANCE = 1e-12  # of the cuts of products around what is common to their category


def cuts_of_others(rows: pl.DataFrame) -> pl.Series:
    """Return the predicted cut [R] that is common to the category of each row in its period, from other products alone.

    In logs, around 0. rows: product_id, category_id, period and cut, which is null where no price shows.
    """
    beyond = rows.select("category_id", "period", d=pl.col("cut") - pl.col("cut").mean().over("product_id"))
    cell, d = ("category_id", "period"), pl.col("d")
    cells = beyond.drop_nulls("d").group_by(cell, maintain_order=True)
    total, squares, number = cells.agg(total=d.sum(), squares=d.pow(2).sum(), number=pl.len().cast(pl.Float64))[:, 2:]
    common = max(float((total**2 - squares).sum()) / max(float((number * (number - 1)).sum()), 1.0), 0.0)
    own = max(float(squares.sum()) / max(float(number.sum()), 1.0) - common, LEAST_VARIANCE)
    shows = d.is_not_null().cast(pl.Float64)
    sum_of_others, others = (each.sum().over(cell) - each for each in (d.fill_null(0.0), shows))
    return beyond.select(sum_of_others * common / (own + others * common)).to_series()
