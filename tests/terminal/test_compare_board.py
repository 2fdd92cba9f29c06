"""The lines of a comparison."""

import polars as pl
import pytest
from rich.console import Console

from gpu_pricer.tables.version.version_comparison import ADDED_UP
from gpu_pricer.terminal.compare_board import group_table


@pytest.mark.parametrize("sign", [1, -1])
def test_what_rounds_to_nothing_has_no_minus_sign(capsys, sign):
    after = {name: 100.0 * (1 + sign * 1e-9) for name in ADDED_UP if name.endswith("_after")}
    sums = dict.fromkeys(ADDED_UP, 100.0) | after | {"prices": 4, "up": 0, "down": 0, "move": sign * 1e-9}

    Console(width=200).print(group_table(pl.DataFrame([{"group": "c0", "products": 1, **sums}]), "category_id"))

    out = capsys.readouterr().out
    assert "-0." not in out
    assert "+0.00%" in out
    assert "+0.0%" in out
