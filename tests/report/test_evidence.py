"""What speaks for the demand model is told as evaluate measured it, and its charts can be made."""

import polars as pl
import pytest

from gpu_pricer.report import charts
from gpu_pricer.report.evidence import (
    OURS,
    OURS_OVER_LOG,
    THE_LOGS,
    calibration_rates,
    elasticity_rows,
    fairness_rows,
    model_rows,
    over_the_log,
    priced_with,
)

SCORES = {"log_loss": 0.1, "auc": 0.8, "ece": 0.001, "predicted_over_actual": 1.02}
METRICS = {
    "test": SCORES | {"log_loss": 0.2},
    "baselines": {
        "logit": SCORES | {"ours": SCORES, "ours_minus_theirs": {"log_loss": [0.001, 0.002]}},
        "frequency": SCORES | {"ours": SCORES, "ours_minus_theirs": {"log_loss": [-0.002, -0.001]}},
        "trees": SCORES | {"ours": SCORES, "ours_minus_theirs": {"log_loss": [-0.001, 0.001]}},
    },
    "price_response": {
        "elasticity_by_category": {
            "milk": {"elasticity": -1.5, "posterior_low": -1.7, "posterior_high": -1.3, "observed": -2.0, "low": -3.0,
                     "high": -1.0, "implied": -3.0, "purchases": 3.0},
            "bread": {"elasticity": -1.1, "posterior_low": -1.2, "posterior_high": -1.0, "observed": -1.0, "low": -1.4,
                      "high": -0.6, "implied": -1.1, "purchases": 8.0},
            "salt": {"elasticity": -0.4, "posterior_low": -0.5, "posterior_high": -0.3, "observed": None,
                     "purchases": 9.0},
        }
    },
}  # fmt: skip


def test_calibration_rates_are_shares_of_the_offers_in_percent():
    bins = pl.DataFrame({"model": ["network", "network"], "offers": [200.0, 50.0], "bought": [2.0, 0.0],
                         "predicted": [3.0, 0.5]})  # fmt: skip

    rates = calibration_rates(bins)

    assert rates.to_dicts() == [{"model": "This model", "predicted": pytest.approx(1.5), "bought": pytest.approx(1.0)}]
    assert charts.calibration(rates)["layer"]


def test_verdict_on_a_rival_follows_the_interval_of_the_difference():
    verdicts = [row["Verdict"] for row in model_rows(METRICS)]

    assert verdicts == ["", "predicts better", "predicts worse", "predicts about as well"]
    assert model_rows({}) == []


def test_the_model_and_its_rivals_are_judged_on_the_same_offers():
    assert {row["Log loss"] for row in model_rows(METRICS)} == {"0.1000"}
    assert model_rows({"test": METRICS["test"]})[0]["Log loss"] == "0.2000"


def test_the_demand_that_sets_prices_is_shown_beside_the_model_on_the_same_offers():
    found = priced_with(METRICS | {"artefact": SCORES | {"log_loss": 0.3}})

    assert (found["network"]["log_loss"], found["artefact"]["log_loss"]) == ("0.2000", "0.3000")
    assert priced_with(METRICS) is None


def test_metrics_of_an_earlier_program_have_no_scores_on_the_rivals_sample():
    old = {"test": METRICS["test"], "baselines": {"logit": SCORES}}

    assert [row["Log loss"] for row in model_rows(old)] == ["0.2000", "0.1000"]


def test_elasticities_that_the_log_identifies_stand_beside_the_models_what_sells_most_first():
    rows = elasticity_rows(METRICS)

    assert [(row["name"], row["which"]) for row in rows] == [
        ("bread", OURS_OVER_LOG), ("bread", THE_LOGS), ("milk", OURS_OVER_LOG), ("milk", THE_LOGS)
    ]  # fmt: skip
    assert rows[1] == {"name": "bread", "which": THE_LOGS, "value": -1.0, "low": -1.4, "high": -0.6}
    assert [rows[2][end] for end in ("value", "low", "high")] == pytest.approx([-3.0, -3.4, -2.6])
    assert charts.intervals(rows, "title", (OURS_OVER_LOG, THE_LOGS))["layer"]


def test_elasticities_that_the_log_hardly_tells_are_not_shown_beside_others():
    milk = METRICS["price_response"]["elasticity_by_category"]["milk"]
    vague = {"milk": milk, "tea": milk | {"low": -21.0, "high": 15.0}}

    rows = elasticity_rows({"price_response": {"elasticity_by_category": vague}})

    assert {row["name"] for row in rows} == {"milk"}


def test_elasticities_are_those_at_todays_prices_where_the_log_identifies_none():
    of_salt = {"salt": METRICS["price_response"]["elasticity_by_category"]["salt"]}
    rows = elasticity_rows({"price_response": {"elasticity_by_category": of_salt}})

    assert rows == [{"name": "salt", "which": OURS, "value": -0.4, "low": -0.5, "high": -0.3}]


def test_the_log_as_a_whole_is_compared_where_both_elasticities_are_known():
    known = {"observed": -1.0, "low": -1.2, "high": -0.8, "implied": -1.1}

    assert over_the_log({"price_response": {"in_log": known}}) == known
    for block in ({}, {"in_log": {}}, {"in_log": known | {"implied": None}}):
        assert over_the_log({"price_response": block}) is None


def test_groups_of_the_audit_are_shown_against_the_mean_shopper():
    group = {"name": "old", "users": 3, "price_index": 1.02, "low": 1.0, "high": 1.04}

    (row,) = fairness_rows({"attributes": {"age_band": {"groups": [group]}}})

    assert row["name"] == "age band: old"
    assert (row["value"], row["low"], row["high"]) == pytest.approx((2.0, 0.0, 4.0))
