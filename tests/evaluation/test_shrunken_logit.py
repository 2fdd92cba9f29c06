"""The logit with shrunken frequencies: what it counts, what it makes of it, and that it reads the past only."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.baselines.household_counts import household_counts
from gpu_pricer.evaluation.baselines.shrunken_frequency import Choices, Habits, _slopes, learn_habits, shrunken_ratios
from gpu_pricer.evaluation.baselines.shrunken_logit import ShrunkenLogit
from gpu_pricer.evaluation.held_out import Log, describe_offers, offers_of, reference_prices
from tests.canonical import write_canonical

WEEKS = [date(2025, 1, 6) + timedelta(weeks=i) for i in range(4)]
MODEL = ShrunkenLogit(spread=10.0, half_lives=[1, 4, float("inf")])


@pytest.fixture
def bread_and_milk() -> Log:
    """Ann comes in weeks 0, 1 and 3; she buys rye in week 0, rye and milk in week 1. Wheat is on sale from week 1."""
    shelf = [(week, "bread", "rye") for week in WEEKS] + [(week, "milk", "milk") for week in WEEKS]
    shelf += [(week, "bread", "wheat") for week in WEEKS[1:]]
    bought = [(WEEKS[0], "bread", "rye"), (WEEKS[1], "bread", "rye"), (WEEKS[1], "milk", "milk")]
    nothing = [(WEEKS[0], "milk", None), (WEEKS[3], "bread", None), (WEEKS[3], "milk", None)]
    columns = ["period", "category_id", "product_id"]
    choices = pl.DataFrame(bought + nothing, columns, orient="row")
    return Log(
        pl.DataFrame(shelf, columns, orient="row"),
        choices.with_columns(user_id=pl.lit("Ann"), outside_rate=pl.lit(1.0)),
        pl.DataFrame({"user_id": "Ann", "period": [WEEKS[0], WEEKS[1], WEEKS[3]]}),
    )


AVERAGE = pl.DataFrame({"product_id": ["rye", "wheat", "milk"], "probability": [0.4, 0.2, 0.1]})
WHEAT = {"user_id": "Ann", "category_id": "bread", "product_id": ["wheat", "rye"]}


def counts_of(log: Log, week: int) -> np.ndarray:
    rows = pl.DataFrame({**WHEAT, "period": WEEKS[week]})
    return household_counts(rows, log, log.shelf.join(AVERAGE, on="product_id"), [1.0, float("inf")])


@pytest.mark.parametrize("outside_rate", [1.0, 0.5])
def test_counts_are_the_decayed_purchases_and_what_an_average_household_buys(bread_and_milk, outside_rate):
    log = replace(bread_and_milk, choices=bread_and_milk.choices.with_columns(outside_rate=pl.lit(outside_rate)))

    wheat, rye = counts_of(log, week=3)

    # In week 3, week 1 counts a quarter and week 0 an eighth; without decay, both count 1.
    assert wheat[0].tolist() == pytest.approx(np.array([[2 / 4 + 1 / 8, 3.0], [0.7 / 4 + 0.5 / 8, 1.2]]))
    assert wheat[1].tolist() == pytest.approx(np.array([[1 / 4 + 1 / 8, 2.0], [0.6 / 4 + 0.4 / 8, 1.0]]))
    assert wheat[2].tolist() == pytest.approx(np.array([[0.0, 0.0], [0.2 / 4, 0.2]]))
    assert rye[2].tolist() == pytest.approx(np.array([[1 / 4 + 1 / 8, 2.0], [0.4 / 4 + 0.4 / 8, 0.8]]))


def test_nothing_counts_in_its_own_period(bread_and_milk):
    assert not counts_of(bread_and_milk, week=0).any()
    assert counts_of(bread_and_milk, week=1)[:, :, 0, 1].tolist() == [[1, 1, 0], [1, 1, 1]]


def test_ratios_are_shrunk_to_those_of_the_levels_above():
    counts = np.array([[[[4.0], [2.0]], [[3.0], [1.0]], [[2.0], [0.5]]]])

    [logs] = shrunken_ratios(counts, np.ones(1), np.array([2.0, 1.0, 0.5])).log

    household = (4 + 2) / (2 + 2)
    category = (3 + 1) / (household * 1 + 1)
    product = (2 + 0.5) / (household * category * 0.5 + 0.5)
    assert np.exp(logs) == pytest.approx([household, category, product])


@pytest.fixture(scope="module")
def choices() -> Choices:
    """100,000 offers to households whose own rate is a Gamma variable of mean 1 and shape 0.5 times the average one."""
    rng = np.random.default_rng(0)
    expected, rate = rng.uniform(0.5, 4, 100_000), rng.gamma(0.5, 2.0, 100_000)
    counts = np.zeros((100_000, 3, 2, 2), np.float32)
    counts[:, 2, 0, 1], counts[:, 2, 1, 1] = rng.poisson(expected * rate), expected
    counts[:, 2, :, 0] = rng.uniform(0, 1, (100_000, 2))  # noise
    chance = 0.02 * rate
    bought = (rng.random(100_000) < chance).astype(float)
    return Choices(counts, np.full(100_000, np.log(0.02 / 0.98)), bought, np.ones(100_000))


def test_slopes_are_those_of_central_differences():
    rng = np.random.default_rng(1)
    counts, average = rng.uniform(0, 3, (50, 3, 2, 4)), rng.normal(-3, 1, 50)
    habits = Habits(np.r_[rng.normal(0, 0.5, 7), rng.normal(1, 0.3, 5)])

    slopes = _slopes(Choices(counts, average, np.zeros(50), np.ones(50)), habits)

    for number, step in enumerate(1e-5 * np.eye(12)):
        above, below = (Habits(habits.parameters + sign * step).log_odds(counts, average) for sign in (1, -1))
        assert slopes[:, number] == pytest.approx((above - below) / 2e-5, abs=1e-7)


def test_concentration_and_exponent_are_those_that_made_the_choices(choices):
    habits = learn_habits(choices)

    assert habits.mix[1] > 0.8
    assert habits.concentration[2] == pytest.approx(0.5, rel=0.5)
    assert habits.exponent[2] == pytest.approx(1.0, abs=0.2)


@pytest.fixture(scope="module")
def market(tmp_path_factory) -> Log:
    """A market of tastes without sampling, whose truth the network's tests share."""
    folder = tmp_path_factory.mktemp("market") / "data"
    write_canonical(folder, users=60, categories=3, size=3, periods=12, keep_zeros=0.5)
    return Log(*(pl.read_parquet(folder / f"{name}.parquet") for name in ("shelf", "choices", "visits")))


