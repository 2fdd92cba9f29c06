"""The gate on what people decided: a version whose moves are not approved, or lacks what was decided, stays back."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.checks import require_flag, require_number
from gpu_pricer.gates.outcome import APPROVAL, Outcome
from gpu_pricer.tables.version.decisions import (
    ACCEPT,
    CHANGES,
    OVERRIDE,
    REJECT,
    read_decided,
    read_decisions,
    standing_decisions,
)
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.proposals import read_proposals
from gpu_pricer.tables.version.version_files import categories_of

NONE, ALL, SOME = "none", "all", "some"
ASKS = (NONE, ALL, SOME)
OPEN, STALE = "open", "stale"
"""The states of a product that is asked about and not decided: nobody decided yet, or somebody did about others."""
MOST_NAMED = 3
EARLIER = {"decision": "earlier", "who": "earlier_who", "when": "earlier_when"}


@dataclass(frozen=True)
class Approval:
    """Which products people decide on before a version is published.

    asks: none of them, all whose price moves in a segment, or some of these: those of which a segment's price moves by
    more than the share moves_above, and those of the categories. off_shelf: whether products that nobody can buy now
    are asked about too.
    """

    asks: str
    moves_above: float
    categories: Sequence[str]
    off_shelf: bool

    def __post_init__(self) -> None:
        if self.asks not in ASKS:
            raise ValueError(f"publish.approval.asks must be {', '.join(ASKS)}, found {self.asks!r}")
        require_number("publish.approval.moves_above", self.moves_above, least=0)
        require_flag("publish.approval.off_shelf", self.off_shelf)
        is_list = isinstance(self.categories, Sequence) and not isinstance(self.categories, str)
        if not is_list or not all(isinstance(name, str) for name in self.categories):
            raise ValueError(f"publish.approval.categories must be a list of category_ids, found {self.categories!r}")

    @property
    def is_asked(self) -> pl.Expr:
        """Whether a product is asked about, over a table with `move`, is_on_shelf and category_id."""
        if self.asks == NONE:
            return pl.lit(False)
        is_moved = (pl.col("move") > 0) & (pl.col("is_on_shelf") | self.off_shelf)
        if self.asks == ALL:
            return is_moved
        is_named = pl.col("category_id").is_in([*self.categories]).fill_null(False)
        return is_moved & ((pl.col("move") > self.moves_above) | is_named)


class Standing(NamedTuple):
    """How the products of a version stand with people.

    products: a row each: category_id, and product_id, today, low, high, move, is_on_shelf and proposal as in
    read_proposals; is_asked; `decision`, `price`, `who`, `when` and `note` of the decision that holds, null without
    one; `earlier`, the last decision about other prices that was not taken back, with earlier_who and earlier_when; and
    `state`: the decision, or OPEN or STALE where one is asked for, else null. For a product whose price was decided the
    proposal is what the decision was about.
    unapplied: the products whose decision the version's prices do not contain.
    """

    products: pl.DataFrame
    unapplied: pl.DataFrame


def proposals_of(folder: Path, version: PriceVersion) -> pl.DataFrame:
    """Return read_proposals of the version in a folder, with the category_id of its catalog."""
    categories = categories_of(folder)
    if categories is None:
        categories = pl.DataFrame(schema={"product_id": pl.String, "category_id": pl.String})
    return read_proposals(folder, version).join(categories, on="product_id", how="left", maintain_order="left")


def standing_of(proposals: pl.DataFrame, log: pl.DataFrame, applied: pl.DataFrame, approval: Approval) -> Standing:
    """Return how products stand; log: from read_decisions; applied: the decisions that the prices contain."""
    key = ["product_id", "proposal"]
    was = applied.select("product_id", was="proposal", had="decision", had_price="price")
    table = proposals.join(was, on="product_id", how="left", maintain_order="left").with_columns(
        is_asked=approval.is_asked | pl.col("was").is_not_null(), proposal=pl.coalesce("was", "proposal")
    )
    standing = standing_decisions(log).drop("run")
    table = table.join(standing, on=key, how="left", maintain_order="left")
    others = standing.sort("when", maintain_order=True).join(
        table.select(key), on=key, how="anti", maintain_order="left"
    )
    earlier = others.group_by("product_id", maintain_order=True).agg(
        pl.col(name).last().alias(alias) for name, alias in EARLIER.items()
    )
    table = table.join(earlier, on="product_id", how="left", maintain_order="left")
    undecided = pl.when(pl.col("earlier").is_null()).then(pl.lit(OPEN)).otherwise(pl.lit(STALE))
    table = table.with_columns(state=pl.coalesce("decision", pl.when(pl.col("is_asked")).then(undecided)))
    change = pl.when(pl.col("decision").is_in(CHANGES)).then("decision")
    price = pl.when(pl.col("decision") == OVERRIDE).then("price")
    is_contained = change.eq_missing(pl.col("had")) & price.eq_missing(pl.col("had_price"))
    return Standing(table.drop("was", "had", "had_price"), table.filter(~is_contained))


class Approved(NamedTuple):
    """The outcome of the gate, None where it does not apply, and the decisions that hold for the version."""

    outcome: Outcome | None
    decided: pl.DataFrame


def approval_outcome(prices: Path, folder: Path, version: PriceVersion, approval: Approval) -> Approved:
    """Return what the gate finds of the version in a folder.

    Where publish.approval asks nobody, the gate still applies to a version about which somebody decided, so that a
    rejected price is never published for want of a setting. Decisions beside the version count like those in `prices`.
    """
    log = read_decisions(prices, folder.parent)
    if approval.asks == NONE and (version.layout != "long" or log.is_empty()):
        return Approved(None, read_decided(folder))
    proposals, applied = proposals_of(folder, version), read_decided(folder)
    products, unapplied = standing_of(proposals, log, applied, approval)
    decided = products.filter(pl.col("decision").is_not_null()).with_columns(run=pl.lit(version.run))
    if approval.asks == NONE and decided.is_empty() and unapplied.is_empty():
        return Approved(None, decided)
    return Approved(_outcome(products, unapplied, approval), decided)


def has_earlier_decisions(prices: Path, folder: Path, version: PriceVersion, approval: Approval) -> bool:
    """Return whether the version in a folder lacks prices that people decided about the same proposals of earlier ones.

    False where people are asked, or somebody has decided about this very version: then they go on with `review`.
    """
    log = read_decisions(prices)
    if approval.asks != NONE or version.layout != "long" or log.is_empty() or (log["run"] == version.run).any():
        return False
    proposals = proposals_of(folder, version)
    return not standing_of(proposals, log, read_decided(folder), approval).unapplied.is_empty()


def _outcome(products: pl.DataFrame, unapplied: pl.DataFrame, approval: Approval) -> Outcome:
    waiting, asked = products.filter(pl.col("state").is_in([OPEN, STALE])), products.filter("is_asked").height
    rule = "every price that publish.approval asks about must be decided and be as decided"
    remedy = "decide with gpu-pricer explore or gpu-pricer review"
    if waiting.height:
        stale = int((waiting["state"] == STALE).sum())
        found = f"{waiting.height} of {asked} products undecided"
        detail = _named(waiting) + (f", {stale} of them decided before at other prices" if stale else "")
    elif unapplied.height:
        found, detail = f"{unapplied.height} products priced otherwise than decided", _named(unapplied)
        remedy = "run gpu-pricer review, which makes the version that has the decided prices"
    else:
        found, detail = f"{asked} products decided", ""
    is_passed = waiting.is_empty() and unapplied.is_empty()
    return Outcome(APPROVAL, rule, found, approval.asks, is_passed, detail, remedy)


def told_of(decided: pl.DataFrame) -> str:
    """Return who accepted, rejected and overrode how many prices, as Delta's log says it, "" for nobody."""
    words = {ACCEPT: "accepted", REJECT: "rejected", OVERRIDE: "overrode"}
    parts = []
    for who in decided["who"].unique().sort():
        mine = decided.filter(pl.col("who") == who)
        acts = []
        for decision, word in words.items():
            ids = mine.filter(pl.col("decision") == decision)["product_id"].to_list()
            if ids and decision != ACCEPT:
                acts.append(f"{word} {', '.join(ids[:MOST_NAMED])}{_and_more(ids)}")
            elif ids:
                acts.append(f"{word} {len(ids)}")
        parts.append(f"{who} {', '.join(acts)}")
    return "; ".join(parts)


def _and_more(ids: list[str]) -> str:
    return f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""


def _named(products: pl.DataFrame) -> str:
    return f", such as {', '.join(products['product_id'].head(MOST_NAMED))}"
