"""All prices are in one currency: `inspect` finds or asks which, and no job reads an amount in another one."""

import polars as pl
import pytest
import yaml

from gpu_pricer.data.sources.source import CELLS
from tests.jobs.conftest import ANSWER, LINES, PREPARE


def cells(*others, usual="EUR"):
    """Cells of 120 lines, the first of which are the others."""
    return [*others, *[usual] * (LINES.height - len(others))]


def settings(folder):
    return yaml.safe_load((folder / "own/data/shop.yaml").read_text())


def units(folder):
    return pl.read_parquet(folder / "work/data/sales.parquet")["units"].sum()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize(("name", "usual"), [("Currency", "EUR"), ("Währung", "eur"), ("devise", "€")])
def test_a_column_of_currencies_tells_the_currency(gpu_pricer, own_files, tmp_path, ending, name, usual):
    own_files(ending, **{name: cells(usual=usual)})

    ended = gpu_pricer("inspect", "shop")

    assert ended.status == 0, ended.out
    assert "which currency lines are in (by its cells)" in ended.out
    assert settings(tmp_path)["currency"] == "EUR"
    assert gpu_pricer(*PREPARE).status == 0
    assert units(tmp_path) == LINES.height


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_lines_in_another_currency_are_left_out_once_the_user_names_one(gpu_pricer, own_files, tmp_path, ending):
    own_files(ending, Currency=cells("CHF", None, "CHF"), Status=cells(None, "storniert", usual="ok"))

    asked = gpu_pricer("inspect", "shop")
    inspected = gpu_pricer("inspect", "shop", ANSWER)
    prepared = gpu_pricer(*PREPARE)

    assert asked.status == 2
    assert "lines are in EUR (117 lines), CHF (2 lines); those in another one than you name" in asked.out
    assert "     inspect.currency=CHF" in asked.out
    assert (inspected.status, prepared.status) == (0, 0), inspected.out
    assert "left out, in another one: 2 CHF" in inspected.out
    told = "has 3 lines that do not count: 2 Currency='CHF', 1 Status='storniert'"
    assert any("left out: " in line and told in line for line in prepared.log)
    aside = pl.read_parquet(tmp_path / "work/data/quarantine/transactions_left_out.parquet")
    assert sorted(aside[CELLS]) == ["Currency='CHF'", "Currency='CHF'", "Status='storniert'"]
    assert units(tmp_path) == LINES.height - 3


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_currency_that_inspect_did_not_see_is_not_read_at_night(gpu_pricer, own_files, tmp_path, ending):
    own_files(ending, Currency=cells())
    assert gpu_pricer("inspect", "shop").status == 0
    own_files(ending, Currency=cells("USD"))

    prepared = gpu_pricer(*PREPARE)

    assert prepared.status == 0, prepared.said
    assert any("breaks cells_are_readable in 1 rows" in line and "Currency='USD'" in line for line in prepared.log)
    assert units(tmp_path) == LINES.height - 1


def test_an_amount_that_is_marked_with_another_currency_is_not_read_at_night(gpu_pricer, own_files, tmp_path):
    own_files()
    assert gpu_pricer("inspect", "shop", ANSWER).status == 0
    own_files(price=["$1.50", "1.50 €", "Fr. 2.50", *LINES["price"][3:].cast(pl.String)])

    prepared = gpu_pricer(*PREPARE)

    assert prepared.status == 0, prepared.said
    told = "breaks cells_are_readable in 2 rows, such as line 2 price='$1.50'; line 4 price='Fr. 2.50'"
    assert any(told in line for line in prepared.log)
    assert units(tmp_path) == LINES.height - 2


def test_a_list_of_products_in_several_currencies_is_refused(gpu_pricer, own_files, tmp_path):
    own_files(Currency=cells())
    (tmp_path / "shop/catalog.csv").write_text("sku,category,cost,currency\n01,tea,0.5,EUR\n02,tea,1.0,CHF\n")

    said = gpu_pricer("inspect", "shop", ANSWER).said[0]

    assert "in one currency, found inspect.currency=EUR and currency of shop/catalog.csv in CHF (inspect." in said