def described(log: Log, weeks: slice) -> pl.DataFrame:
    periods = log.shelf["period"].unique().sort().to_list()
    return describe_offers(offers_of(log, periods[weeks]), log, reference_prices(log.shelf, periods[:9]))


def test_predictions_do_not_see_their_own_period_or_later_ones(market):
    training, rows = described(market, slice(0, 9)), described(market, slice(10, 11))
    later = pl.col("period") >= rows["period"][0]
    turned = replace(market, choices=market.choices.with_columns(
        product_id=pl.when(later).then(pl.col("product_id").shuffle(seed=1)).otherwise("product_id")
    ))  # fmt: skip

    assert MODEL.fit(training, turned)(rows) == pytest.approx(MODEL.fit(training, market)(rows), abs=1e-12)


def test_predictions_do_not_depend_on_what_was_asked_before(market):
    rows = described(market, slice(9, 12))
    predict = MODEL.fit(described(market, slice(0, 9)), market)
    dearer = rows.with_columns(price=pl.col("price") * 1.2)

    first, at_other_prices, backwards = predict(rows), predict(dearer), predict(rows.reverse())

    np.testing.assert_array_equal(backwards[::-1], first)
    assert at_other_prices.sum() != first.sum()


def test_predictions_tell_who_buys_more_from_who_buys_less(market):
    rows = described(market, slice(9, 12))
    predicted = MODEL.fit(described(market, slice(0, 9)), market)(rows)
    past = rows["product_purchases"].to_numpy()

    assert predicted[past > 2].mean() > 2 * predicted[past == 0].mean()
    assert predicted @ rows["weight"].to_numpy() == pytest.approx((rows["weight"] * rows["bought"]).sum(), rel=0.2)


@pytest.mark.parametrize("half_lives", [[], [1, 0], [float("nan")]])
def test_half_lives_must_be_positive(half_lives):
    with pytest.raises(InputError, match="half_lives must be positive numbers of periods, found "):
        ShrunkenLogit(10.0, half_lives)
