"""What spreadsheets do to ids is said where an id is unknown."""

import pytest

from gpu_pricer.tables.spreadsheet import zeros_hint


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("19620", ", likely 00019620 without leading zeros: keep the column of ids as text"),
        ("7", ", likely 007 or 07 without leading zeros: keep the column of ids as text"),
        ("8", ""),
        ("07", ""),
    ],
)
def test_id_without_leading_zeros_names_the_products_that_it_may_mean(found, said):
    assert zeros_hint(found, ["00019620", "007", "07", "9"]) == said
