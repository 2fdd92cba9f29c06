"""The closing lines of a what-if: how many units more or fewer a scenario sells, in words."""

import pytest

from gpu_pricer.terminal.whatif_board import _more_or_fewer


@pytest.mark.parametrize(
    ("units", "words"),
    [(0, "as many units"), (1, "1 unit more"), (-1, "1 unit fewer"), (1200, "1,200 units more"), (-2, "2 units fewer")],
)
def test_units_are_told_as_more_or_fewer(units, words):
    assert _more_or_fewer(units) == words
