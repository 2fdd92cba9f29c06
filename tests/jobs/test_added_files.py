"""Files beside the list of products: their columns are added to it by a common id."""

import polars as pl
import pytest
import yaml

from tests.jobs.conftest import ANSWER, PREPARE

LIST = "sku;ean;category;cost\n01;400;tea;0,50\n02;401;tea;1,00\n"
STOCK = "sku;Bestand;Lager\n02;20;Ulm\n01;10;Bonn\n03;7;Bonn\n"
MARKET = "ean;Preis\n401;2,49\n400;1,59\n"
ID = "inspect.products.product_id=sku"


@pytest.fixture
def shop(own_files, tmp_path):
    """shop({name: text}) writes the sales, and these files instead of a catalog."""
    own_files()
    (tmp_path / "shop/catalog.csv").unlink()

    def write(files):
        for name, text in files.items():
            (tmp_path / "shop" / name).write_text(text)

    return write


def products(folder):
    return pl.read_parquet(folder / "work/data/products.parquet").sort("product_id")


def test_stocks_and_prices_of_competitors_are_added_to_the_products(gpu_pricer, shop, tmp_path):
    shop({"artikel.csv": LIST, "bestand.csv": STOCK, "wettbewerb.csv": MARKET})

    told = gpu_pricer("inspect", "shop", ANSWER, ID)
    prepared = gpu_pricer(*PREPARE)

    assert (told.status, prepared.status) == (0, 0), told.out
    added = "and adds columns to shop/artikel.csv by"
    assert f"shop/bestand.csv is products, {added} sku, 2 of whose 2 products it has: 3 rows" in told.out
    assert f"shop/wettbewerb.csv is products, {added} ean, 2 of whose 2 products it has: 2 rows" in told.out
    assert "Preis  competitor_price (by the file's name)" in told.out
    found = products(tmp_path).select("product_id", "price", "cost", "stock", "competitor_price", "Lager")
    assert found.rows() == [("01", 1.5, 0.5, 10, 1.59, "Bonn"), ("02", 2.5, 1.0, 20, 2.49, "Ulm")]
    added = yaml.safe_load((tmp_path / "own/data/shop.yaml").read_text())["source"]["added"]["products"]
    assert [each["key"] for each in added] == ["product_id", "ean"]


def test_parquet_files_are_added_as_csv_files_are(gpu_pricer, shop, tmp_path):
    shop({"artikel.csv": LIST})
    pl.DataFrame({"ean": [400, 401], "stock": [10, 20]}).write_parquet(tmp_path / "shop/bestand.parquet")

    told = gpu_pricer("inspect", "shop", ANSWER, ID)

    assert told.status == 0, told.out
    assert gpu_pricer(*PREPARE).status == 0
    assert products(tmp_path)["stock"].to_list() == [10, 20]


def test_a_column_that_two_files_have_is_asked_and_each_answer_is_taken(gpu_pricer, shop, tmp_path):
    shop({"artikel.csv": LIST, "kosten.csv": "sku;EK;VK\n01;0,60;1,50\n02;1,10;2,50\n"})

    asked = gpu_pricer("inspect", "shop", ANSWER, ID)

    assert asked.status == 2
    assert "1. which file has cost (unit cost" in asked.out
    assert "cost of shop/artikel.csv or EK of shop/kosten.csv\n" in asked.out
    costs = {}
    for column in ("cost", "EK"):
        answer = f"inspect.products.cost={column}"
        assert f"     {answer}\n" in asked.out
        assert gpu_pricer("inspect", "shop", ANSWER, ID, answer).status == 0
        assert gpu_pricer(*PREPARE).status == 0
        costs[column] = products(tmp_path)["cost"].to_list()
    assert costs == {"cost": [0.5, 1.0], "EK": [0.6, 1.1]}


def test_which_file_is_the_list_of_products_can_be_said(gpu_pricer, shop, tmp_path):
    shop({"a.csv": "sku;cost\n01;0,50\n02;1,00\n", "b.csv": STOCK})

    asked = gpu_pricer("inspect", "shop", ANSWER)
    words = ("inspect.products.file=a.csv", "inspect.products.category_id=none")
    told = gpu_pricer("inspect", "shop", ANSWER, *words)

    assert asked.status == 2
    assert "1. which file lists the products? shop/a.csv and shop/b.csv hold some; the columns of the" in asked.out
    assert "     inspect.products.file=a.csv\n     inspect.products.file=b.csv\n" in asked.out
    assert told.status == 0, told.out
    assert gpu_pricer(*PREPARE).status == 0
    assert products(tmp_path).select("product_id", "stock", "cost").rows() == [("01", 10, 0.5), ("02", 20, 1.0)]


