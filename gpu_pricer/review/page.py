"""The page on which people decide: what it adds up to, a choice of products, and a card for each."""

from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.resources import files
from typing import Any

from nicegui import ui

from gpu_pricer.errors import InputError
from gpu_pricer.report.words import number
from gpu_pricer.review.card import add_card
from gpu_pricer.review.desk import Desk
from gpu_pricer.review.elements import main_button, text
from gpu_pricer.review.panel import ProductPanel
from gpu_pricer.review.publication import PublicationDialog
from gpu_pricer.review.selection import ANY_CATEGORY, DIRECTIONS, ORDERS, SHOWN, Selection
from gpu_pricer.review.summary import add_summary
from gpu_pricer.tables.artefact import sales_age
from gpu_pricer.tables.version.decisions import ACCEPT

LABELS = {"shown": "Show", "category": "Category", "direction": "Direction", "order": "Sort by"}


class DeskPage:
    """One person's view of the desk in one browser tab; rows: products shown at once; publish: see serve."""

    def __init__(self, desk: Desk, rows: int, publish: Callable[[], list[str]]) -> None:
        self.desk, self.rows, self.selection = desk, rows, Selection()
        self.panel, self.publication = ProductPanel(desk, self.decide), PublicationDialog(desk, publish)

    def build(self) -> None:
        """Lay the page out."""
        self.desk.refresh()
        ui.add_css(files("gpu_pricer.review").joinpath("page.css").read_text())
        version = self.desk.scored.version
        with ui.element("header").classes("top"), ui.element("div").classes("bar"):
            with ui.element("div"):
                text("Decide on prices", "h1")
                sales = sales_age(self.desk.scored.artefact.info, date.fromisoformat(version.day))
                told = f"{version.run} · prices set on {version.day} · last sales of {sales.end}"
                text(f"{told} · you decide as {self.desk.who}", "p").classes("sub")
                if sales.warning is not None:
                    text(f"Old sales: {sales.warning}.", "p").classes("old-sales").props("role=alert")
            main_button("Publish …", self.publication.open)
        with ui.element("div").classes("desk"):
            self.summary()
            self.filters()
            self.products()
        self.panel.build()

    @ui.refreshable_method
    def summary(self) -> None:
        """Show how much is decided and what it adds up to."""
        add_summary(self.desk)

    def filters(self) -> None:
        """Lay out what a person filters and sorts by."""
        categories = self.desk.figures["category_id"].drop_nulls().unique().sort().to_list()
        options = {
            "shown": list(SHOWN),
            "category": [ANY_CATEGORY, *categories],
            "direction": list(DIRECTIONS),
            "order": list(ORDERS),
        }
        with ui.element("section").classes("filters").props('aria-label="Filters"'):
            search = ui.input("Search", on_change=partial(self.choose, "words"))
            search.props("outlined dense clearable debounce=150 type=search").classes("search")
            for name, values in options.items():
                chosen = getattr(self.selection, name)
                choice = ui.select(values, value=chosen, label=LABELS[name], on_change=partial(self.choose, name))
                choice.props(f"outlined dense options-dense for=choose-{name}")

    def choose(self, name: str, event: Any) -> None:
        """Change one choice of the selection and go back to its first page."""
        setattr(self.selection, name, event.value or getattr(Selection(), name))
        self.turn(0)

    def turn(self, page: int) -> None:
        """Show another page of the chosen products."""
        self.selection.page = page
        self.products.refresh()

    @ui.refreshable_method
    def products(self) -> None:
        """Show one page of the chosen products; the last one where the page is empty by now."""
        table = self.selection.of(self.desk)
        self.selection.page = min(self.selection.page, max(table.height - 1, 0) // self.rows)
        first = self.selection.page * self.rows
        shown = table.slice(first, self.rows)
        with ui.element("section").props('aria-label="Products"'):
            self._add_count(table["product_id"].to_list(), first, shown.height)
            with ui.element("ul").classes("list"):
                for row in shown.iter_rows(named=True):
                    add_card(row, self.desk.scored.version.currency, self.panel.open, self.decide)
            self._add_pages(table.height)

    def _add_count(self, ids: list[str], first: int, shown: int) -> None:
        ends = f"{first + 1}–{first + shown} of " if len(ids) > shown else ""
        with ui.element("div").classes("count-line"):
            words = f"{ends}{number(len(ids))} product{'' if len(ids) == 1 else 's'}"
            text(words, "p").classes("count").props("role=status")
            undecided = {*self.desk.standing.filter(self.desk.standing["decision"].is_null())["product_id"]}
            open_ids = [name for name in ids if name in undecided]
            if len(open_ids) > 1:
                label = f"Accept all {number(len(open_ids))}"
                ui.button(label, on_click=partial(self.accept_all, open_ids)).props("flat no-caps dense")

    def _add_pages(self, count: int) -> None:
        last, page = max(count - 1, 0) // self.rows, self.selection.page
        if not last:
            return
        with ui.element("nav").classes("pages").props('aria-label="Pages"'):
            for label, other in (("Previous", page - 1), ("Next", page + 1)):
                button = ui.button(label, on_click=partial(self.turn, other)).props("outline no-caps dense")
                button.set_enabled(0 <= other <= last)

    def decide(self, product_id: str, decision: str, price: float | None = None, note: str = "") -> bool:
        """Record a decision about one product, and return whether it could be."""
        return self._record([product_id], decision, price, note)

    async def accept_all(self, ids: list[str]) -> None:
        """Accept the proposed prices of products, after a question."""
        with ui.dialog().props('aria-label="Accept all"') as dialog, ui.card().classes("ask"):
            text(f"Accept the proposed prices of {number(len(ids))} products?", "p")
            with ui.row():
                main_button("Accept them", lambda: dialog.submit(True))
                ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat no-caps")
        if await dialog:
            self._record(ids, ACCEPT)

    def _record(self, ids: list[str], decision: str, price: float | None = None, note: str = "") -> bool:
        """Record a decision and show it; where it cannot be recorded, the page says why."""
        try:
            self.desk.decide(ids, decision, price, note)
        except (InputError, OSError) as error:
            ui.notify(str(error), type="negative", timeout=10_000, close_button="Close")
            return False
        self.summary.refresh()
        self.products.refresh()
        return True
