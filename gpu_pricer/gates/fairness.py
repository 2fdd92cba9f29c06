"""An audit of prices by attributes that the model never saw: the cost of the same basket for each group of users.

The basket is what all segments together are expected to buy at the new prices. The price index of a segment is what
the segment pays for this basket over what the mean visit pays (a Laspeyres index over people instead of time); the
index of a group is the mean over its users. Groups differ by chance even where segments are unrelated to the attribute.
The part of a gap that is more than chance is therefore the lower end of an interval that holds for all pairs of groups
at once (Bonferroni), and only this part (`proven` in the record) can refuse prices. Prices of which nothing is expected
to sell have no index; an audit that has no group to compare says so, and refuses the prices if a largest gap is set.
"""

import itertools
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist

import polars as pl

from gpu_pricer.checks import require_number
from gpu_pricer.errors import InputError
from gpu_pricer.tables.attributes import MOST_GROUPS, MOST_NAMES, has_order, holds_words
from gpu_pricer.tables.canonical import read_summary
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.further_columns import name_apart, set_apart
from gpu_pricer.tables.price_table import DIGITS, collect_prices, scan_prices
from gpu_pricer.tables.reading import collect
from gpu_pricer.tables.version.names import FAIRNESS

CONFIDENCE = 0.95
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Fairness:
    """Settings of the audit. Raises ValueError unless protected is None or a list of names, and max_gap at least 0.

    users: the path of the table with the attributes. protected: the columns to audit; None for those that `prepare`,
    which wrote the table, kept from the model.
    max_gap: the largest part of a gap between two groups' indices that is more than chance with which prices are
    accepted; None for no limit, so that nothing is tested.
    """

    users: str
    protected: list[str] | None
    max_gap: float | None

    def __post_init__(self) -> None:
        is_list = isinstance(self.protected, list) and all(isinstance(name, str) for name in self.protected)
        if not is_list and self.protected is not None:
            raise ValueError(f"fairness.protected must be a list of columns of users, found {self.protected!r}")
        if self.max_gap is not None:
            require_number("fairness.max_gap", self.max_gap, least=0)

    @property
    def attributes(self) -> list[str]:
        """The columns to audit, none where neither `protected` nor a summary of `prepare` beside the users names any.

        InputError for a broken summary.
        """
        if self.protected is not None:
            return self.protected
        summary = read_summary(Path(self.users).parent) or {}
        return [*summary.get("protected", [])]


@dataclass(frozen=True)
class Group:
    """A group of users with the same value of an attribute: their number, mean price index and its interval."""

    name: str
    users: int
    price_index: float
    low: float
    high: float


@dataclass(frozen=True)
class Gap:
    """A difference between two groups.

    gap: how much more the dearer group pays, as a share of the mean basket. proven: the part of it that is more than
    chance.
    """

    dearer: str
    cheaper: str
    gap: float
    proven: float


def price_index(folder: Path, visits: pl.DataFrame) -> pl.DataFrame:
    """Return segment_id and price_index of a scored version in the long layout; visits: segment_id and visits.

    The index is null where nothing is expected to sell. Raises InputError for a version in the wide layout, which has
    no expected units.
    """
    rows = scan_prices(folder)
    if "expected_units" not in rows.collect_schema():
        raise InputError(f"the audit of prices needs score.layout=long, found {folder} in another: score again")
    visits = visits.with_columns(pl.col("segment_id").cast(rows.collect_schema()["segment_id"]))
    rows = rows.join(visits.lazy(), on="segment_id").with_columns(pl.col("price").cast(pl.Float64))
    weighed = rows.group_by("product_id").agg(
        bought=(pl.col("expected_units").cast(pl.Float64) * pl.col("visits")).sum(),
        mean=(pl.col("price") * pl.col("visits")).sum() / pl.col("visits").sum(),
    )
    paid = rows.join(weighed, on="product_id").group_by("segment_id").agg(
        (pl.col("bought") * pl.col("price")).sum() / (pl.col("bought") * pl.col("mean")).sum()
    )  # fmt: skip
    index = paid.select("segment_id", price_index=pl.col("bought").fill_nan(None).round_sig_figs(DIGITS))
    return collect_prices(index, folder).sort("segment_id")


