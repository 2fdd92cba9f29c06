"""The demand artefact: its fingerprint, and the contents that are refused."""

import os
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from gpu_pricer.errors import InputError
from gpu_pricer.tables.artefact import artefact_files, read_artefact, read_segments, write_artefact
from tests.markets import small_artefact, with_dissimilarity

ARTEFACT = small_artefact(3)


def test_equal_demand_has_one_fingerprint_whoever_learned_it():
    info = replace(ARTEFACT.info, run="20270101T000000", created="2027-01-01T00:00:00+00:00")

    assert replace(ARTEFACT, info=info).fingerprint() == ARTEFACT.fingerprint()


@pytest.mark.parametrize(
    "other",
    [
        replace(ARTEFACT, info=replace(ARTEFACT.info, pricing_period="2026-01-12")),
        replace(ARTEFACT, info=replace(ARTEFACT.info, outside_option=False)),
        replace(ARTEFACT, factors=ARTEFACT.factors | {"product_appeal": -ARTEFACT.factors["product_appeal"]}),
        replace(ARTEFACT, products=ARTEFACT.products.with_columns(pl.col("availability") / 2)),
        replace(ARTEFACT, segments=ARTEFACT.segments.with_columns(pl.col("visits") * 2)),
    ],
    ids=["period", "outside option", "factors", "products", "segments"],
)
def test_fingerprint_changes_with_what_decides_a_price(other):
    assert other.fingerprint() != ARTEFACT.fingerprint()


def test_fingerprint_is_that_of_an_artefact_that_does_not_say_where_its_sales_end():
    known = replace(ARTEFACT, info=replace(ARTEFACT.info, sales_end="2026-01-08"))

    assert known.fingerprint() == ARTEFACT.fingerprint()


def test_fingerprint_holds_the_quantity_sensitivity_with_the_sensitivity_alone():
    """So that an artefact from before that column keeps its fingerprint."""
    known = replace(ARTEFACT, products=ARTEFACT.products.with_columns(quantity_sensitivity=pl.lit(0.4)))
    before = replace(ARTEFACT, products=ARTEFACT.products.drop("quantity_sensitivity"))

    assert known.fingerprint() == before.fingerprint() == ARTEFACT.fingerprint()


def test_artefact_from_before_the_quantity_sensitivity_stays_readable(tmp_path):
    before = replace(ARTEFACT, products=ARTEFACT.products.drop("quantity_sensitivity"))
    write_artefact(before, tmp_path / "demand")

    found = read_artefact(tmp_path / "demand")

    assert found.fingerprint() == before.fingerprint()
    assert found.products["quantity_sensitivity"].to_list() == [0.0] * found.products.height


def test_what_is_known_of_categories_is_kept_and_decides_no_price(tmp_path):
    known = pl.DataFrame({"category_id": ["c0"], "season": [0.1], "season_low": [0.0], "season_high": [0.2],
                          "sensitivity_from_log": [0.5]})  # fmt: skip
    write_artefact(replace(ARTEFACT, categories=known), tmp_path / "demand")

    found = read_artefact(tmp_path / "demand")

    later = {"prior_elasticity": pl.lit(None, pl.Float64), "dissimilarity": pl.lit(1.0)}
    assert found.categories.equals(known.with_columns(**later))
    assert found.fingerprint() == ARTEFACT.fingerprint()
    known.with_columns(sensitivity_from_log=1.5).write_parquet(tmp_path / "demand/categories.parquet")
    with pytest.raises(InputError, match="sensitivity_from_log"):
        read_artefact(tmp_path / "demand")


@pytest.mark.parametrize("value", [-0.1, float("nan")])
def test_negative_or_unknown_quantity_sensitivity_is_refused(tmp_path, value):
    products = ARTEFACT.products.with_columns(quantity_sensitivity=pl.lit(value))
    write_artefact(replace(ARTEFACT, products=products), tmp_path / "demand")

    with pytest.raises(InputError, match=r"quantity_sensitivity.*train it again"):
        read_artefact(tmp_path / "demand")


@pytest.mark.parametrize(
    ("ids", "categories", "broken"),
    [
        (["p", "q", None, None], ["c", "c", "c", "d"], 0),
        (["p", "p", None, None], ["c", "d", "c", "d"], 2),
        (["p", "q", None, None], ["c", "d", "c", "c"], 2),
        ([None, "p", "q", "r"], ["c", "c", "c", "c"], 0),
    ],
)
def test_product_and_fallback_of_a_category_are_there_once(tmp_path, ids, categories, broken):
    artefact = small_artefact(3, products=4)
    products = artefact.products.with_columns(product_id=pl.Series(ids), category_id=pl.Series(categories))
    write_artefact(replace(artefact, products=products), tmp_path / "demand")

    if not broken:
        assert read_artefact(tmp_path / "demand").products.equals(products)
        return
    with pytest.raises(InputError, match=f"DemandProducts breaks {{'product_is_unique': {broken}}}"):
        read_artefact(tmp_path / "demand")


