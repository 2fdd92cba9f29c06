"""A log that ends inside a week: its last days teach, and do not pass for a whole week of few sales."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.jobs import prepare, train
from gpu_pricer.network.encoding.loading import load_choice_data
from gpu_pricer.network.response.fitting.fit import fit_response
from gpu_pricer.network.training.market import learn_market
from gpu_pricer.tables.artefact import read_artefact
from gpu_pricer.tables.periods import Split
from tests.jobs.conftest import configuration
from tests.network.small import ENCODING, RESPONSE

START, WEEKS = date(2024, 1, 1), 24
USERS, PRODUCTS, CATEGORIES = 1500, 12, 3
SPLIT = Split(history_periods=0, validation_periods=3, test_periods=3)
DAYS = [0.30, 0.12, 0.12, 0.12, 0.14, 0.15, 0.20]
"""Chance that a user comes on a day of the week."""


def sales_of(days, rise=0.0, seed=3):
    """Transactions of so many days: users come up to seven times a week, and choose among a category's products anew.

    rise: what is added to the appeal of product 0 from the last, begun, week on.
    """
    rng = np.random.default_rng(seed)
    appeal, sensitivity = rng.normal(-2.0, 0.4, PRODUCTS), rng.uniform(1.5, 3.0, PRODUCTS)
    base = rng.uniform(2, 6, PRODUCTS).round(2)
    eager, found = rng.uniform(0.5, 1.6, USERS), []
    for day in range(days):
        if day % 7 == 0:
            price = (base * np.exp(rng.normal(0, 0.12, PRODUCTS))).round(2)
        utility = appeal - sensitivity * (price / base - 1) + rise * (day >= 7 * WEEKS) * (np.arange(PRODUCTS) == 0)
        for own in np.split(np.arange(PRODUCTS), CATEGORIES):
            came = np.flatnonzero(rng.random(USERS) < eager * DAYS[day % 7])
            noisy = np.concatenate([[0.0], utility[own]]) + rng.gumbel(size=(len(came), len(own) + 1))
            chosen = noisy.argmax(axis=1) - 1
            user, product = came[chosen >= 0], own[chosen[chosen >= 0]]
            when = pl.repeat(START + timedelta(days=day), len(user), eager=True)
            quantity = 1 + rng.poisson(0.5, len(user))
            found.append(pl.DataFrame({"user_id": user, "product_id": product, "time": when,
                                       "quantity": quantity, "price": price[product]}))  # fmt: skip
    return pl.concat(found)


def prepared(folder, transactions):
    """The work folder in which `prepare` has made canonical tables of the transactions."""
    (folder / "raw").mkdir(parents=True)
    products = np.arange(PRODUCTS)
    category = [f"c{number * CATEGORIES // PRODUCTS}" for number in products]
    pl.DataFrame({"product_id": products, "category_id": category, "cost": 1.0}).write_parquet(
        folder / "raw/products.parquet"
    )
    transactions.write_parquet(folder / "raw/transactions.parquet")
    prepare.main(configuration(folder / "work", "data=parquet", f"data.path={folder / 'raw'}"))
    return folder / "work"


def market_of(work):
    """All that the average household and the price response know of the log in the end."""
    data = load_choice_data(work / "data", ENCODING, SPLIT)
    return learn_market(data.with_every_period(), work / "data", RESPONSE)


def appeal_of(fit):
    """Appeal in the period to price, [P]."""
    return fit.next_appeal(torch.zeros(len(fit.grid.row), fit.grid.context.shape[2], dtype=torch.float64))[0].numpy()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return market_of(prepared(tmp_path_factory.mktemp("whole"), sales_of(7 * WEEKS))).household.fit


@pytest.fixture(scope="module", params=[1, 3], ids=["Monday", "to Wednesday"])
def begun(request, tmp_path_factory):
    return market_of(prepared(tmp_path_factory.mktemp("begun"), sales_of(7 * WEEKS + request.param)))


def test_a_begun_week_moves_levels_no_more_than_noise_does(whole, begun):
    moved = appeal_of(begun.household.fit) - appeal_of(whole)

    assert abs(moved.mean()) < 0.04
    assert np.abs(moved).max() < 0.2


def test_what_a_begun_week_sells_is_what_whole_weeks_let_expect(whole, begun):
    fit, log = begun.household.fit, begun.known.log
    before = replace(fit.state, z=whole.state.z, season=fit.state.season * 0, shock=fit.state.shock * 0)

    counts, share = fit.counts, fit.grid.shares(replace(fit, state=before).utility())
    expected = (share * counts.visits[fit.grid.category])[:, 0, -1].sum()

    assert float(expected / counts.bought[:, 0, -1].sum()) == pytest.approx(1.0, abs=0.06)
    assert log.units is not None


def test_a_begun_week_taken_for_a_whole_one_would_look_like_a_slump(whole, begun):
    known = begun.known
    naive = replace(known.grid, offset=torch.zeros_like(known.grid.offset))

    found = fit_response(naive, known.log.pooled(naive), RESPONSE.fit)

    assert (appeal_of(found) - appeal_of(whole)).mean() < -0.15


def test_what_sells_more_in_a_begun_week_is_priced_as_more_wanted(whole, tmp_path):
    risen = market_of(prepared(tmp_path, sales_of(7 * WEEKS + 2, rise=1.0))).household.fit

    moved = appeal_of(risen) - appeal_of(whole)

    assert moved[0] > 0.3
    assert moved[0] > moved[1:].max() + 0.2


def test_sales_of_a_begun_monday_change_the_artefact(tmp_path):
    sales, found = sales_of(7 * WEEKS + 1), []
    for name, transactions in (("with", sales), ("without", sales.filter(pl.col("time") < sales["time"].max()))):
        work = prepared(tmp_path / name, transactions.filter(pl.col("user_id") < 150))
        train.main(configuration(work, "model=tiny", "model.optimiser.steps=5", "train.segments.count=2"))
        found.append(read_artefact(work / "demand"))

    for part in ("appeal", "sensitivity"):
        assert not np.array_equal(*(artefact.factors[part] for artefact in found))
    assert [artefact.info.pricing_period for artefact in found] == ["2024-06-17"] * 2
    assert [artefact.info.sales_end for artefact in found] == ["2024-06-17", "2024-06-16"]
