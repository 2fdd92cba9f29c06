"""The baselines: what each of them learns, and the error for a missing library."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.baselines import judging, trees
from gpu_pricer.evaluation.baselines.frequency import Frequency
from gpu_pricer.evaluation.baselines.logit import Logit
from gpu_pricer.evaluation.baselines.trees import BoostedTrees
from gpu_pricer.evaluation.demand.price_response import raise_prices
from gpu_pricer.evaluation.held_out import Log

SLOPE = -2.0
NO_LOG = Log(
    shelf=pl.DataFrame({"period": [date(2025, 1, 6)]}),
    choices=pl.DataFrame({"product_id": [1, None]}),
    visits=pl.DataFrame(),
)


@pytest.fixture(scope="module")
def offers() -> pl.DataFrame:
    """Return described offers with log odds: level of the product − 2 log(price / reference) + 0.5 display."""
    rng = np.random.default_rng(0)
    rows = 40_000
    cell = rng.integers(0, 40, rows)  # product x period
    product = cell % 4
    price = np.exp(rng.normal(0, 0.2, 40))[cell] * (product + 1)
    display = (rng.random(40) < 0.3).astype(float)[cell]
    odds = np.array([-2.0, -1.5, -1.0, -0.5])[product] + SLOPE * np.log(price / (product + 1)) + 0.5 * display
    history = dict.fromkeys(("visits", "product_purchases", "category_purchases"), 0.0)
    since = {name: pl.lit(None, pl.Float32) for name in ("weeks_since_product", "weeks_since_category")}
    return pl.DataFrame(
        {
            "period": date(2025, 1, 6),
            "week": cell // 4,
            "category_id": np.where(product < 2, "c", "d"),
            "product_id": product,
            "price": price,
            "list_price": product + 1.0,
            "reference_price": product + 1.0,
            "display": display,
            "mailer": 0.0,
            "bought": rng.random(rows) < 1 / (1 + np.exp(-odds)),
            "weight": 1.0,
            "recent_price": product + 1.0,
            "past": np.zeros((rows, 3), np.float32),
        }
    ).with_columns(
        pl.col("period").dt.offset_by(pl.format("{}w", "week")), **{k: pl.lit(v) for k, v in history.items()}, **since
    )


def trees_of(monotone: bool, network_past: bool = False, optional: bool = False) -> BoostedTrees:
    return BoostedTrees(monotone, network_past, optional, rounds=30, leaves=7, rate=0.1, min_rows=50)


def test_logit_finds_the_log_odds_that_it_is_made_for(offers):
    predict = Logit(spread=10.0).fit(offers, NO_LOG)

    before, after = (np.log(p / (1 - p)) for p in (predict(offers), predict(raise_prices(offers))))

    assert (after - before) / np.log(1.1) == pytest.approx(np.full(offers.height, SLOPE), abs=0.25)
    assert predict(offers).mean() == pytest.approx(offers["bought"].mean(), rel=1e-3)


def test_logit_is_the_one_of_scikit_learn_whatever_was_never_or_hardly_ever_bought():
    """Products that sold nothing, everything, and once in a million offers, by a solver that knows no structure."""
    rng = np.random.default_rng(1)
    week, product = (index.ravel() for index in np.indices((12, 5)))
    price = np.exp(rng.normal(0, 0.2, len(week)))
    offered = np.array([1e6, 40.0, 300.0, 300.0, 30.0])[product]
    bought = np.select(
        [product == 0, product == 1, product == 4], [week == 3, 0.0, offered], rng.poisson(20, len(week))
    )
    display = rng.integers(0, 2, len(week)).astype(float)
    cells = pl.DataFrame({
        "period": week, "category_id": np.where(product < 2, "c", "d"), "product_id": product, "price": price,
        "reference_price": 1.0, "display": display, "mailer": 0.0, "bought": bought.astype(float),
        "not_bought": offered - bought,
    })  # fmt: skip

    found = Logit(spread=2.0).fit_cells(cells)(cells)

    moved = np.log(price)[:, None] * np.eye(2)[(product > 1).astype(int)]
    design = np.column_stack([np.eye(5)[product], moved, display, np.zeros(len(week))])
    oracle = LogisticRegression(C=2.0**2, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    oracle.fit(np.tile(design, (2, 1)), np.repeat([1, 0], len(week)), np.concatenate([bought, offered - bought]))
    np.testing.assert_allclose(found, oracle.predict_proba(design)[:, 1], rtol=1e-5)


def test_logit_of_offers_that_were_all_bought_is_finite_and_certain():
    """A shop of one product, which every visit buys: the likelihood has no maximum, and no step may be singular."""
    cells = pl.DataFrame(
        {"period": range(6), "category_id": "c", "product_id": 1, "price": [1.0, 1.0, 1.0, 0.8, 1.0, 1.0],
         "reference_price": 1.0, "display": 0.0, "mailer": 0.0, "bought": [40.0, 41.0, 39.0, 50.0, 42.0, 1.0],
         "not_bought": 0.0}
    )  # fmt: skip

    bought, never = (Logit(10.0).fit_cells(rows)(rows) for rows in (cells, swapped(cells)))

    assert (bought > 0.999).all()
    assert (never < 0.001).all()


def swapped(cells):
    """The cells where nobody bought what everybody bought."""
    return cells.with_columns(bought=pl.col("not_bought"), not_bought=pl.col("bought"))


def test_frequency_moves_from_the_products_mean_to_the_users_own():
    offers = pl.DataFrame({"product_id": [1, 1, 2], "bought": [True, False, False], "weight": [1.0, 3.0, 1.0]})
    rows = pl.DataFrame({"product_id": [1, 1], "product_purchases": [0.0, 30.0], "visits": [0.0, 30.0]})

    share = Frequency(prior_visits=10).fit(offers, NO_LOG)(rows)

    assert share == pytest.approx([0.25, (30 + 2.5) / 40])


def test_monotone_trees_never_sell_more_at_a_higher_price(offers):
    predict = trees_of(monotone=True).fit(offers, NO_LOG)

    before, after = predict(offers), predict(raise_prices(offers))

    assert (after <= before).all()
    assert after.mean() < 0.95 * before.mean()


def test_trees_with_the_networks_past_use_what_only_it_shows(offers):
    past = offers["bought"].to_numpy()[:, None] + np.random.default_rng(1).normal(size=(offers.height, 3))
    described = offers.with_columns(past=pl.Series(past.astype(np.float32)))

    poor, rich = (trees_of(True, network_past).fit(described, NO_LOG)(described) for network_past in (False, True))

    bought = offers["bought"].to_numpy()
    assert rich[bought].mean() - rich[~bought].mean() > 2 * (poor[bought].mean() - poor[~bought].mean())


def test_monotone_trees_never_sell_more_where_a_product_was_cheaper_lately(offers):
    rng = np.random.default_rng(2)
    described = offers.with_columns(recent_price=pl.col("price") * np.exp(rng.normal(0, 0.2, offers.height)))
    predict = trees_of(monotone=True, network_past=True).fit(described, NO_LOG)

    before, after = predict(described), predict(described.with_columns(pl.col("recent_price") / 1.1))

    assert (after <= before).all()


@pytest.mark.parametrize("name", ["monotone", "network_past", "optional"])
def test_a_switch_of_the_trees_that_is_neither_on_nor_off_is_refused(name):
    with pytest.raises(ValueError, match=f"lightgbm.{name} must be true or false, found 1"):
        replace(trees_of(monotone=True), **{name: 1})


@pytest.mark.parametrize("model", [Logit(spread=10.0), trees_of(False), trees_of(True, network_past=True)])
def test_a_product_that_training_never_saw_gets_a_probability(offers, model):
    predict = model.fit(offers, NO_LOG)

    share = predict(offers.head(5).with_columns(product_id=pl.lit(99, pl.Int64)))

    assert ((share > 0) & (share < 1)).all()


def test_a_baseline_learns_once_from_the_same_offers(offers, monkeypatch):
    taught = []
    learn, model = Frequency.fit, Frequency(prior_visits=10)
    monkeypatch.setattr(judging, "_known_predictions", {})
    monkeypatch.setattr(
        Frequency, "fit", lambda model, rows, log: taught.append(rows.height) or learn(model, rows, log)
    )

    first, again = (judging.baseline_predictions("frequency", model, offers, offers.head(9), NO_LOG) for _ in range(2))
    other = judging.baseline_predictions("frequency", model, offers.head(500), offers.head(9), NO_LOG)

    assert taught == [offers.height, 500]
    assert first is again
    assert (other.probability != first.probability).any()


@pytest.fixture
def without_lightgbm(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(trees, "import_module", missing)


@pytest.mark.usefixtures("without_lightgbm")
def test_boosted_trees_without_their_library_are_refused_in_one_line():

    with pytest.raises(
        InputError, match=r"must find the package lightgbm, found No module named 'lightgbm': pip install"
    ):
        trees_of(monotone=True)
