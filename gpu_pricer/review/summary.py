"""The head of the page: how much is decided, and what the decisions add up to."""

from nicegui import ui

from gpu_pricer.report.words import money, number, percent
from gpu_pricer.review.desk import Desk
from gpu_pricer.review.elements import text


def add_summary(desk: Desk) -> None:
    """Add the cards."""
    counts, totals, version = desk.counts(), desk.totals(), desk.scored.version
    stale = f", {number(counts.stale)} of them decided before at other prices" if counts.stale else ""
    decided = counts.accepted + counts.rejected + counts.overridden
    kinds = f"{number(counts.accepted)} accepted, {number(counts.rejected)} rejected"
    with ui.element("section").classes("cards").props('aria-label="Summary"'):
        _add_card("To decide", number(counts.waiting), f"of {number(counts.asked)} that need a decision{stale}")
        _add_card("Decided", number(decided), f"{kinds}, {number(counts.overridden)} set by hand")
        profit = money(totals.profit_decided - totals.profit_proposed, version.currency, signed=True)
        _add_estimate(f"Profit{version.after_vat}", totals.profit_decided, totals.profit_today, profit)
        units = number(totals.units_decided - totals.units_proposed, 1, signed=True)
        _add_estimate("Units", totals.units_decided, totals.units_today, units)


def _add_estimate(name: str, value: float, today: float, by_decisions: str) -> None:
    share = value / today - 1 if today > 0 else None
    with _add_card(
        f"{name} against today", percent(share), f"in a period; decisions so far change it by {by_decisions}"
    ):
        text(" model's estimate", "em").classes("estimate")


def _add_card(title: str, value: str, detail: str) -> ui.element:
    """Add a card and return its last line."""
    with ui.element("div").classes("card"):
        text(title, "h2").classes("title")
        text(value, "div").classes("value")
        with ui.element("p").classes("detail") as last:
            text(detail, "span")
    return last
