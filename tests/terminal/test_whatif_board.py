"""The closing lines of a what-if: what a scenario earns and sells against the base, in words."""

import json
from types import SimpleNamespace

import pytest

from gpu_pricer.constraints.certificate_file import CERTIFICATE
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.terminal.whatif_board import _left_open, _line, _more_or_fewer


@pytest.mark.parametrize(
    ("units", "words"),
    [(0, "as many units"), (1, "1 unit more"), (-1, "1 unit fewer"), (1200, "1,200 units more"), (-2, "2 units fewer")],
)
def test_units_are_told_as_more_or_fewer(units, words):
    assert _more_or_fewer(units) == words


@pytest.mark.parametrize(
    ("profit", "line"),
    [
        (100.004, "tight earns the same"),
        (
            100.3,
            "tight adds 0.30 USD of profit (+0.3%), no more than the 0.40 that the search left open, and sells "
            "3 units more",
        ),
        (99.5, "tight costs 0.50 USD of profit (-0.5%), and sells 3 units more"),
        (101.0, "tight adds 1.00 USD of profit (+1.0%), and sells 3 units more"),
    ],
)
def test_change_of_profit_is_told_beside_what_the_search_left_open(profit, line):
    base, scenario = (
        SimpleNamespace(tally=SimpleNamespace(profit_new=earned, units_new=units), currency="USD", profit_name="profit")
        for earned, units in ((100.0, 50.0), (profit, 53.0))
    )

    assert _line("tight", base, scenario, 0.4) == line


def test_what_the_search_left_open_is_the_dual_gap_of_the_certificate(tmp_path):
    (tmp_path / RECORD).mkdir()
    assert _left_open(tmp_path) == 0

    (tmp_path / RECORD / CERTIFICATE).write_text(json.dumps({"objective": 99.75, "dual_bound": 100.0}))

    assert _left_open(tmp_path) == 0.25
