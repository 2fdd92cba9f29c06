"""The dialog that says what would be published, and publishes it."""

from collections.abc import Callable

from nicegui import run, ui

from gpu_pricer.report.words import number
from gpu_pricer.review.desk import Desk
from gpu_pricer.review.elements import main_button, text


class PublicationDialog:
    """publish: makes the version as decided and publishes it; returns the lines to show."""

    def __init__(self, desk: Desk, publish: Callable[[], list[str]]) -> None:
        self.desk, self.publish = desk, publish

    def open(self) -> None:
        """Say what would be published."""
        self.desk.refresh()
        counts = self.desk.counts()
        with ui.dialog().props("persistent aria-label=Publish") as dialog, ui.card().classes("ask"):
            text("Publish", "h2")
            text(
                f"{number(counts.accepted)} accepted, {number(counts.rejected)} keep today's price, "
                f"{number(counts.overridden)} set by hand, {number(counts.waiting)} open.",
                "p",
            )
            text("All other prices are published as proposed. Shops that read the price table see them at once.", "p")
            self.said = ui.column().classes("said").props("role=status")
            with ui.row():
                self.go = main_button("Publish now", self.publish_now)
                self.close = ui.button("Close", on_click=dialog.close).props("flat no-caps")
            self.go.set_enabled(not counts.waiting)
        dialog.open()

    async def publish_now(self) -> None:
        """Publish, and show what came of it."""
        self.go.disable()
        self.close.disable()
        lines = await run.io_bound(self.publish) or []  # None while the server ends
        with self.said:
            for line in lines:
                ui.label(line)
        self.close.enable()
