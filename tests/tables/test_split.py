"""The split of the periods."""

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.split import Split


def test_training_ends_before_validation():
    assert Split(history_periods=7, validation_periods=5, test_periods=7).trained(51) == 39


def test_too_few_periods_are_refused():
    with pytest.raises(InputError, match="found 8 in all"):
        Split(history_periods=1, validation_periods=3, test_periods=3).trained(8)
