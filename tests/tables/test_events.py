"""Events: what of a file of changes reaches the catalog, and what is refused."""

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.events import changed_products, event_files, read_events, updated_catalog

CATALOG = pl.DataFrame(
    {
        "product_id": [1, 2, 3],
        "category_id": ["a", "a", None],
        "price": [1.0, 2.0, 3.0],
        "cost": [0.5, 1.0, 1.5],
        "availability": [None, None, None],
        "cost_source": ["assumed", "given", "assumed"],
    },
    schema_overrides={"cost_source": pl.Enum(["given", "assumed"])},
)


def events(**columns):
    return pl.DataFrame({"withdrawn": [None] * len(columns["product_id"]), **columns})


def rows(catalog):
    return {row["product_id"]: row for row in catalog.iter_rows(named=True)}


def test_null_leaves_a_value_and_the_last_one_counts():
    found = updated_catalog(CATALOG, events(product_id=[1, 1, 1], price=[1.1, 1.2, None], cost=[None, 0.6, None]))

    assert rows(found)[1] == rows(CATALOG)[1] | {"price": 1.2, "cost": 0.6, "cost_source": "given"}
    assert [rows(found)[id_] for id_ in (2, 3)] == [rows(CATALOG)[id_] for id_ in (2, 3)]


def test_availability_enters_a_catalog_that_had_none():
    found = updated_catalog(CATALOG, events(product_id=[2], availability=[0.25]))

    assert rows(found)[2]["availability"] == 0.25
    assert rows(found)[1]["availability"] is None


def test_withdrawn_product_goes_and_comes_back_whole():
    gone = updated_catalog(CATALOG, events(product_id=[2, 9], withdrawn=[1.0, 1.0]))
    assert [*rows(gone)] == [1, 3]

    back = updated_catalog(gone, events(product_id=[2], category_id=["a"], price=[2.5], cost=[1.0]))
    assert rows(back)[2] == rows(CATALOG)[2] | {"price": 2.5}


@pytest.mark.parametrize(("last", "remaining"), [(None, [1, 3]), (0.0, [1, 2, 3])])
def test_a_withdrawn_product_is_restored_by_a_later_event_that_says_so(last, remaining):
    found = updated_catalog(CATALOG, events(product_id=[2, 2], cost=[None, 1.5], withdrawn=[1.0, last]))

    assert [*rows(found)] == remaining


def test_a_blank_category_of_an_event_is_none(tmp_path):
    path = tmp_path / "events.parquet"
    pl.DataFrame({"product_id": [7, 8], "category_id": [" ", "a "]}).write_parquet(path)

    assert read_events([path])["category_id"].to_list() == [None, "a"]


def test_event_that_repeats_what_is_known_changes_no_product():
    found = updated_catalog(CATALOG, events(product_id=[2, 1], price=[2.0, 1.5]))

    assert {*changed_products(CATALOG, found)["product_id"]} == {1}


def test_a_vat_rate_for_prices_without_vat_is_refused():
    events = pl.DataFrame({"product_id": CATALOG["product_id"][:1], "vat_rate": [0.07]})

    with pytest.raises(InputError, match="no vat_rate, since the version's prices include no VAT: leave it out"):
        updated_catalog(CATALOG, events)


def test_an_event_changes_a_vat_rate_and_a_new_product_needs_one_where_the_others_have():
    catalog = CATALOG.with_columns(vat_rate=0.19)
    new = {"product_id": [9], "category_id": ["a"], "price": [1.0], "cost": [0.5]}

    found = updated_catalog(catalog, events(product_id=[2], vat_rate=[0.07]))

    assert found["vat_rate"].to_list() == [0.19, 0.07, 0.19]
    with pytest.raises(
        InputError, match=r"found none for 1 products such as \[9\]: state the vat_rate of a new product"
    ):
        updated_catalog(catalog, events(**new))
    with pytest.raises(InputError, match=r"did you mean 0.07\?"):
        updated_catalog(catalog, events(product_id=[2], vat_rate=[7.0]))


def test_product_that_changes_its_category_touches_both():
    found = updated_catalog(CATALOG, events(product_id=[2], category_id=["b"]))

    assert {*changed_products(CATALOG, found)["category_id"]} == {"a", "b"}


def test_column_that_no_rule_reads_is_said_and_left_out(caplog):
    found = updated_catalog(CATALOG, events(product_id=[1], price=[1.5], stock=[10.0]))

    assert "stock" not in found.columns
    assert "no rule of the version's policy reads stock" in caplog.text


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"product_id": [1], "colour": ["red"]}, "found colour: leave them out"),
        ({"product_id": [4], "price": [1.0]}, "cost"),
        ({"product_id": ["1"], "price": [1.0]}, "must be Int64 as in the catalog, found String"),
    ],
)
def test_event_that_cannot_be_right_is_refused(columns, said):
    with pytest.raises(InputError, match=said):
        updated_catalog(CATALOG, events(**columns))


def test_withdrawal_of_a_product_that_the_catalog_lacks_is_said(caplog):
    found = updated_catalog(CATALOG, events(product_id=[999], withdrawn=[1.0]))

    assert found.equals(CATALOG)
    assert "1 products to be withdrawn are not in the catalog, such as [999]" in caplog.text


def test_unfinished_files_of_a_folder_do_not_count(tmp_path):
    for name in ("b.parquet", "a.parquet", ".c.parquet", "_d.parquet", "e.csv"):
        (tmp_path / name).touch()

    assert [path.name for path in event_files(tmp_path)] == ["a.parquet", "b.parquet"]
