"""What speaks against a version's prices: what the sales show, and how little they tell of the price response."""

from collections.abc import Mapping
from typing import Any

from gpu_pricer.versions.outlook import Outlook

MUCH_UNTAUGHT = 0.25
"""Share of the units in categories that taught no price response, or little of it, from which on it is a doubt."""


def doubts_of(outlook: Outlook | None, summary: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    """Return a sentence on each doubt about the prices of a version, with what can be done.

    outlook: of the version, None where it is not computed. summary: of `prepare`. metrics: of `evaluate`; both are
    empty where they are not at hand.
    """
    of_sales = (metrics.get("price_response") or {}).get("doubts") or []
    return [*(summary.get("doubts") or []), *of_sales, *_of_response(outlook)]


def _of_response(outlook: Outlook | None) -> list[str]:
    """Return what is to say where the log cannot support the prices: of most categories, or of many of the units."""
    if outlook is None:
        return []
    doubts = []
    if 2 * outlook.vague > outlook.categories:
        doubts.append(
            f"most of these categories ({outlook.vague:,} of {outlook.categories:,}) do not identify a price "
            "response: run a price test before these prices (gpu-pricer pricetest)"
        )
    if outlook.untaught >= MUCH_UNTAUGHT:
        doubts.append(
            f"{outlook.untaught:.0%} of the units expected at today's prices are in categories that taught no price "
            "response, because too few periods show the prices of their products: they have the average response; "
            "let more products teach (data.shelf.min_lines, data.occasion_period, train.encoding.teaching)"
        )
    if outlook.borrowed >= MUCH_UNTAUGHT:
        doubts.append(
            f"{outlook.borrowed:.0%} of the units expected at today's prices are in categories whose price response "
            "is more that of other categories than what their own sales tell: a price test teaches it "
            "(gpu-pricer pricetest)"
        )
    return doubts
