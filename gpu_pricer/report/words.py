"""What the report calls the bounds and gates of a run, in the words of a pricing manager."""

from collections.abc import Mapping

from gpu_pricer.policy.rule_words import rule_words

BOUND_WORDS: Mapping[str, str] = {
    "anchor": "limit on moves over several weeks",
    "below_list_price": "list price",
    "ceiling_column": "ceilings of products",
    "floor_column": "floors of products",
    "family_column": "one price for each family",
    "frozen": "frozen prices",
    "min_change": "least move worth making",
    "max_changes": "budget of changes",
}
"""Keys of policy.bounds that are not rules of the price table's column binding."""

GATE_WORDS: Mapping[str, str] = {
    "max_share_moved": "Share of prices that move",
    "max_mean_move": "Mean size of the moves",
    "max_share_beyond_moves": "Share of prices beyond a limit on moves",
    "max_single_move": "Largest move of a single price, up or down",
    "max_share_missing": "Share of published products without a price now",
    "same_columns": "The table keeps its columns",
    "same_currency": "The currency stays",
    "max_share_changed": "Share of prices that differ from the published ones",
    "max_share_far": "Share of prices far from the published ones",
    "max_category_share_changed": "Share of changed prices in the category with the most",
    "max_category_change": "Mean size of the changes in the category that changes most",
    "max_loss_increase": "Predictions get no worse than the published model's",
    "no_older_sales": "Sales reach as far as those behind the published prices",
    "no_withdrawn_products": "Products that events withdrew stay out",
    "certificate": "Limits on the assortment are met",
    "audit": "Fairness audit",
    "approval": "People have decided",
}
"""Every gate; a number that it finds is a share, of max_single_move a factor − 1: new / old, of a fall old / new."""

MEASURE_WORDS: Mapping[str, str] = {
    "units": "Units",
    "revenue": "Revenue",
    "profit": "Profit",
    "margin_rate": "Margin rate",
    "price_index": "Price index",
}


def gate_words(gate: str) -> str:
    """Return the words for a gate of publish.gates."""
    return GATE_WORDS.get(gate, gate.replace("_", " "))


def cost_words(rule: str) -> str:
    """Return the words for a key of the certificate's costs, such as bounds.max_increase or constraints.keep_units."""
    kind, _, name = rule.partition(".")
    if not name:
        return {"ladder": "price endings", "category_ladders": "price endings of categories"}.get(kind, kind)
    if kind == "bounds":
        return BOUND_WORDS.get(name) or rule_words(name)
    return f"limit {name}"


def percent(value: float | None, digits: int = 1, signed: bool = True) -> str:
    """Return a share as text, such as +3.2 %; a dash for None."""
    if value is None:
        return "–"
    rounded = round(100 * value, digits) + 0.0  # no minus zero
    return f"{rounded:{'+' if signed and rounded else ''},.{digits}f} %".replace("-", "−")


def money(value: float | None, currency: str = "", signed: bool = False) -> str:
    """Return an amount as text: cents below a thousand, whole units from there; a dash for None."""
    if value is None:
        return "–"
    digits = 2 if abs(value) < 1000 else 0
    return f"{value:{'+' if signed else ''},.{digits}f} {currency}".replace("-", "−").strip()


def number(value: float | None, digits: int = 0, signed: bool = False) -> str:
    """Return a number as text, with thousands; a dash for None."""
    return "–" if value is None else f"{value:{'+' if signed else ''},.{digits}f}".replace("-", "−")


def measure_words(measure: str, after_vat: str = "") -> str:
    """Return the words for a measure of a limit on the assortment; after_vat: of the version, follows sums of money."""
    words = MEASURE_WORDS.get(measure, measure.replace("_", " "))
    return f"{words}{after_vat}" if measure in ("profit", "revenue") else words


def gate_value(value: float | str, gate: str = "") -> str:
    """Return what a gate found, or its limit, as text: a number is a share, of max_single_move a factor − 1."""
    if not isinstance(value, int | float):
        return str(value)
    return f"factor {1 + value:,.2f}" if gate == "max_single_move" else percent(value, 2, signed=False)


def gate_limit(limit: float | str, gate: str = "") -> str:
    """Return the limit of a gate as text; that on the certificate is the weakest status that passes."""
    return "met or relaxed" if limit == "relaxed" else gate_value(limit, gate)


def price(value: float) -> str:
    """Return a price as text."""
    return f"{value:,.2f}"


def amount(value: float) -> str:
    """Return a number of any size as text: whole from a thousand, else four digits."""
    return number(value) if abs(value) >= 1000 else f"{value:.4g}".replace("-", "−")
