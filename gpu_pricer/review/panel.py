"""The panel of one product: move its price, see at once what that leads to, and decide with a note."""

from collections.abc import Callable

from nicegui import ui

from gpu_pricer.report.words import money, number, percent
from gpu_pricer.report.words import price as price_words
from gpu_pricer.review.consequences import Consequence
from gpu_pricer.review.desk import Desk
from gpu_pricer.review.elements import main_button, text
from gpu_pricer.tables.price_table import CENTS
from gpu_pricer.tables.version.decisions import ACCEPT, OVERRIDE, REJECT

WIDER = 0.25
"""Share of today's price by which the slider reaches beyond today's and the proposed prices."""

Outcome = tuple[str, Callable[[Consequence], float], Callable[[float], str]]
"""A row of the table of consequences: the title, what is shown, and its words."""


def outcomes(after_vat: str) -> list[Outcome]:
    """Return the rows of the table of consequences; after_vat: see PriceVersion."""
    return [
        ("Units", lambda found: found.product.units, lambda units: number(units, 1)),
        (f"Profit{after_vat}", lambda found: found.product.profit, money),
        ("Category's units", lambda found: found.category.units, lambda units: number(units, 1)),
        (f"Category's revenue{after_vat}", lambda found: found.category.revenue, money),
        (f"Category's profit{after_vat}", lambda found: found.category.profit, money),
    ]


class ProductPanel:
    """The panel in one browser tab.

    decide: records a decision about a product, with a price and a note, and returns whether it could be.
    """

    def __init__(self, desk: Desk, decide: Callable[[str, str, float | None, str], bool]) -> None:
        self.desk, self.decide = desk, decide
        self.product_id: str | None = None
        self.price = 0.0

    def build(self) -> None:
        """Lay out the empty panel."""
        with ui.dialog().props("aria-label=Product") as self.dialog, ui.card().classes("panel"):
            self.content()

    def open(self, product_id: str) -> None:
        """Show a product, with the price that was set by hand, or the mean proposed one."""
        self.product_id = product_id
        row = self._row()
        decided = self.desk.changes.get(product_id)
        is_set = decided is not None and decided["decision"] == OVERRIDE
        proposed = row["low"] if row["price"] is None else row["price"]
        self.price = decided["price"] if is_set and decided else self.desk.guardrails.rung(row["row"], proposed)
        self.content.refresh()
        self.dialog.open()

    def _row(self) -> dict:
        return self.desk.figures.filter(self.desk.figures["product_id"] == self.product_id).row(0, named=True)

    @ui.refreshable_method
    def content(self) -> None:
        """Show the product, its price to move, what that leads to, and the buttons."""
        if self.product_id is None:
            return
        row = self._row()
        with ui.element("div").classes("panel-head"):
            with ui.element("div"):
                text(row["name"] or row["product_id"], "h2")
                text(
                    " · ".join(filter(None, (row["product_id"] if row["name"] else "", row["category_id"]))), "p"
                ).classes("meta")
            ui.button(icon="close", on_click=self.dialog.close).props('flat round dense aria-label="Close"')
        low, high = self._ends(row)
        with ui.element("div").classes("mover"):
            field = ui.number(
                "Price in all segments", value=self.price, step=0.01, format="%.2f", on_change=self._moved
            )
            field.props("outlined dense for=price debounce=100")
            slider = ui.slider(min=low, max=high, step=0.01, value=min(max(self.price, low), high))
            slider.props('aria-label="Price in all segments" label').classes("slider")
            slider.on_value_change(lambda event: field.set_value(round(event.value, 2)))
        self.outcome()
        note = ui.input("Note", placeholder="why, for the record").props("outlined dense for=note")
        with ui.element("div").classes("buttons"):
            main_button("Set this price", lambda: self._decide(OVERRIDE, note.value))
            ui.button("Accept proposal", on_click=lambda: self._decide(ACCEPT, note.value)).props("outline no-caps")
            reject = ui.button("Reject, keep today's", on_click=lambda: self._decide(REJECT, note.value))
            reject.props("outline no-caps")
        self.segments(row)

    def _ends(self, row: dict) -> tuple[float, float]:
        low, high = min(row["today"], row["low"]), max(row["today"], row["high"])
        reach = WIDER * row["today"]
        return max(round(low - reach, 2), 0.01), round(high + reach, 2)

    def _moved(self, event: object) -> None:
        value = getattr(event, "value", None)
        if value is not None:
            self.price = float(value)
            self.outcome.refresh()

    @ui.refreshable_method
    def outcome(self) -> None:
        """Show what the price leads to, beside today's and the proposed prices."""
        assert self.product_id is not None
        verdict = self.desk.guardrails.verdict(self._row()["row"], self.price)
        if verdict.refusal:
            text(f"Cannot be set: {verdict.refusal}", "p").classes("alert").props("role=alert")
            return
        for warning in verdict.warnings:
            text(f"Beyond a rule: {warning}", "p").classes("warning")
        today, proposed = self.desk.today(self.product_id), self.desk.consequence(self.product_id, None)
        moved = self.desk.consequence(self.product_id, self.price)
        columns = {"Today": today, "Proposed": proposed, f"At {price_words(self.price)}": moved}
        with ui.element("div").classes("scroll").props('tabindex=0 role=region aria-label="What the price leads to"'):
            self._table(columns, today)
        text("Model's estimate for a period. The category's other prices are as decided so far.", "p").classes("meta")

    def _table(self, columns: dict[str, Consequence], today: Consequence) -> None:
        with ui.element("table").classes("outcome"):
            with ui.element("thead"), ui.element("tr"):
                text(f"In {self.desk.scored.version.currency}", "th")
                for name in columns:
                    text(name, "th").classes("num")
            with ui.element("tbody"):
                for title, read, words in outcomes(self.desk.scored.version.after_vat):
                    with ui.element("tr"):
                        text(title, "td")
                        for found in columns.values():
                            _add_number(read(found), None if found is today else read(today), words)

    def segments(self, row: dict) -> None:
        """Show the proposed price in every segment."""
        scored = self.desk.scored
        ids, cents = scored.problem.segments.segment_id.cast(str).to_list(), scored.price[row["row"]]
        with ui.element("details").classes("segments"):
            text(f"Proposed prices by segment (today {price_words(row['today'])})", "summary")
            with ui.element("ul"):
                for name, price in zip(ids, cents.tolist(), strict=True):
                    text(f"{name}: {price_words(price / CENTS)}", "li")

    def _decide(self, decision: str, note: str) -> None:
        assert self.product_id is not None
        price = self.price if decision == OVERRIDE else None
        if self.decide(self.product_id, decision, price, (note or "").strip()):
            self.dialog.close()


def _add_number(value: float, today: float | None, words: Callable[[float], str]) -> None:
    """Add a cell with a number, and its change where today's is given and above 0."""
    with ui.element("td").classes("num"):
        text(words(value), "span")
        if today is not None and today > 0:
            text(percent(value / today - 1), "span").classes("meta")
