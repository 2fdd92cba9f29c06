"""The two layouts hold the same prices, and the sums of a tile are those of a slow evaluation in float64."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.pricing.layouts import long as long_rows
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.scoring import table_columns
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from gpu_pricer.pricing.tiles.tally import tally_of
from tests.markets import NO_RULES, a_policy, catalog_of, small_artefact
from tests.pricing.tile_file import rows_of

SUMS = 1e-5
"""Relative: shares are float32, each good to some roundings, and their sums float64."""


def solved(artefact, policy=None):
    problem = pricing_problem(artefact, catalog_of(artefact), policy or a_policy())
    return solve_tile(problem, 0, len(problem.products.category_start) - 1, "cpu")


@pytest.mark.parametrize("policy", [a_policy(), a_policy(NO_RULES, ladder=None)], ids=["few prices", "many prices"])
@pytest.mark.parametrize("kind", [pl.String, pl.UInt16, pl.Int32])
def test_wide_rows_are_the_long_ones_turned(kind, policy):
    artefact = small_artefact(7, segments=70, products=60, categories=9)
    segments = artefact.segments.with_row_index("i").select(pl.col("i").cast(kind).alias("segment_id"), "visits")
    products = artefact.products.with_columns(product_id=pl.int_range(pl.len()).cast(kind))
    tile = solved(replace(artefact, segments=segments, products=products), policy)

    wide, long = rows_of(tile, "wide"), rows_of(tile, "long")

    signed = pl.Int64 if kind == pl.UInt16 else kind
    assert long.schema["segment_id"] == long.schema["product_id"] == wide.schema["product_id"] == signed
    assert wide.columns[:2] == ["product_id", "today_price"]
    assert wide["product_id"].is_sorted()
    named = long.with_columns(segment_id="price_" + pl.col("segment_id").cast(pl.String))
    turned = named.pivot("segment_id", index=["product_id", "today_price"], values="price")
    assert wide.equals(turned.select(wide.columns))


@pytest.mark.parametrize("rows", [1, 71, 200])
def test_size_of_row_groups_changes_no_row(monkeypatch, rows):
    tile = solved(small_artefact(7, segments=70, products=60, categories=9))
    whole = rows_of(tile)

    monkeypatch.setattr(long_rows, "GROUP_ROWS", rows)

    assert rows_of(tile).equals(whole)


def test_ids_of_other_kinds_are_refused():
    artefact = small_artefact(7)
    segments = artefact.segments.with_columns(segment_id=pl.int_range(pl.len()).cast(pl.Float64))
    problem = solved(replace(artefact, segments=segments)).problem

    with pytest.raises(InputError, match="segment_id must be whole numbers or text, found Float64"):
        table_columns(problem, "long")


def exact_sums(tile, price):
    """Units and profit of a period's visits at prices [P, S] in currency, all in float64, category by category."""
    problem = tile.problem
    f = {name: factor.astype(np.float64) for name, factor in problem.demand.factors.items()}
    row, sizes = problem.demand.row, np.diff(problem.products.category_start)
    a = (f["segment_appeal"] @ f["product_appeal"][row].T).T + problem.demand.appeal_offset[:, None]
    b = np.log1p(np.exp(f["segment_sensitivity"] @ f["product_sensitivity"][row].T)).T
    odds = (
        np.exp(a - b * (price / (problem.products.reference_price / 100)[:, None] - 1))
        * problem.products.is_on_shelf[:, None]
    )
    totals = np.repeat(1 + np.add.reduceat(odds, problem.products.category_start[:-1]), sizes, axis=0)
    units = odds / totals * problem.products.units_per_choice[:, None] * problem.segments.visits
    return units.sum(), (units * (price - problem.products.cost[:, None])).sum()


def test_tally_is_that_of_float64():
    tile = solved(small_artefact(7, segments=70, products=60, categories=9))
    today = np.repeat(tile.problem.products.today[:, None] / 100, 70, axis=1)

    tally = tally_of(tile)

    new = exact_sums(tile, tile.cells.price / 100)
    assert (tally.units_new, tally.profit_new) == pytest.approx(new, rel=SUMS)
    assert (tally.units_today, tally.profit_today) == pytest.approx(exact_sums(tile, today), rel=SUMS)
    move = tile.cells.price / tile.problem.products.today[:, None] - 1
    assert tally.moved == (move != 0).sum()
    assert tally.move == pytest.approx(move.sum())
    assert tally.absolute_move == pytest.approx(np.abs(move).sum())
