"""Errors of libraries, cut to the one line that fits into a message of ours."""

import pytest

from gpu_pricer.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [(ValueError("torn file\nat byte 7"), "torn file"), (OSError("gone"), "gone"), (KeyError(), "KeyError")],
)
def test_first_line_of_an_error_is_its_text_or_its_type(error, line):
    assert first_line(error) == line
