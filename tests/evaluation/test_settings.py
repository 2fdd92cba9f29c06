"""The settings of an evaluation."""

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.held_out import Bootstrap
from gpu_pricer.evaluation.settings import EvaluationSettings


def settings(baselines):
    return EvaluationSettings(Bootstrap(10, 0.9), 0.25, 3, False, None, baselines)


def test_no_baselines_are_an_empty_mapping():
    assert settings({}).baselines == {}


@pytest.mark.parametrize(
    ("baselines", "message"),
    [
        (None, "evaluate.baselines must name models, found None: give {} for none"),
        ({"mean": 3}, "evaluate.baselines.mean must be a model that fits offers, found 3"),
    ],
)
def test_what_is_no_model_is_refused(baselines, message):
    with pytest.raises(InputError) as error:
        settings(baselines)

    assert str(error.value) == message