def test_a_log_that_is_all_in_another_currency_than_the_user_says_is_refused(gpu_pricer, own_files):
    own_files(Currency=cells(usual="CHF"))

    said = gpu_pricer("inspect", "shop", ANSWER).said[0]

    assert "found inspect.currency=EUR and Currency of shop/sales.csv in CHF (inspect.currency_column=none" in said
    assert gpu_pricer("inspect", "shop", ANSWER, "inspect.currency_column=none").status == 0


def test_of_two_columns_of_currencies_the_user_names_one(gpu_pricer, own_files, tmp_path):
    own_files(Currency=cells(usual="USD"), ccy=cells())

    asked = gpu_pricer("inspect", "shop")
    told = gpu_pricer("inspect", "shop", "inspect.currency_column=ccy")
    lost = gpu_pricer("inspect", "shop", "inspect.currency_column=cy")

    assert "could be Currency (such as USD) or ccy (such as EUR); none: all amounts are in one" in asked.out
    assert (told.status, settings(tmp_path)["currency"]) == (0, "EUR")
    assert "inspect.currency_column must name a column of a file with amounts, found 'cy'" in lost.said[0]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_line_that_says_no_currency_or_in_small_letters_counts_at_night_too(gpu_pricer, own_files, tmp_path, ending):
    own_files(ending, Currency=cells())
    assert gpu_pricer("inspect", "shop").status == 0
    own_files(ending, Currency=cells(None, "eur"))

    assert gpu_pricer(*PREPARE).status == 0
    assert units(tmp_path) == LINES.height


@pytest.mark.parametrize(("other", "said"), [("HKD", "EUR"), ("Punkte", "EUR"), ("EUR", "AED")])
def test_an_unknown_currency_is_none_of_the_known_ones(gpu_pricer, own_files, tmp_path, other, said):
    own_files(Currency=cells(other, other, usual=said))

    asked = gpu_pricer("inspect", "shop")
    told = gpu_pricer("inspect", "shop", f"inspect.currency={said}")

    assert "which currency are the prices in?" in asked.out
    assert f"inspect.currency={said}" in asked.out
    assert f"left out, in another one: 2 {other}" in told.out
    assert gpu_pricer(*PREPARE).status == 0
    assert units(tmp_path) == LINES.height - 2


def test_the_currencies_of_customers_are_not_those_of_prices(gpu_pricer, own_files, tmp_path):
    own_files()
    customers = pl.DataFrame({"customer": [f"k{k}" for k in range(5)], "currency": ["EUR", "CHF", "EUR", "EUR", "CHF"]})
    customers.write_csv(tmp_path / "shop/customers.csv")

    assert gpu_pricer("inspect", "shop", ANSWER).status == 0
    assert gpu_pricer(*PREPARE).status == 0
    assert units(tmp_path) == LINES.height


def test_a_sign_of_several_currencies_is_asked_about_with_each_of_them(gpu_pricer, own_files):
    own_files(Currency=cells("kr", "DKK", usual="SEK"))

    asked = gpu_pricer("inspect", "shop").out

    assert [line.split("=")[1] for line in asked.splitlines() if "inspect.currency=" in line] == ["DKK", "SEK", "NOK"]


def test_names_of_currencies_are_read(gpu_pricer, own_files, tmp_path):
    own_files(Currency=cells("EUR", usual="Euro"))

    assert gpu_pricer("inspect", "shop").status == 0
    assert settings(tmp_path)["currency"] == "EUR"


def test_a_column_of_other_words_holds_no_currencies(gpu_pricer, own_files, tmp_path):
    own_files(Currency=cells(usual="Punkte"))

    assert "which currency are the prices in?" in gpu_pricer("inspect", "shop").out
    assert gpu_pricer("inspect", "shop", ANSWER).status == 0
    assert "in_currency" not in settings(tmp_path)["source"]["contents"]["transactions"][0]
