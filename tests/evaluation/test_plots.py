"""The figures are valid SVG files, equal for equal numbers, also where numbers are missing."""

import xml.etree.ElementTree as ET

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation import plots
from gpu_pricer.evaluation.metrics import calibration_table

CURVES = pl.DataFrame(
    {
        "category_id": ["tea"] * 3 + ["mate"] * 3,
        "price_level": [0.8, 1.0, 1.2] * 2,
        "units": [30.0, 20.0, 15.0, 3.0, 2.0, 1.0],
        "support_low": 0.9,
        "support_high": 1.3,
    }
)
RESPONSE = {"tea": {"elasticity": -2.0}, "mate": {"elasticity": -3.0}}


def texts_of(path) -> list[str]:
    return [element.text for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_response_curves_name_every_category_and_its_elasticities(tmp_path):
    plots.draw_response_curves(tmp_path / "curves.svg", CURVES, RESPONSE)

    texts = texts_of(tmp_path / "curves.svg")
    assert {"Tea", "Mate", "own elasticity -2.0", "own elasticity -3.0", "prices seen in training"} <= set(texts)


def test_calibration_has_a_line_per_model(tmp_path):
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.01, 0.3, 500)
    models = {"network": probability, "frequency": np.full(500, 0.1)}

    table = calibration_table(rng.random(500) < probability, models, np.ones(500))
    plots.draw_calibration(tmp_path / "calibration.svg", table)

    assert {"network", "frequency", "exact"} <= set(texts_of(tmp_path / "calibration.svg"))


def test_calibration_of_no_purchase_can_be_drawn(tmp_path):
    table = calibration_table(np.zeros(40, bool), {"network": np.full(40, 0.1)}, np.ones(40))
    plots.draw_calibration(tmp_path / "none.svg", table)

    assert "network" in texts_of(tmp_path / "none.svg")


@pytest.mark.parametrize("losses", [[0.2, 0.1], [None, None]])
def test_segmentation_is_drawn_with_and_without_held_out_offers(tmp_path, losses):
    value = pl.DataFrame({"segments": [1, 4], "profit": [10.0, 11.0], "log_loss": losses})

    plots.draw_segmentation(tmp_path / "segments.svg", value)

    assert "10.0%" in texts_of(tmp_path / "segments.svg")


def test_equal_numbers_are_equal_files(tmp_path):
    cells = pl.DataFrame({"elasticity": np.linspace(-3, -1, 50), "purchases": np.ones(50)})
    for name in ("first.svg", "second.svg"):
        plots.draw_elasticities(tmp_path / name, cells, -2.0)

    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()