def audit(
    index: pl.DataFrame, user_segments: pl.DataFrame, users: pl.DataFrame, fairness: Fairness
) -> dict[str, object]:
    """Return the content of fairness.json: by attribute the groups, the largest gap, and whether it is too wide.

    index: from price_index. user_segments: user_id, segment_id. users: user_id and the protected attributes. Where a
    largest gap is set, prices are also refused for an attribute by which no group has an index (is_compared).
    """
    members = user_segments.select("user_id", pl.col("segment_id").cast(index.schema["segment_id"]))
    attributes = set_apart(users, ("user_id",))
    known = members.join(index, on="segment_id").join(attributes, on="user_id")
    compared = {name: _compare(known, name_apart(name, ("user_id",)), fairness.max_gap) for name in fairness.attributes}
    return {
        "users": known.height,
        "users_without_prices_or_attributes": user_segments.height - known.height,
        "confidence": CONFIDENCE,
        "max_gap": fairness.max_gap,
        "is_refused": any(
            bool(entry["is_too_wide"]) or (fairness.max_gap is not None and not entry["is_compared"])
            for entry in compared.values()
        ),
        "attributes": compared,
    }


def require_attributes(fairness: Fairness, users: pl.LazyFrame) -> None:
    """Raise InputError unless the users' table has the protected attributes, and their values can form groups."""
    schema, attributes = users.collect_schema(), fairness.attributes
    missing = [name for name in attributes if name not in schema]
    if missing:
        raise InputError(
            f"fairness.protected must name columns of {fairness.users}, found {', '.join(missing)} but only "
            f"{', '.join(schema.names())}: mend it"
        )
    others = [name for name in attributes if not (has_order(schema[name]) or holds_words(schema[name]))]
    if others:
        raise InputError(
            f"fairness.protected must name columns of text, numbers or dates in {fairness.users}, found "
            f"{', '.join(f'{name} of {schema[name]}' for name in others)}: convert the column, or leave it out"
        )
    for name in (name for name in attributes if not has_order(schema[name])):
        count = collect(users.select(pl.col(name).drop_nulls().n_unique()), fairness.users).item()
        if count > MOST_NAMES:
            raise InputError(
                f"fairness.protected must name columns of text with at most {MOST_NAMES} values in {fairness.users}, "
                f"found {name} with {count}: group its values, or leave it out"
            )


def write_audit(content: dict[str, object], folder: Path) -> Path:
    """Write fairness.json into the record of a version's folder, completely or not at all; return its path."""
    path = folder / FAIRNESS
    with replacing_file(path) as fresh:
        fresh.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    return path


def _compare(users: pl.DataFrame, attribute: str, max_gap: float | None) -> dict[str, object]:
    """Return the groups of an attribute, dearest first, and the pair of groups with the largest gap beyond chance."""
    known = users.select(group=_group_of(users[attribute]), index="price_index").drop_nulls()
    spread = known.select(pl.col("index").std()).item()  # few users of a group may all be in one segment, by chance
    found = known.group_by("group").agg(pl.len(), pl.col("index").mean(), error=spread / pl.len().sqrt())
    rows = found.filter(pl.col("len") > 1).sort("index", "group", descending=[True, False]).rows()
    once = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    groups = [Group(name, users, mean, mean - once * error, mean + once * error) for name, users, mean, error in rows]
    pairs = list(itertools.combinations(rows, 2))
    wide = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2 / max(len(pairs), 1))
    gaps = [
        Gap(dear[0], cheap[0], dear[2] - cheap[2], max(dear[2] - cheap[2] - wide * math.hypot(dear[3], cheap[3]), 0.0))
        for dear, cheap in pairs
    ]
    worst = max(gaps, key=lambda gap: (gap.proven, gap.gap), default=None)
    return {
        "groups": [asdict(group) for group in groups],
        "users_of_no_group": users.height - sum(group.users for group in groups),
        "is_compared": bool(groups),
        "largest_gap": None if worst is None else asdict(worst),
        "is_too_wide": max_gap is not None and worst is not None and worst.proven > max_gap,
    }


def _group_of(values: pl.Series) -> pl.Series:
    """Return the name of each value's group: its quartile for more than MOST_GROUPS numbers or dates, else the value.

    The bounds of quartiles are values of the column: the smallest ones with 25, 50 and 75 % of the values up to them.
    """
    values = values.fill_nan(None) if values.dtype.is_float() else values
    known = values.drop_nulls().sort()
    if not has_order(values.dtype) or known.n_unique() <= MOST_GROUPS:
        return _text(values)
    edges = known.gather([math.ceil(known.len() * part) - 1 for part in QUARTILES]).unique().sort()
    bounds = _text(edges)
    names = pl.concat(["up to " + bounds, "above " + bounds.tail(1)])
    return names.gather(edges.search_sorted(values)).set(values.is_null(), None)


def _text(values: pl.Series) -> pl.Series:
    return values.dt.to_string() if values.dtype == pl.Duration else values.cast(pl.String)
