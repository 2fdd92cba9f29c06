"""Checks of a log as a whole, which may be unfit to learn from although each of its rows keeps every rule."""

import math
from collections.abc import Collection, Mapping

import polars as pl

from gpu_pricer.data.raw.outliers import OutlierRule
from gpu_pricer.data.sources.source import CELLS, FILE, LINE, TIME
from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import EXAMPLES, FEW, Checked
from gpu_pricer.tables.periods import Period, by_period

CELLS_ARE_READABLE = "cells_are_readable"
PRODUCT_IS_KNOWN = "product_is_known"
LEAST_REPEATED, LEAST_EVEN = 5, 20
"""Different lines of a day from which on it is no chance that all occur twice, and that all occur evenly often."""
LEAST_OF_COPIED_DAY, MANY_COPIES = 50, 0.1
"""Lines of a day, and the share of them beyond the usual one that has copies, from which on that is a doubt."""
MANY_UNKNOWN = 0.05
"""Share of the last lines, beyond that of earlier ones, that are of unknown products, from which on that is a doubt."""
MOST_UNKNOWN = 0.5
"""Share of the lines before the last period, in a log of one period of all lines, that are of unknown products, from
which on that is a doubt by itself.

Then no more lines are learned from than are left out. Other lines end a job at the same share (data.most_invalid).
"""
MANY_LOST = 0.01
"""Share of the lines that go with products which break a rule, from which on that is a doubt."""
LEAST_OF_SEVERAL = 20
"""Lines of several units, beside such of one in their period, that tell whether prices are those of one unit."""
SAME = 0.02
"""Prices agree if they differ by at most this share."""


def require_most(checked: Checked, unreadable: pl.DataFrame | None, origin: str, most_invalid: float) -> None:
    """Raise InputError if too many lines cannot be read or break rules; an unknown product alone does not count."""
    others = [pl.col(rule) == "invalid" for rule in checked.broken if rule != PRODUCT_IS_KNOWN]
    broken = checked.invalid.filter(pl.any_horizontal(others)).height if others else 0
    unread = 0 if unreadable is None else unreadable.height
    lost, read = broken + unread, checked.valid.height + checked.invalid.height + unread
    if lost > max(most_invalid * read, FEW):
        told = [] if unreadable is None else [cells_report(unreadable, origin, CELLS_ARE_READABLE)]
        told += [checked.report()] if checked.broken else []
        raise InputError(
            f"no more than {most_invalid:.0%} of the lines of {origin} may break rules (data.most_invalid), found "
            f"{lost:,} of {read:,}; it {'; '.join(told)}: mend it, or set data.most_invalid={_rounded_up(lost / read)}"
        )


def require_plausible(
    checked: Checked,
    unreadable: pl.DataFrame | None,
    origin: str,
    most_implausible: float,
    outliers: Mapping[str, OutlierRule],
    period: Period,
) -> None:
    """Raise InputError if too many of all lines, or of the last period's, are outliers or cannot be read.

    Slips are rare. Where a till changes its currency unit or its format of dates, all its lines are outliers from that
    day on: they look like lost demand. Outliers of prices and times count; large quantities may be right. A line whose
    time cannot be read counts among all lines only.
    """
    odd = checked.invalid.filter(_breaking(checked, outliers, ("price", "time")))
    dated = checked.invalid.filter(~_breaking(checked, outliers, ("time",)))
    last = pl.concat([checked.valid["time"], dated["time"]]).max()
    unread = pl.DataFrame(schema={TIME: pl.Datetime}) if unreadable is None else unreadable
    if TIME not in unread.columns:  # formats with types say nothing of it
        unread = unread.with_columns(pl.lit(None, pl.Datetime).alias(TIME))
    bounds = pl.lit(last) - pl.duration(days=period.days), pl.lit(last)
    odd_lately, valid_lately, invalid_lately, unread_lately = (
        rows.select(pl.col(time).is_between(*bounds, closed="right").sum()).item()
        for rows, time in ((odd, "time"), (checked.valid, "time"), (checked.invalid, "time"), (unread, TIME))
    )
    read = checked.valid.height + checked.invalid.height + unread.height
    lately = odd_lately + unread_lately, valid_lately + invalid_lately + unread_lately
    found = ((odd.height + unread.height, read, ""), (*lately, f" of the last {period.days} days"))
    for lost, lines, when in found:
        if lost > max(most_implausible * lines, FEW):
            told = [] if unreadable is None else [cells_report(unreadable, origin, CELLS_ARE_READABLE)]
            told += [checked.report() + settings_of(checked, outliers)] if checked.broken else []
            raise InputError(
                f"no more than {most_implausible:.0%} of the lines{when} of {origin} may be outliers or "
                f"unreadable (data.most_implausible), found {lost:,} of {lines:,}; it {'; '.join(told)}: look whether "
                "these lines are in another format, unit or currency and mend them, or set data.most_implausible="
                f"{_rounded_up(lost / lines)}"
            )


