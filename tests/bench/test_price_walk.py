"""A cap against earlier prices holds on every night, however often the demand is learned anew in between."""

import numpy as np

from tests.bench.price_walk import CAP, CAPPED, DAYS, FREE, MAX_DECREASE, MAX_INCREASE, NIGHTS, draw, walk
from tests.docs.pages import ROOT
from tests.docs.test_pages import words_of

CENT = 0.005 + 1e-9


def test_no_price_leaves_its_window_on_any_of_30_nights_with_weekly_training(gpu_pricer, tmp_path):
    prices = walk(tmp_path, CAP)

    assert len(prices) == NIGHTS + 1
    for night, price in enumerate(prices[1:]):
        anchor = prices[max(night - DAYS, 0)]
        assert (price <= (1 + MAX_INCREASE) * anchor + CENT).all()
        assert (price >= (1 - MAX_DECREASE) * anchor - CENT).all()
    assert np.allclose(prices[DAYS], (1 + MAX_INCREASE) * prices[0], atol=0.01)  # the cap is what stops them
    assert len([*tmp_path.glob("prices/_artefacts/*")]) == 1 + (NIGHTS - 1) // 7


def test_figure_of_the_docs_is_one_that_the_script_draws(tmp_path):
    draw(tmp_path / "walk.svg", {CAPPED: np.ones((31, 2)), FREE: np.linspace(1, 4, 31)[:, None]})

    assert words_of(tmp_path / "walk.svg") == words_of(ROOT / "docs/price_walk.svg")


def test_without_the_cap_prices_walk_away_in_seven_nights(gpu_pricer, tmp_path):
    prices = walk(tmp_path, (), nights=7)

    assert (prices[-1] / prices[0]).mean() > 1 + 2 * MAX_INCREASE