@pytest.mark.parametrize("form", ["factors", "dense"])
@pytest.mark.parametrize(("value", "found"), [(np.nan, "must be finite"), (1e19, r"must stay below 5e\+06 in size")])
def test_appeals_that_are_no_demand_are_refused(tmp_path, form, value, found):
    artefact = small_artefact(3, form=form)
    write_artefact(artefact, tmp_path / "demand")
    name = "product_appeal" if form == "factors" else "appeal"
    artefact.factors[name][1, 0] = value
    save_file(artefact.factors, tmp_path / "demand" / "factors.safetensors")

    with pytest.raises(InputError, match=f"demand is not valid: .*appeal {found}"):
        read_artefact(tmp_path / "demand")


@pytest.mark.parametrize("form", ["factors", "dense"])
def test_factors_read_in_parts_are_those_written(tmp_path, monkeypatch, form):
    monkeypatch.setattr(artefact_files, "NUMBERS_AT_ONCE", 7)
    artefact = small_artefact(3, form=form)
    write_artefact(artefact, tmp_path / "demand")

    found = read_artefact(tmp_path / "demand").factors

    assert {name: factor.tolist() for name, factor in found.items()} == {
        name: factor.tolist() for name, factor in artefact.factors.items()
    }


@pytest.mark.parametrize(
    ("ids", "broken"),
    [([None, "a", "b"], "{'segment_is_given': 1}"), (["a", "a", "b"], "{'segment_is_unique': 2}")],
)
@pytest.mark.parametrize("read", [read_artefact, read_segments])
def test_every_segment_has_an_id_of_its_own(tmp_path, ids, broken, read):
    artefact = small_artefact(3, segments=3)
    segments = artefact.segments.with_columns(segment_id=pl.Series(ids))
    write_artefact(replace(artefact, segments=segments), tmp_path / "demand")

    with pytest.raises(InputError, match=f"Segments breaks {broken}"):
        read(tmp_path / "demand")


def test_dissimilarities_decide_prices_and_come_back_by_category(tmp_path):
    nested = with_dissimilarity(ARTEFACT, {"c1": 0.4, "c0": 1.0, "gone": 0.2})
    write_artefact(nested, tmp_path / "demand")

    found = read_artefact(tmp_path / "demand")

    assert found.dissimilarity_of(pl.Series(["c0", "c1", "c5"])).tolist() == [1.0, 0.4, 1.0]
    assert found.fingerprint() == nested.fingerprint() != ARTEFACT.fingerprint()
    other = with_dissimilarity(ARTEFACT, {"c2": 0.4})
    assert other.fingerprint() != nested.fingerprint()
    assert with_dissimilarity(ARTEFACT, {"c1": 1.0}).fingerprint() == ARTEFACT.fingerprint()


@pytest.mark.parametrize("wrong", [0.0, 1.5, None])
def test_dissimilarities_out_of_range_are_refused(tmp_path, wrong):
    write_artefact(with_dissimilarity(ARTEFACT, {"c1": wrong}), tmp_path / "demand")

    with pytest.raises(InputError, match=r"DemandCategories breaks .*dissimilarity"):
        read_artefact(tmp_path / "demand")


@pytest.mark.parametrize("form", ["factors", "dense"])
@pytest.mark.parametrize("at_once", [5, 10**6])
def test_rows_are_read_as_the_whole_artefact_has_them(tmp_path, monkeypatch, form, at_once):
    monkeypatch.setattr(artefact_files, "NUMBERS_AT_ONCE", at_once)
    whole = small_artefact(3, form=form)
    offsets = pl.DataFrame({"product_id": ["p001", "p007"], "appeal_offset": [0.1, 0.2], "sensitivity_offset": 0.0})
    write_artefact(replace(whole, offsets=offsets), tmp_path / "demand")

    part = read_artefact(tmp_path / "demand", slice(5, 19))

    assert part.products.equals(whole.products[5:19])
    assert part.offsets.equals(offsets[1:])
    for name, factor in part.factors.items():
        expected = whole.factors[name]
        chosen = expected[5:19] if name.startswith("product") else expected
        assert np.array_equal(factor, chosen[:, 5:19] if form == "dense" else chosen)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_every_file_has_the_rights_that_the_umask_leaves(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_artefact(ARTEFACT, tmp_path / "demand")
    finally:
        os.umask(before)

    rights = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "demand").iterdir()}
    assert rights["factors.safetensors"] == 0o666 & ~umask
    assert {*rights.values()} == {0o666 & ~umask}
