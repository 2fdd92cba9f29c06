"""Stated prices under other names: which `inspect` understands, which it asks about, and which are no prices."""

import re

import polars as pl
import pytest
import yaml

ANSWER = "inspect.currency=EUR"
SALES = {"customer": ["a", "b"] * 10, "sku": ["01", "02"] * 10, "date": ["2025-01-06", "2025-01-07"] * 10,
         "qty": [1] * 20, "price": [9.0 + step / 10 for step in range(20)]}  # fmt: skip
CATALOG = {"sku": ["01", "02"], "category": ["tea", "tea"], "cost": [4.0, 5.0]}


@pytest.fixture
def inspected(gpu_pricer, tmp_path):
    """inspected({column: cells}, *words) inspects a shop whose products have these columns too; None: not that one."""

    def inspect(columns, *words, suffix="csv"):
        (tmp_path / "shop").mkdir(exist_ok=True)
        pl.DataFrame(SALES).write_csv(tmp_path / "shop/sales.csv")
        cells = {name: cells for name, cells in (CATALOG | columns).items() if cells is not None}
        products = pl.DataFrame(cells)
        if suffix == "csv":
            products.write_csv(tmp_path / "shop/products.csv")
        else:
            products.write_parquet(tmp_path / "shop/products.parquet")
        return gpu_pricer("inspect", "shop", ANSWER, *words)

    return inspect


def columns_written(folder):
    [products] = yaml.safe_load((folder / "own/data/shop.yaml").read_text())["source"]["contents"]["products"]
    return products["columns"]


@pytest.mark.parametrize(("price", "list_price"), [
    ("current_price", "recommended_price"), ("price", "original_price"), ("Discounted price", "Full price"),
    ("Aktueller Preis", "Unverbindliche Preisempfehlung"), ("Preis", "Ursprünglicher Preis"),
    ("Prix actuel", "Prix conseillé"), ("Cena aktualna", "Cena sugerowana"), ("Precio actual", "Precio recomendado"),
    ("Prezzo attuale", "Prezzo consigliato"), ("Huidige prijs", "Aanbevolen prijs"), ("VK", "Compare-at price"),
])  # fmt: skip
def test_todays_prices_and_list_prices_of_products_are_known_in_seven_languages(inspected, tmp_path, price, list_price):
    ended = inspected({price: [9.0, 11.0], list_price: [12.0, 13.0]})

    assert ended.status == 0, ended.out
    known = columns_written(tmp_path)
    assert (known["price"], known["list_price"]) == (price, list_price)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_amount_that_no_name_tells_is_asked_about(inspected, tmp_path, suffix):
    amounts = {"actual_price": [9.5, 11.5], "Aktionspreis": [9.0, 11.0]}

    asked = inspected(amounts, suffix=suffix)

    assert asked.status == 2
    seen = "actual_price (such as 9.5, 11.5) and Aktionspreis (such as 9.0, 11.0) of shop/products"
    could = "price (today's price), list_price (today's price before discounts)"
    question = f"1. what are the amounts in {seen}.{suffix}? They could be {could} or, with other_amounts, an attribute"
    assert question in asked.out
    assert "     inspect.products.price=actual_price\n     inspect.products.list_price=actual_price\n" in asked.out
    assert "     'inspect.other_amounts=[actual_price,Aktionspreis]'\n" in asked.out
    assert "inspect.products.cost=" not in asked.out
    said = ("inspect.products.price=Aktionspreis", "inspect.products.list_price=actual_price")
    assert inspected(amounts, *said, suffix=suffix).status == 0
    known = columns_written(tmp_path)
    assert (known["price"], known["list_price"]) == ("Aktionspreis", "actual_price")


def test_an_amount_that_is_said_to_be_none_of_the_contract_is_an_attribute(inspected, tmp_path):
    ended = inspected({"actual_price": [9.5, 11.5]}, "inspect.other_amounts=[actual_price]")

    assert ended.status == 0, ended.out
    assert re.search(r"actual_price +actual_price \(attribute, not a price\)", ended.out)
    assert columns_written(tmp_path)["actual_price"] == "actual_price"
    text = (tmp_path / "own/data/shop.yaml").read_text()
    assert "'inspect.other_amounts=[actual_price]'" in text.splitlines()[0]


def test_where_all_prices_and_costs_are_known_a_further_amount_is_told_and_not_asked_about(inspected):
    ended = inspected({"price": [9.0, 11.0], "list_price": [12.0, 13.0], "unit_price": [9.0, 5.5]})

    assert ended.status == 0, ended.out
    assert re.search(r"unit_price +unit_price \(attribute, not a price\)", ended.out)


@pytest.mark.parametrize(("cells", "is_asked"), [
    ([0.9, 0.9], False), ([0.98, 3.0], False), ([1.1, 1.2], True), ([95.0, 96.0], True), ([100.0, 110.0], False),
    (["low", "high"], False), ([0, 1], False), (["9.5", "tbd"], False),
])  # fmt: skip
def test_only_numbers_of_the_size_of_the_prices_of_sales_are_asked_about(inspected, cells, is_asked):
    """The median of the prices of sales is 9.9."""
    ended = inspected({"price_step": cells})

    assert (ended.status == 2) == is_asked
    assert ("what are the amounts in price_step" in ended.out) == is_asked


@pytest.mark.parametrize(("name", "is_asked"), [
    ("ticketPrice", True), ("Sonderpreis", True), ("cost_2024", True), ("costo2", True), ("price (new)", True),
    ("retail", True), ("VKP1", True), ("Netto1", True), ("VKAlt", True), ("Lagerkosten", True),
    ("Prix d'achat 2", True), ("netto_gewicht", False), ("Netto Inhalt", False),
    ("scenario", False), ("weight", False), ("width_cm", False), ("cost_center", False), ("Kostenstelle", False),
    ("costume_count", False), ("costco_id", False), ("precious_metal", False), ("precioso", False),
    ("tariff_code", False), ("cenario", False), ("price_group", False), ("Kosten_Stelle", False),
])  # fmt: skip
def test_only_names_with_a_word_for_a_price_or_a_cost_are_asked_about(inspected, name, is_asked):
    assert (inspected({name: [9.5, 11.5]}).status == 2) == is_asked


@pytest.mark.parametrize(("columns", "words"), [
    ({"Preis": [9.0, 11.0], "Preis netto": [8.0, 10.0]}, ()),
    ({"msrp": [12.0, 13.0], "original_price": [12.0, 13.0]}, ("inspect.products.list_price=msrp",)),
    ({"actual_price": [9.0, 11.0]}, ("inspect.products.price=none", "inspect.products.list_price=none")),
])  # fmt: skip
def test_what_is_another_name_of_a_known_amount_or_was_passed_by_is_not_asked_again(inspected, columns, words):
    ended = inspected(columns, *words)

    assert ended.status == 0, ended.out


@pytest.mark.parametrize(("said", "told"), [
    ("[prise]", "inspect.other_amounts must name columns of products, found 'prise', but only sku, category, cost"),
    ("price", "inspect.other_amounts must be a list of words, found 'price': write it as [A,B]"),
])  # fmt: skip
def test_an_answer_that_is_no_list_of_columns_is_refused(inspected, said, told):
    ended = inspected({}, f"inspect.other_amounts={said}")

    assert ended.status == 2
    assert told in ended.said[-1]
