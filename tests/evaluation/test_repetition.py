"""Mean and spread of the metrics of repeated runs."""

import pytest

from gpu_pricer.evaluation.repetition import repeated_metrics


def metrics(loss: float, deviance: float | None = 2.0) -> dict:
    return {"test": {"log_loss": loss, "deviance": {"all": deviance}, "intervals": {"log_loss": [0.0, 1.0]}}}


def test_spread_is_between_seeds_and_not_between_folds():
    found = repeated_metrics({"early": [metrics(1.0), metrics(3.0)], "late": [metrics(11.0), metrics(13.0)]})

    assert found["folds"]["early"]["mean"]["test"]["log_loss"] == 2.0
    assert found["folds"]["late"]["spread"]["test"]["log_loss"] == pytest.approx(2**0.5)
    assert found["mean"]["test"]["log_loss"] == 7.0
    assert found["spread"]["test"]["log_loss"] == pytest.approx(2**0.5)
    assert found["folds"]["early"]["runs"] == 2


def test_a_number_that_a_run_lacks_is_null_and_intervals_are_left_out():
    found = repeated_metrics({"all": [metrics(1.0), metrics(3.0, None)]})

    assert found["mean"]["test"] == {"log_loss": 2.0, "deviance": {"all": None}, "intervals": {}}


def test_one_run_has_no_spread():
    assert repeated_metrics({"all": [metrics(1.0)]})["spread"]["test"]["log_loss"] is None
