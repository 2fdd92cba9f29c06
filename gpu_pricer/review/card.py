"""The card of one product: its prices, what they lead to, why, what was decided, and the buttons to decide."""

from collections.abc import Callable
from functools import partial

from nicegui import ui

from gpu_pricer.gates.approval import OPEN, STALE
from gpu_pricer.report.words import money, number, percent
from gpu_pricer.report.words import price as price_words
from gpu_pricer.review.elements import text
from gpu_pricer.review.sheet import reason_words
from gpu_pricer.tables.version.decisions import ACCEPT, OVERRIDE, REJECT, REOPEN

STATE_WORDS = {
    OPEN: "open",
    STALE: "decided before",
    ACCEPT: "accepted",
    REJECT: "rejected",
    OVERRIDE: "set by hand",
    REOPEN: "reopened",
}
STATE_LOOKS = {OPEN: "plain", STALE: "warn", ACCEPT: "good", REJECT: "bad", OVERRIDE: "hand"}


def add_card(row: dict, currency: str, show: Callable[[str], None], decide: Callable[[str, str], object]) -> None:
    """Add the card of a row of Selection.of; show: opens the product's panel; decide: product and decision."""
    name = row["product_id"].replace("\\", "\\\\").replace('"', '\\"')
    with ui.element("li").classes("item").props(f'data-product="{name}"'):
        with ui.element("div").classes("who"):
            with ui.element("button").classes("link").on("click", partial(show, row["product_id"])):
                text(row["name"] or row["product_id"], "span")
            text(
                " · ".join(filter(None, (row["product_id"] if row["name"] else "", row["category_id"]))), "span"
            ).classes("meta")
        with ui.element("div").classes("move"):
            text(_prices(row), "span").classes("prices")
            if row["direction"] is not None:
                text(percent(row["move"]), "span").classes(f"tag {row['direction']}")
        text(_change(row, currency), "div").classes("sum")
        text(reason_words(row), "p").classes("why")
        _add_answer(row, show, decide)


def _add_answer(row: dict, show: Callable[[str], None], decide: Callable[[str, str], object]) -> None:
    product_id, decision = row["product_id"], row["decision"]
    with ui.element("div").classes("answer"):
        if row["state"] is not None:
            at = f" at {price_words(row['decided_price'])}" if decision == OVERRIDE else ""
            text(STATE_WORDS[row["state"]] + at, "span").classes(f"badge {STATE_LOOKS[row['state']]}")
        text(_said(row), "span").classes("meta")
        with ui.element("span").classes("buttons"):
            for label, word in (("Accept", ACCEPT), ("Reject", REJECT)):
                button = ui.button(label, on_click=partial(decide, product_id, word)).props("outline no-caps dense")
                button.props(f"aria-pressed={'true' if decision == word else 'false'}").classes("decide")
            ui.button("Set price …", on_click=partial(show, product_id)).props("outline no-caps dense").classes(
                "decide"
            )
            if decision is not None:
                ui.button("Undo", on_click=partial(decide, product_id, REOPEN)).props("flat no-caps dense")


def _prices(row: dict) -> str:
    """Return today's price and the new ones."""
    ends = [price_words(end) for end in dict.fromkeys((row["low"], row["high"]))]
    return f"{price_words(row['today'])} → {' – '.join(ends)}"


def _change(row: dict, currency: str) -> str:
    if row["units"] is None:
        return "not on the shelf"
    profit, units = row["profit"] - row["profit_today"], row["units"] - row["units_today"]
    return f"{money(profit, currency, signed=True)} profit, {number(units, 1, signed=True)} units"


def _said(row: dict) -> str:
    """Return who decided and why; of a product without a decision, what was decided before about other prices."""
    if row["decision"] is not None:
        when = row["when"][:16].replace("T", " ")
        return f"{row['who']}, {when} UTC" + (f": {row['note']}" if row["note"] else "")
    if row["earlier"] is not None:
        before = STATE_WORDS[row["earlier"]]
        return f"{before} by {row['earlier_who']} on {row['earlier_when'][:10]}, when the prices were others"
    return ""