def doubts_of_unknown(checked: Checked, origin: str, period: Period) -> list[str]:
    """Return the doubts about lines of products that the list of products lacks.

    There is a doubt if their share of the last period's lines exceeds that of the lines before by MANY_UNKNOWN, as
    after new product codes. There is another one if they are at least MOST_UNKNOWN of the lines before the last period,
    or of all lines of a log of one period, as with a list of only the products on sale today. A smaller share that does
    not grow is no doubt: a shop may list some of its products only.
    """
    if PRODUCT_IS_KNOWN not in checked.broken:
        return []
    others = [rule for rule in checked.broken if rule != PRODUCT_IS_KNOWN]  # a time that is none says nothing of when
    unknown = checked.invalid.filter(
        pl.col(PRODUCT_IS_KNOWN) == "invalid", *(pl.col(rule) != "invalid" for rule in others)
    )
    parts = [rows.select("time", lost=pl.lit(lost)) for rows, lost in ((unknown, True), (checked.valid, False))]
    lines, lost = pl.concat(parts).drop_nulls("time"), pl.col("lost")
    is_late = pl.col("time") > pl.col("time").max() - pl.duration(days=period.days)
    count, share, usual = lines.select(
        lost.filter(is_late).sum(),
        share=lost.filter(is_late).mean(),
        usual=lost.filter(~is_late).mean(),
    ).row(0)
    if share is None:
        return []
    doubts = []
    if usual is not None and count > FEW and share >= usual + MANY_UNKNOWN:
        doubts.append(
            f"{share:.0%} of the lines of the last {period.days} days of {origin} are of products that the list of "
            f"products lacks, {usual:.0%} before: their sales are not learned from; look whether product codes have "
            "changed"
        )
    if unknown.height > FEW and (share if usual is None else usual) >= MOST_UNKNOWN:
        products, part = unknown["product_id"].n_unique(), unknown.height / lines.height
        doubts.append(
            f"{unknown.height:,} of the {lines.height:,} lines of {origin} ({part:.0%}) are of {products:,} products "
            "that the list of products lacks: demand is learned from the other lines alone; list ended products too, "
            "with stock 0 or without a stock, so that their sales teach"
        )
    return doubts


def lines_of_invalid_products(products: Checked, lines: Checked) -> int:
    """Return how many valid lines are of products that break a rule, and do not count for that reason."""
    broken = products.invalid["product_id"].drop_nulls().unique()
    return lines.valid.select(pl.col("product_id").is_in(broken.implode()).sum()).item()


def doubts_of_invalid_products(products: Checked, lines: Checked, origin: str) -> list[str]:
    """Return the doubt about products that break a rule, if MANY_LOST of the lines are theirs; origin: of products."""
    lost, read = lines_of_invalid_products(products, lines), lines.valid.height
    if lost < MANY_LOST * read:
        return []
    return [
        f"{lost:,} of {read:,} lines ({lost / read:.0%}) are of the {products.invalid.height:,} products of {origin} "
        f"that break a rule ({', '.join(products.broken)}): these products get no prices, and nothing is learned from "
        "their sales; mend these cells"
    ]


def _breaking(checked: Checked, outliers: Mapping[str, OutlierRule], columns: Collection[str]) -> pl.Expr:
    """Return whether invalid lines break a rule on outliers of one of the columns."""
    broken = [rule for rule in checked.broken if rule in outliers]
    of_columns = [rule for rule in broken if not {*columns}.isdisjoint(outliers[rule].holds().meta.root_names())]
    return pl.any_horizontal(pl.lit(False), *(pl.col(rule) == "invalid" for rule in of_columns))


def _rounded_up(share: float) -> float:
    """Return the next share of two decimals."""
    return math.ceil(100 * share) / 100


