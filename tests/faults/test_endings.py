"""What the harness takes for a refusal."""

import pytest

from gpu_pricer.errors import InputError, Refused
from tests.faults.endings import Ending, ending_of


@pytest.mark.parametrize("error", [InputError("a: b"), Refused("a: b"), Refused("a: b", "c: d")])
def test_line_for_each_reason_is_a_refusal(error):
    def work():
        raise error

    assert ending_of("publish", work).is_refusal


@pytest.mark.parametrize(
    ("status", "said"),
    [(0, "a: b\n"), (1, "a: b\n"), (2, "a: b"), (2, "a: b\nc: d\n"), (3, "a: b\nc\n"), (None, "a: b\n")],
)
def test_other_endings_are_none(status, said):
    assert not Ending(status, said).is_refusal