@pytest.mark.parametrize("costs", ["produkte.csv", "kosten.csv"])
def test_no_product_is_lost_to_a_file_with_categories_of_some(gpu_pricer, shop, tmp_path, costs):
    shop({costs: "sku;cost\n01;0,50\n02;1,00\n", "warengruppen.csv": "sku;category\n01;tea\n"})

    told = gpu_pricer("inspect", "shop", ANSWER)

    if costs == "kosten.csv":
        assert told.status == 2
        assert "1. which file lists the products? shop/kosten.csv and shop/warengruppen.csv hold some" in told.out
        told = gpu_pricer("inspect", "shop", ANSWER, "inspect.products.file=kosten.csv")
    assert told.status == 0, told.out
    assert f"and adds columns to shop/{costs} by sku, 1 of whose 2 products it has" in told.out
    assert "product_is_known" not in told.out
    assert gpu_pricer(*PREPARE).status == 0
    assert products(tmp_path).select("product_id", "cost").rows() == [("01", 0.5), ("02", 1.0)]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_costs_of_products_that_are_not_listed_are_none_of_the_list(gpu_pricer, shop, tmp_path, ending):
    shop({"artikel.csv": "sku;category\n01;tea\n02;tea\n03;tea\n"})
    costs = pl.DataFrame({"sku": ["02", "01", "03", "04", "05"], "EK": [None, None, 1.5, 1.6, 1.7]})
    getattr(costs, f"write_{ending}")(tmp_path / f"shop/bestand.{ending}")

    asked = gpu_pricer("inspect", "shop", ANSWER)
    told = gpu_pricer("inspect", "shop", ANSWER, "inspect.cost_ratio=0.65")

    assert asked.status == 2
    assert "1. what is the unit cost over the list price? 2 products of shop/artikel.csv have no cost" in asked.out
    assert (told.status, gpu_pricer(*PREPARE).status) == (0, 0), told.out


def test_prices_of_our_own_stores_called_markt_are_no_competitors(gpu_pricer, shop):
    shop({"artikel.csv": LIST, "markt_preise.csv": MARKET})

    told = gpu_pricer("inspect", "shop", ANSWER, ID)

    assert told.status == 0, told.out
    assert "Preis  price (by its name)" in told.out
    assert "competitor_price" not in told.out


def test_an_id_that_is_there_twice_later_on_is_refused(gpu_pricer, shop, tmp_path):
    shop({"artikel.csv": LIST, "bestand.csv": STOCK})
    assert gpu_pricer("inspect", "shop", ANSWER, ID).status == 0
    shop({"bestand.csv": STOCK + "01;11;Ulm\n"})

    prepared = gpu_pricer(*PREPARE)

    assert prepared.status == 2
    assert "bestand.csv must have one row for each product_id, found 2 for '01': keep one row each" in prepared.said[0]


def test_lists_of_other_products_are_below_each_other_as_before(gpu_pricer, shop, tmp_path):
    shop({"artikel.csv": "sku;category;cost\n01;tea;0,50\n", "products.csv": "sku;category;cost;x\n02;tea;1,00;y\n"})

    told = gpu_pricer("inspect", "shop", ANSWER)

    assert told.status == 0, told.out
    assert gpu_pricer(*PREPARE).status == 0
    assert products(tmp_path)["product_id"].to_list() == ["01", "02"]


def test_stocks_are_added_where_another_file_lists_further_products(gpu_pricer, shop, tmp_path):
    first, second = "sku;category;cost\n01;tea;0,50\n", "sku;category;cost;x\n02;tea;1,00;y\n"
    shop({"artikel.csv": first, "products.csv": second, "bestand.csv": "sku;Bestand\n01;10\n"})

    told = gpu_pricer("inspect", "shop", ANSWER, "inspect.products.file=artikel.csv")

    assert told.status == 0, told.out
    assert gpu_pricer(*PREPARE).status == 0
    assert products(tmp_path)["stock"].to_list() == [10, None]
