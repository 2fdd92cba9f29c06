"""The figure of a frontier labels today's prices, the policy's, and the cost of more of the measure."""

import xml.etree.ElementTree as ET

import polars as pl
import pytest

from gpu_pricer.evaluation.frontier_plot import draw_frontier

STEPS = [0.0, 0.0, 0.1, 0.2, 0.3]  # a constraint keeps the measure the same at the first multipliers


def table(measure: str, earned: str = "profit") -> pl.DataFrame:
    """Return today's row, then five points of which the first two are equal."""
    rows = {
        "multiplier": [None, 0.0, 0.25, 0.5, 0.75, 1.0],
        "units": [90.0, *(100 * (1 + step) for step in STEPS)],
        "revenue": [190.0, *(200 * (1 - step) for step in STEPS)],
        "profit": [70.0, *(80 * (1 - step**2) for step in STEPS)],
    }
    found = pl.DataFrame(rows).with_columns(margin_rate=pl.lit(0.4) + pl.col("multiplier").fill_null(0.0) / 10)
    found = found.with_columns(price_index=1.05 - pl.Series([0.05, *STEPS]) / 3)
    return found.with_columns(objective=pl.col(earned))


def texts_of(path) -> list[str]:
    return [element.text for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(
    ("measure", "earned", "labels"),
    [
        ("units", "profit", {"units of a period", "profit of a period, USD", "0.5 USD per unit", "% over today's"}),
        ("profit", "revenue", {"profit of a period, USD", "revenue of a period, USD"}),
        ("margin_rate", "profit", {"margin rate of a period, profit / revenue", "percentage points over today's"}),
        ("price_index", "profit", {"price index of a period, today's prices = 100%", "0.005 USD per percentage point"}),
    ],
)
def test_axes_and_points_are_named(tmp_path, measure, earned, labels):
    draw_frontier(tmp_path / "frontier.svg", table(measure, earned), measure, "USD")

    assert labels | {"policy", "today's prices"} <= set(texts_of(tmp_path / "frontier.svg"))


def test_points_equal_to_the_policys_have_no_label(tmp_path):
    draw_frontier(tmp_path / "frontier.svg", table("units"), "units", "USD")

    labels = [text for text in texts_of(tmp_path / "frontier.svg") if "USD per unit" in text]
    assert labels == ["0.5 USD per unit", "0.75 USD per unit", "1 USD per unit"]


def test_a_frontier_of_one_point_can_be_drawn(tmp_path):
    draw_frontier(tmp_path / "frontier.svg", table("units")[:3], "units", "USD")

    assert "policy" in texts_of(tmp_path / "frontier.svg")