def require_once(lines: pl.DataFrame, origin: str, period: Period) -> list[str]:
    """Return the doubt about days with many more copies of lines than usual, as where one store came twice.

    Raise InputError if a day was loaded more than once, so that each of its lines occurs twice, three or four times.
    Some lines may be equal by chance, if somebody bought the same twice, and most lines may be, if times are dates and
    buyers are guests; but then not every line occurs an even number of times. There is no doubt about days whose times
    are dates or whole minutes, because equal lines are then more frequent on busy days.
    """
    parts = by_period(lines.with_columns(period.start(pl.col("time")).alias("period")))
    of_day = pl.concat([_repeated_days(part) for part in parts.values()])
    is_whole = of_day["is_repeated"].all() and of_day["lines"].sum() >= LEAST_REPEATED
    is_no_chance = (pl.col("lines") >= LEAST_REPEATED) & (pl.col("is_alike") | (pl.col("lines") >= LEAST_EVEN))
    days = of_day.filter("is_repeated", is_no_chance | is_whole)["day"].sort()
    if len(days):
        raise InputError(
            f"{origin} must hold every line once, found all lines of {len(days)} days more than once, the first day "
            f"{days[0]}: remove the copies, such as a file that lies there twice"
        )
    timed = of_day.filter(pl.col("lines") >= LEAST_OF_COPIED_DAY, pl.col("timed") > 0.5)
    odd = timed.filter(pl.col("copied") >= pl.col("copied").median() + MANY_COPIES).sort("day")
    if odd.is_empty():
        return []
    usual = timed.select(pl.col("copied").median()).item()
    count = f"{odd.height:,} {'day has' if odd.height == 1 else 'days have'}"
    return [
        f"{count} many lines of {origin} twice, such as {odd['copied'][0]:.0%} of those of {odd['day'][0]}, where "
        f"{usual:.0%} are usual: look whether lines were delivered twice, as by one store"
    ]


def _repeated_days(lines: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each day.

    day, lines: the number of different lines. copied, timed: the shares of these that occur several times, and whose
    time has seconds. is_alike: whether all occur equally often. is_repeated: whether all occur equally often and more
    than once, or each an even number of times, or each a multiple of three times.
    """
    times = lines["time"]
    line = pl.DataFrame({"day": times.dt.date(), "line": lines.hash_rows(), "timed": times.dt.second() != 0})
    copies = line.group_by("day", "line").agg(copies=pl.len(), timed=pl.col("timed").first())
    is_copied, is_alike = pl.col("copies") > 1, pl.col("copies").n_unique() == 1
    return copies.group_by("day").agg(
        lines=pl.len(),
        copied=is_copied.mean(),
        timed=pl.col("timed").mean(),
        is_repeated=pl.any_horizontal(
            is_copied.all() & is_alike, *((pl.col("copies") % times == 0).all() for times in (2, 3))
        ),
        is_alike=is_alike,
    )


def require_unit_prices(lines: pl.DataFrame, origin: str, period: Period) -> None:
    """Raise InputError if most lines of several units state what all of them cost, and not the price of one.

    lines: of transactions. A line of several units is compared with the median price of the lines of one unit of its
    product and period.
    """
    key, quantity = ("product_id", "period"), pl.col("quantity")
    sold = lines.select("product_id", "quantity", "price", period=period.start(pl.col("time")))
    single = sold.filter(quantity == 1).group_by(key).agg(single=pl.col("price").median())
    told = sold.filter(quantity >= 2, quantity % 1 == 0).join(single, on=key, maintain_order="left")
    total = told.filter((pl.col("price") / (pl.col("single") * quantity) - 1).abs() <= SAME)
    if total.height < LEAST_OF_SEVERAL or 2 * total.height <= told.height:
        return
    product, units, price, cost = total.select("product_id", "quantity", "price", "single").row(0)
    raise InputError(
        f"prices of {origin} must be those of one unit, found what all units cost in {total.height:,} of "
        f"{told.height:,} lines of several units, such as {units:g} of product {product} at {price:,.2f}, of which "
        f"one costs {cost:,.2f}: divide the price by the quantity"
    )


def cells_report(rows: pl.DataFrame, origin: str, rule: str) -> str:
    """Return how many rows break a rule on what can be read, with the lines of the first ones and what is in them.

    origin: the table's; where it names several files, each line is told with its own.
    """
    first = rows.head(EXAMPLES).select(FILE, LINE, CELLS).iter_rows()
    examples = "; ".join(f"line {line} {f'of {file} ' if file != origin else ''}{cells}" for file, line, cells in first)
    return f"breaks {rule} in {rows.height:,} rows, such as {examples}"


def settings_of(checked: Checked, outliers: Mapping[str, OutlierRule]) -> str:
    """Return what to say of the settings that hold the broken rules on outliers, "" without any."""
    names = [f"data.outliers.{name}" for name in checked.broken if name in outliers]
    return f" ({' and '.join(names)} can be changed)" if names else ""
