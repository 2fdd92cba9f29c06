"""Offers as the baselines see them: a user, a product on the shelf, and what was known before the period."""

from dataclasses import dataclass
from datetime import date

import polars as pl

OCCASION = ("user_id", "period", "category_id")
SHELF_COLUMNS = ("price", "list_price", "display", "mailer")


@dataclass(frozen=True)
class Log:
    """The canonical tables shelf, choices and visits."""

    shelf: pl.DataFrame
    choices: pl.DataFrame
    visits: pl.DataFrame

    @property
    def purchases(self) -> pl.DataFrame:
        """Return user_id, period, category_id and product_id of all purchases, each row once."""
        return self.choices.drop_nulls("product_id").select(*OCCASION, "product_id").unique()


def occasions_of(log: Log, periods: list[date]) -> pl.DataFrame:
    """Return a row per occasion of the periods: user_id, period, category_id and weight.

    An occasion without purchase is sampled with probability outside_rate, so it stands for weight = 1 / outside_rate
    occasions; an occasion with a purchase has weight 1.
    """
    return (
        log.choices.filter(pl.col("period").is_in(periods))
        .group_by(OCCASION, maintain_order=True)
        .agg(has_bought=pl.col("product_id").is_not_null().any(), outside_rate=pl.col("outside_rate").first())
        .select(
            *OCCASION, weight=pl.when("has_bought").then(1.0).otherwise(1 / pl.col("outside_rate").cast(pl.Float64))
        )
    )


def offers_of(log: Log, periods: list[date]) -> pl.DataFrame:
    """Return a row per offer of the periods: its occasion and weight (occasions_of), product_id and bought."""
    shelf = log.shelf.select("period", "category_id", "product_id")
    bought = log.purchases.select(*OCCASION, "product_id", bought=pl.lit(True))
    return (
        occasions_of(log, periods)
        .join(shelf, on=["period", "category_id"], maintain_order="left_right")
        .join(bought, on=[*OCCASION, "product_id"], how="left", maintain_order="left")
        .with_columns(pl.col("bought").fill_null(False))
    )


def units_bought(offers: pl.DataFrame, log: Log) -> pl.Series:
    """Return the units bought in each offer, [N]: the mean of several occasions in a period, which count as one."""
    key = ["user_id", "period", "product_id"]
    bought = log.choices.drop_nulls("product_id").group_by(key).agg(pl.col("quantity").mean())
    quantity = offers.join(bought, on=key, how="left", maintain_order="left")["quantity"]
    return offers["bought"].cast(pl.Float64) * quantity.fill_null(0.0)


def describe_offers(offers: pl.DataFrame, log: Log, reference: pl.DataFrame) -> pl.DataFrame:
    """Return the offers, in their order, with shelf, reference_price and the history of user, product and category.

    reference: product_id and reference_price. The history covers the periods before the offer's. visits,
    product_purchases and category_purchases are the numbers of periods with at least one; weeks_since_product and
    weeks_since_category are the weeks since the last purchase, null where there was none.
    """
    shelf = log.shelf.select("period", "product_id", *SHELF_COLUMNS)
    rows = (
        offers.with_row_index("row")
        .join(shelf, on=["period", "product_id"], how="left")
        .join(reference, on="product_id", how="left")
        .with_columns(reference_price=pl.coalesce("reference_price", "price"))
    )
    bought = log.purchases
    rows = _with_past(rows, log.visits, ["user_id"], "visits", None)
    rows = _with_past(rows, bought, ["user_id", "category_id"], "category_purchases", "weeks_since_category")
    rows = _with_past(rows, bought, ["user_id", "product_id"], "product_purchases", "weeks_since_product")
    return rows.sort("row").drop("row")


def reference_prices(shelf: pl.DataFrame, periods: list[date]) -> pl.DataFrame:
    """Return product_id and reference_price, the median price in the periods."""
    seen = shelf.filter(pl.col("period").is_in(periods))
    return seen.group_by("product_id").agg(reference_price=pl.col("price").median())


def _with_past(rows: pl.DataFrame, events: pl.DataFrame, who: list[str], count: str, since: str | None) -> pl.DataFrame:
    """Return the rows with two more columns about the earlier events with the same columns `who`.

    `count` is the number of periods with an event before the row's; `since`, unless None, the weeks since the last.
    """
    past = (
        events.select(*who, "period")
        .unique()
        .sort("period")
        .with_columns(pl.int_range(1, pl.len() + 1).over(who).cast(pl.Float32).alias(count), last=pl.col("period"))
    )
    joined = rows.sort("period").join_asof(
        past, on="period", by=who, strategy="backward", allow_exact_matches=False, check_sortedness=False
    )
    days = (pl.col("period") - pl.col("last")).dt.total_days().cast(pl.Float32)
    added = [pl.col(count).fill_null(0.0)] + ([] if since is None else [(days / 7).alias(since)])
    return joined.with_columns(added).drop("last")
