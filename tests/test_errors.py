"""Errors of libraries, cut to the one line that fits into a message of ours."""

import pytest

from gpu_pricer.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [(ValueError("torn file\nat byte 7"), "torn file"), (OSError("gone"), "gone"), (KeyError(), "KeyError")],
)
def test_first_line_of_an_error_is_its_text_or_its_type(error, line):
    assert first_line(error) == line


def test_causes_that_delta_lake_writes_below_are_part_of_it():
    arrow = "\n          \x1b[31m↳\x1b[0m "
    text = f"Generic LocalFileSystem error{arrow}Unable to copy data to file{arrow}No space left (os error 28)\n"

    assert first_line(OSError(text)) == (
        "Generic LocalFileSystem error: Unable to copy data to file: No space left (os error 28)"
    )
