"""Elements that the parts of the page share."""

from collections.abc import Callable

from nicegui import ui


def text(content: str, tag: str) -> ui.label:
    """Add an element with text, which the browser never reads as HTML."""
    element = ui.label(content)
    element.tag = tag
    return element


def main_button(label: str, act: Callable[[], object] | None = None) -> ui.button:
    """Add the button of what a person mostly came for; without Quasar's colours, which no style sheet overrules."""
    button = ui.button(label, on_click=act, color=None)
    button.props("unelevated no-caps").classes("primary")
    return button
