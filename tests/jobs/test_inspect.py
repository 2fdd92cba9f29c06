"""What `inspect` understands, what it asks, and what it never guesses."""

import re
import shlex
from pathlib import Path

import polars as pl
import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from gpu_pricer.data.intake.vocabulary import GROSS, NET
from gpu_pricer.data.plain_words import plain_word
from gpu_pricer.data.raw.raw_tables import SCHEMAS
from gpu_pricer.data.sources.cells import values
from tests.docs.pages import ROOT

SALES = {
    "customer": ["a", "b", "a", "b"], "sku": ["01", "02", "01", "02"],
    "sold_at": ["2025-01-06", "2025-01-07", "2025-01-13", "2025-01-14"],
    "qty": [1, 1, 2, 1], "price": [1.5, 2.5, 1.6, 2.4],
}  # fmt: skip
CATALOG = {"sku": ["01", "02"], "category": ["tea", "tea"], "cost": [0.5, 1.0], "brand": ["x", "y"]}
ANSWER = "inspect.currency=EUR"


@pytest.fixture
def shop(tmp_path):
    """shop(sales={...}) writes shop/sales.csv and shop/catalog.csv with columns changed, added or left out (None)."""
    (tmp_path / "shop").mkdir()

    def write(sales=None, catalog=None):
        for name, usual, changes in (("sales", SALES, sales or {}), ("catalog", CATALOG, catalog or {})):
            columns = {column: cells for column, cells in (usual | changes).items() if cells is not None}
            pl.DataFrame(columns).write_csv(tmp_path / "shop" / f"{name}.csv")

    return write


def test_every_column_of_the_contract_can_be_answered_and_has_its_words():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        settings = compose("config").inspect

    for table, schema in SCHEMAS.items():
        assert list(settings[table]) == ["file", *schema.column_names()]
    named = {name for schema in SCHEMAS.values() for name in schema.column_names()}
    assert {*settings.vocabulary} == named
    words = [word for names in settings.vocabulary.values() for word in names]
    assert len({*words}) == len(words)
    assert [word for word in words if plain_word(word) != word] == []
    assert [*settings.vat] == [NET, GROSS]


PROTECTED = {
    "English": ["Age", "Birth year", "Date of birth", "DOB", "Birthday", "Gender", "Salutation", "Household income",
                "Marital status", "Number of children", "Nationality", "Citizenship", "Religion", "Ethnicity"],
    "German": ["Alter", "Altersgruppe", "Geburtsjahr", "Geburtsdatum", "Geb.-Datum", "Geschlecht", "Anrede", "Gehalt",
               "Familienstand", "Anzahl Kinder", "Nationalität", "NATIONALITAET", "Staatsangehörigkeit",
               "Staatsangehoerigkeit", "Konfession", "Religionszugehörigkeit", "Behinderung"],
    "French": ["Âge", "Tranche d'âge", "Année de naissance", "Date de naissance", "Sexe", "Civilité", "Revenus",
               "État civil", "Situation familiale", "Nombre d'enfants", "Nationalité", "Religion", "Handicap"],
    "Polish": ["Wiek", "Rok urodzenia", "Data urodzenia", "Płeć", "Dochód", "Stan cywilny", "Liczba dzieci",
               "Narodowość", "Wyznanie", "Niepełnosprawność"],
    "Spanish": ["Edad", "Año de nacimiento", "Fecha de nacimiento", "Sexo", "Género", "Ingresos", "Estado civil",
                "Número de hijos", "Nacionalidad", "Discapacidad"],
    "Italian": ["Età", "Anno di nascita", "Data di nascita", "Sesso", "Genere", "Reddito", "Stato civile", "Figli",
                "Nazionalità", "Disabilità"],
    "Dutch": ["Leeftijd", "Geboortejaar", "Geboortedatum", "Geslacht", "Inkomen", "Burgerlijke staat",
              "Aantal kinderen", "Nationaliteit", "Godsdienst"],
}  # fmt: skip
UNREAD = {
    "English": ["Name", "First name", "Last name", "Full name", "E-mail address", "Phone number", "Mobile",
                "Street", "Address line 1", "IBAN", "Passport number"],
    "German": ["Vorname", "Nachname", "E-Mail", "E-Mail-Adresse", "Telefonnummer", "Tel.-Nr.", "Mobil", "Handy",
               "Adresse", "Straße", "Strasse", "Straße/Hausnr.", "Anschrift", "Kontonummer", "Steuernummer"],
    "French": ["Nom", "Prénom", "Nom de famille", "Courriel", "Adresse e-mail", "Téléphone", "Téléphone portable",
               "Adresse", "Rue", "Adresse postale", "Carte bancaire", "Numéro de sécurité sociale"],
    "Polish": ["Imię", "Nazwisko", "Imię i nazwisko", "E-mail", "Nr telefonu", "Adres", "Ulica", "PESEL"],
    "Spanish": ["Nombre", "Apellidos", "Correo electrónico", "Teléfono", "Móvil", "Dirección", "Calle", "DNI"],
    "Italian": ["Nome", "Cognome", "Telefono", "Cellulare", "Indirizzo", "Codice fiscale"],
    "Dutch": ["Voornaam", "Achternaam", "E-mailadres", "Telefoonnummer", "Adres", "Straat", "BSN"],
}  # fmt: skip
ORDINARY = ["PLZ", "Postcode", "Ville", "Kundengruppe", "Newsletter", "Kunde seit", "Langue", "Revenue", "Channel"]


@pytest.fixture
def members(shop, tmp_path):
    """members({column: cells}) writes a shop whose 200 users have these columns."""

    def write(columns):
        shop(sales={"customer": [f"{user}" for user in (100, 101, 102, 103)]})
        users = {"customer": range(100, 300)} | columns
        pl.DataFrame(users).write_csv(tmp_path / "shop/members.csv")

    return write


@pytest.mark.parametrize("language", PROTECTED)
def test_protected_and_personal_columns_are_known_in_seven_languages(gpu_pricer, members, tmp_path, language):
    names = [*PROTECTED[language], *UNREAD[language], *ORDINARY]
    members({name: ["x", "y"] * 100 for name in names})

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0, ended.said
    assert written(tmp_path)["protected"] == PROTECTED[language]
    [users] = written(tmp_path)["source"]["contents"]["users"]
    assert [*users["columns"]] == ["user_id", *PROTECTED[language], *ORDINARY]


def test_years_and_days_of_birth_are_read_so_that_an_audit_can_group_them(gpu_pricer, members, tmp_path):
    days = pl.date_range(pl.date(1950, 1, 1), pl.date(1950, 7, 19), eager=True).to_list()
    words = [f"{day:%d.%m.%Y}" for day in days]
    members({"Geburtsjahr": [*range(1900, 2000)] * 2, "Geburtsdatum": words, "Kinder": [0, 1] * 100,
             "Geburtstag": [*words[:-1], "00.00.0000"]})  # fmt: skip

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0, ended.said
    [users] = written(tmp_path)["source"]["contents"]["users"]
    kinds = {"Geburtsjahr": "decimal_point", "Geburtsdatum": "%d.%m.%Y", "Kinder": "text"}
    assert users["kinds"] == {"user_id": "text"} | kinds
    assert written(tmp_path)["protected"] == [*kinds]
    assert "  Geburtstag    not read" in ended.out


def written(folder):
    return yaml.safe_load((folder / "own/data/shop.yaml").read_text())


def test_a_column_of_vat_rates_is_known_and_whether_prices_include_vat_is_asked(gpu_pricer, shop, tmp_path):
    shop(catalog={"MwSt-Satz": [0.19, 0.07]})

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 2
    assert re.search(r"MwSt-Satz +vat_rate \(by its name\) +decimal point", ended.out)
    assert (
        "do the prices include VAT? MwSt-Satz seems to hold its rates\n     inspect.price_includes_vat=true"
        in ended.out
    )
    assert gpu_pricer("inspect", "shop", ANSWER, "inspect.price_includes_vat=true").status == 0
    assert written(tmp_path)["catalog"] == {"price_includes_vat": True}
    assert written(tmp_path)["source"]["contents"]["products"][0]["columns"]["vat_rate"] == "MwSt-Satz"


@pytest.mark.parametrize(
    ("price", "cost"),
    [("VK brutto", "EK netto"), ("VK-Preis brutto", "EK-Preis netto"), ("Bruttopreis", "Netto-EK"),
     ("Verkaufspreis (brutto)", "Einkaufspreis netto"), ("Prix TTC", "Prix d'achat HT"),
     ("Price incl. VAT", "Cost excl. VAT")],
)  # fmt: skip
def test_amounts_with_and_without_vat_are_known_and_gross_prices_are_asked_about(
    gpu_pricer, shop, tmp_path, price, cost
):
    shop(sales={"price": None, price: SALES["price"]}, catalog={"cost": None, price: [1.6, 2.4], cost: [0.5, 1.0]})

    asked = gpu_pricer("inspect", "shop", ANSWER)

    assert asked.status == 2
    said = f"By their names, {price} of shop/sales.csv and {price} of shop/catalog.csv include VAT"
    assert f"1. do the prices include VAT? {said}\n     inspect.price_includes_vat=true\n" in asked.out
    assert "\n2. " not in asked.out
    told = gpu_pricer("inspect", "shop", ANSWER, "inspect.price_includes_vat=true", "inspect.vat_rate=0.19")
    assert told.status == 0, told.said
    contents = written(tmp_path)["source"]["contents"]
    assert contents["transactions"][0]["columns"]["price"] == price
    assert {name: contents["products"][0]["columns"][name] for name in ("price", "cost")} == {
        "price": price,
        "cost": cost,
    }


def in_two_files(folder, user):
    """Write the lines of two stores; `user` is the header of the customers' ids."""
    lines = pl.DataFrame(SALES).rename({next(iter(SALES)): user})
    for store in (1, 2):
        lines.write_csv(folder / "shop" / f"bons_{store}.csv")
    (folder / "shop" / "sales.csv").unlink()


def test_a_column_said_to_hold_user_ids_tells_the_table_of_every_file(gpu_pricer, shop, tmp_path):
    shop()
    in_two_files(tmp_path, "Treuenummer")

    asked = gpu_pricer("inspect", "shop", ANSWER)
    ended = gpu_pricer("inspect", "shop", ANSWER, "inspect.transactions.user_id=Treuenummer")

    assert asked.status == 2
    assert "which table is shop/bons_*.csv" in asked.out
    [suggested] = (line for line in asked.out.splitlines() if "inspect.transactions.file=" in line)
    assert "which table is" not in gpu_pricer("inspect", "shop", ANSWER, *shlex.split(suggested)).out
    assert "which table is" not in ended.out
    assert ended.status == 0


def test_several_files_can_be_said_to_be_one_table(gpu_pricer, shop, tmp_path):
    shop()
    in_two_files(tmp_path, "Treuenummer")

    ended = gpu_pricer("inspect", "shop", ANSWER, "inspect.transactions.file=[bons_1.csv,bons_2.csv]")
    wrong = gpu_pricer("inspect", "shop", ANSWER, "inspect.transactions.file=[1]")

    assert "which table is" not in ended.out
    assert "inspect.transactions.user_id=Treuenummer" in ended.out
    assert wrong.status == 2
    [line] = wrong.said
    assert line.endswith("transactions.file must be the name of a file, or a list of names, found [1]: mend it")


def test_net_prices_without_rates_raise_no_question_on_vat(gpu_pricer, shop, tmp_path):
    shop(sales={"price": None, "VK netto": SALES["price"]})

    assert gpu_pricer("inspect", "shop", ANSWER).status == 0
    assert "catalog" not in written(tmp_path)


def test_net_and_gross_prices_are_not_mixed_unless_the_user_says_so(gpu_pricer, shop, tmp_path):
    shop(sales={"price": None, "VK brutto": SALES["price"]}, catalog={"VK netto": [1.3, 2.0]})
    vat = ("inspect.price_includes_vat=true", "inspect.vat_rate=0.19")

    asked = gpu_pricer("inspect", "shop", ANSWER, *vat)
    left_out = gpu_pricer("inspect", "shop", ANSWER, *vat, "inspect.products.price=none")
    said = ("inspect.products.price=VK netto", "inspect.transactions.price=VK brutto")
    confirmed = gpu_pricer("inspect", "shop", ANSWER, *vat, *said)

    assert asked.status == 2
    names = "By their names, VK brutto of shop/sales.csv include VAT, and VK netto of shop/catalog.csv are without VAT"
    assert f"1. which columns hold prices that all include VAT, or all do not? {names}" in asked.out
    assert "     'inspect.products.price=VK netto'\n     inspect.products.price=none\n" in asked.out
    assert left_out.status == 0, left_out.said
    assert confirmed.status == 0, confirmed.said


def test_a_column_of_the_plain_name_goes_before_one_that_adds_a_word_on_vat(gpu_pricer, shop, tmp_path):
    shop(sales={"price": None, "VK": SALES["price"], "VK netto": [1.0] * 4, "VK brutto": [1.0] * 4})

    assert gpu_pricer("inspect", "shop", ANSWER).status == 0
    assert written(tmp_path)["source"]["contents"]["transactions"][0]["columns"]["price"] == "VK"


def test_a_cost_with_vat_is_no_cost_and_a_column_can_be_named(gpu_pricer, shop):
    shop(catalog={"cost": None, "EK brutto": [0.5, 1.0]})

    asked = gpu_pricer("inspect", "shop", ANSWER)
    left_out = gpu_pricer("inspect", "shop", ANSWER, "inspect.products.cost=none")

    assert "2 products of shop/catalog.csv have no cost; prices and profit depend on it. If a column" in asked.out
    assert "name it: inspect.products.cost=COLUMN\n     inspect.cost_ratio=0.65\n" in asked.out
    assert "have no cost; prices and profit depend on it\n" in left_out.out
    assert gpu_pricer("inspect", "shop", ANSWER, "inspect.products.cost=EK brutto").status == 0


@pytest.mark.parametrize("name", ["group_prices", "price-lists", "groupprices_2025"])
def test_a_file_of_group_prices_is_known_by_its_name(gpu_pricer, shop, tmp_path, name):
    shop(sales={"price_group": ["x", "", "y", "y"]})
    told = {"price_group": ["x", "y"], "sku": ["01", "01"], "from": ["2025-01-06"] * 2, "price": [1.4, 1.6]}
    pl.DataFrame(told).write_csv(tmp_path / "shop" / f"{name}.csv")

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0, ended.out
    assert f"shop/{name}.csv is group_prices, by its name" in ended.out
    assert written(tmp_path)["source"]["contents"]["group_prices"][0]["columns"]["time"] == "from"


def test_price_groups_without_their_prices_are_refused_as_prepare_would(gpu_pricer, shop, tmp_path):
    shop(sales={"price_group": ["x", "", "y", "y"]})

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 2
    assert len(ended.said) == 1
    assert (
        "the table group_prices must tell the prices of every price_group, found none of x, y: bring" in ended.said[0]
    )
    assert "inspect.transactions.price_group=none" in ended.said[0]
    assert not (tmp_path / "own").exists()
    assert gpu_pricer("inspect", "shop", ANSWER, "inspect.transactions.price_group=none").status == 0


def test_one_vat_rate_for_all_can_be_said_and_one_in_percent_is_refused(gpu_pricer, shop, tmp_path):
    shop()
    asked = gpu_pricer("inspect", "shop", ANSWER, "inspect.price_includes_vat=true")

    assert "2 products of shop/catalog.csv have none\n     inspect.vat_rate=0.19\n" in asked.out
    said = ("inspect.price_includes_vat=true", "inspect.vat_rate=0.19")
    assert gpu_pricer("inspect", "shop", ANSWER, *said).status == 0
    assert written(tmp_path)["catalog"] == {"price_includes_vat": True, "vat_rate": 0.19}

    in_percent = gpu_pricer("inspect", "shop", ANSWER, "inspect.price_includes_vat=true", "inspect.vat_rate=19")
    assert "inspect.vat_rate must be at least 0 and below 1, found 19: did you mean 0.19?" in in_percent.said[-1]
    shop(catalog={"vat": [19.0, 0.07]})
    mixed = gpu_pricer("inspect", "shop", ANSWER, "inspect.price_includes_vat=true")
    assert mixed.status == 2
    assert "found 1 products where it is not, the first ('01', 19.0): did you mean 0.19?" in mixed.said[-1]


@pytest.mark.parametrize(
    ("cells", "rates"),
    [([19, 7], [0.19, 0.07]), (["19 %", "7%"], [0.19, 0.07]), (["5,5 %", "0"], [0.055, 0.0]),
     (["0.5 %", "19"], [0.005, 0.19])],
)  # fmt: skip
def test_rates_in_percent_are_read_as_such_and_said(gpu_pricer, shop, tmp_path, cells, rates):
    shop(catalog={"MwSt %": cells})

    ended = gpu_pricer("inspect", "shop", ANSWER, "inspect.price_includes_vat=true")

    assert ended.status == 0, ended.said
    assert re.search(r"MwSt % +vat_rate \(by its name\) +percent, 19 = 0.19", ended.out)
    products = products_read(tmp_path)
    assert products["vat_rate"].to_list() == rates


def test_rates_in_percent_of_parquet_are_read_as_such(gpu_pricer, tmp_path):
    (tmp_path / "shop").mkdir()
    pl.DataFrame(SALES).with_columns(pl.col("sold_at").str.to_date()).write_parquet(tmp_path / "shop/sales.parquet")
    catalog = tmp_path / "shop/catalog.parquet"
    pl.DataFrame(CATALOG | {"vat": [19, 7]}).write_parquet(catalog)

    ended = gpu_pricer("inspect", "shop", ANSWER, "inspect.price_includes_vat=true")

    assert ended.status == 0, ended.said
    assert "percent, 19 = 0.19" in ended.out
    assert products_read(tmp_path)["vat_rate"].to_list() == [0.19, 0.07]
    pl.DataFrame(CATALOG | {"vat": [0.19, 7]}).write_parquet(catalog)
    assert products_read(tmp_path)["vat_rate"].is_nan().to_list() == [True, False]


def test_a_rate_that_turns_from_percent_to_a_share_is_not_guessed(gpu_pricer, shop, tmp_path):
    shop(catalog={"vat": ["19", "7"]})
    assert gpu_pricer("inspect", "shop", ANSWER, "inspect.price_includes_vat=true").status == 0
    shop(catalog={"vat": ["0.19", "7"]})

    assert products_read(tmp_path)["vat_rate"].to_list() == [None, 0.07]


def products_read(folder):
    """The products as the written configuration reads them."""
    source = instantiate(written(folder)["source"] | {"time_zone": None}, _convert_="all")
    return source.tables()["products"].rows.collect()


def test_a_vat_rate_that_cannot_be_read_is_asked_for_and_its_product_stays(gpu_pricer, shop, tmp_path):
    shop(catalog={"vat": ["0.07", "full"]})
    included = "inspect.price_includes_vat=true"

    asked = gpu_pricer("inspect", "shop", ANSWER, included)

    assert asked.status == 2
    assert (
        "1 products of shop/catalog.csv have none, of those that fill the cell such as line 3 vat='full'" in asked.out
    )
    assert "     inspect.vat_rate=0.19\n" in asked.out

    told = gpu_pricer("inspect", "shop", ANSWER, included, "inspect.vat_rate=0.19")

    assert told.status == 0, told.said
    assert "shop/catalog.csv breaks vat_rates_are_readable in 1 rows, such as line 3 vat='full'" in told.out
    assert "4 lines of sales pass every rule" in told.out
    assert written(tmp_path)["catalog"] == {"price_includes_vat": True, "vat_rate": 0.19}


def test_a_cell_that_cannot_be_read_is_told_with_its_file_where_a_table_has_several(gpu_pricer, shop, tmp_path):
    shop(sales={"price": ["1.5", "ask", "1.6", "2.4"]})
    others = pl.DataFrame(SALES).with_columns(sold_at=pl.Series(["2025-02-30", *["2025-02-03"] * 3]))
    others.write_csv(tmp_path / "shop/sales_2025.csv")

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0, ended.said
    folder = tmp_path / "shop"
    first, second = (
        f"line 3 of {folder}/sales.csv price='ask'",
        f"line 2 of {folder}/sales_2025.csv sold_at='2025-02-30'",
    )
    assert f"breaks cells_are_readable in 2 rows, such as {first}; {second}\n" in ended.out


@pytest.mark.parametrize(("sales", "catalog"), [
    (["karta klienta", "kod towaru", "data sprzedaży", "ilość", "cena"],
     ["kod towaru", "kategoria", "koszt", "stawka VAT"]),
    (["cliente", "código artículo", "fecha", "unidades", "precio"],
     ["código artículo", "categoría", "coste", "tipo IVA"]),
    (["codice cliente", "codice articolo", "data ora", "quantità", "prezzo"],
     ["codice articolo", "categoria", "costo", "aliquota IVA"]),
    (["klantnummer", "artikelnummer", "tijdstip", "aantal", "prijs"],
     ["artikelnummer", "productgroep", "kostprijs", "btw-tarief"]),
])  # fmt: skip
def test_columns_are_known_in_further_languages(gpu_pricer, tmp_path, sales, catalog):
    (tmp_path / "shop").mkdir()
    lines = pl.DataFrame(dict(zip(sales, SALES.values(), strict=True)))
    lines.write_csv(tmp_path / "shop/a.csv")
    products = pl.DataFrame(CATALOG).drop("brand").with_columns(rate=pl.Series([23, 8]))
    products.rename(dict(zip(products.columns, catalog, strict=True))).write_csv(tmp_path / "shop/b.csv")

    asked = gpu_pricer("inspect", "shop", ANSWER)
    ended = gpu_pricer("inspect", "shop", ANSWER, "inspect.price_includes_vat=true")

    assert asked.status == 2
    assert f"do the prices include VAT? {catalog[3]} seems to hold its rates" in asked.out
    assert ended.status == 0, ended.said
    contents = written(tmp_path)["source"]["contents"]
    [first], [second] = contents["transactions"], contents["products"]
    assert [*first["columns"].values()] == sales
    assert [*second["columns"].values()] == catalog


def test_what_can_be_told_is_written_and_said(gpu_pricer, shop, tmp_path):
    shop()

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0, ended.said
    [sales] = written(tmp_path)["source"]["contents"]["transactions"]
    assert sales["columns"] == {
        "user_id": "customer", "product_id": "sku", "time": "sold_at", "quantity": "qty", "price": "price",
    }  # fmt: skip
    assert sales["kinds"]["time"] == "%Y-%m-%d"
    assert re.search(r"customer +user_id \(by its name\) +text +4 filled, 2 different: a \| b", ended.out)
    assert "100.0% of the 4 rows of transactions have a product_id that is in products" in ended.out
    assert "4 lines of sales pass every rule, from 2025-01-06 to 2025-01-14" in ended.out


def test_two_columns_that_could_be_one_are_asked_and_nothing_is_written(gpu_pricer, shop, tmp_path):
    shop(sales={"price": None, "unit price": [1.5, 2.5, 1.6, 2.4], "sale_price": [1.5, 2.5, 1.6, 2.4]})

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 2
    assert len(ended.said) == 1
    assert "which column of shop/sales.csv is price (unit price paid, above 0)?" in ended.out
    assert "     'inspect.transactions.price=unit price'\n     inspect.transactions.price=sale_price\n" in ended.out
    assert not (tmp_path / "own").exists()
    assert gpu_pricer("inspect", "shop", ANSWER, "inspect.transactions.price=unit price").status == 0
    assert written(tmp_path)["source"]["contents"]["transactions"][0]["columns"]["price"] == "unit price"


def test_days_that_could_be_months_are_asked(gpu_pricer, shop, tmp_path):
    shop(sales={"sold_at": ["06/01/2025", "07/01/2025", "06/02/2025", "07/02/2025"]})

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 2
    assert "They could be of %d/%m/%Y or %m/%d/%Y" in ended.out
    assert gpu_pricer("inspect", "shop", ANSWER, "inspect.time_format=%d/%m/%Y").status == 0
    assert written(tmp_path)["source"]["contents"]["transactions"][0]["kinds"]["time"] == "%d/%m/%Y"


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("2026-04-27T00:09:49+02:00", "2025-12-27T00:09:49+01:00", "%Y-%m-%dT%H:%M:%S%z"),
        ("2026-08-17 02:11:59+00:00", "2026-08-16 02:11:59+00:00", "%Y-%m-%d %H:%M:%S%z"),
        ("2026-08-17T02:11:59.000Z", "2026-08-16T02:11:59.000Z", "%Y-%m-%dT%H:%M:%S%.fZ"),
        ("2026-08-17 02:11:59 UTC", "2026-08-16 02:11:59 UTC", "%Y-%m-%d %H:%M:%S UTC"),
        ("2026-08-17 02:11:59", "2026-08-16 02:11:59", "%Y-%m-%d %H:%M:%S"),
        ("08/17/2026 02:11 AM", "08/17/2026 12:30 PM", "%m/%d/%Y %I:%M %p"),
        ("1786947119", "1786860719", "%s"),
    ],
)
def test_times_of_common_exports_are_known(gpu_pricer, shop, tmp_path, first, second, kind):
    shop(sales={"sold_at": [first, second] * 2})

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0, ended.out
    assert written(tmp_path)["source"]["contents"]["transactions"][0]["kinds"]["time"] == kind


def test_times_of_no_known_format_are_asked_without_an_answer_that_would_fail(gpu_pricer, shop):
    shop(sales={"sold_at": ["06 Jan 2025", "07 Jan 2025", "13 Jan 2025", "14 Jan 2025"]})

    asked = gpu_pricer("inspect", "shop", ANSWER)

    assert asked.status == 2
    assert "They are of no format that is known: answer in the codes of strftime, as " in asked.out
    assert "     inspect.time_format" not in asked.out
    assert gpu_pricer("inspect", "shop", ANSWER, "inspect.time_format='%d %b %Y'").status == 0


def test_times_of_parquet_that_are_numbers_are_refused(gpu_pricer, shop, tmp_path):
    shop()
    sales = pl.read_csv(tmp_path / "shop/sales.csv").with_columns(sold_at=1786947119)
    (tmp_path / "shop/sales.csv").unlink()
    sales.write_parquet(tmp_path / "shop/sales.parquet")

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 2
    assert "sold_at of shop/sales.parquet (such as 1786947119" in ended.said[-1]
    assert ended.said[-1].endswith("must be Date or Datetime, found numbers or text: convert the column")


def test_ids_and_days_of_unknown_names_are_found_by_their_values(gpu_pricer, shop):
    shop(sales={"sku": None, "sold_at": None, "zz": SALES["sku"], "yy": SALES["sold_at"]})

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0, ended.out
    assert re.search(r"zz +product_id \(by its values\)", ended.out)
    assert re.search(r"yy +time \(by its cells\)", ended.out)


def test_a_column_that_no_name_tells_is_asked(gpu_pricer, shop):
    shop(sales={"qty": None, "zz": [1, 1, 2, 1]}, catalog={"category": None})

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert "     inspect.transactions.quantity=zz\n" in ended.out
    assert "     inspect.products.category_id=brand\n     inspect.products.category_id=none\n" in ended.out
    answers = ("inspect.transactions.quantity=zz", "inspect.products.category_id=none")
    assert gpu_pricer("inspect", "shop", ANSWER, *answers).status == 0


MAY_BE_LEFT_OUT = [
    (table, name)
    for table in ("products", "transactions")
    for name, column in SCHEMAS[table].columns().items()
    if (column.metadata or {}).get("optional")
]


@pytest.mark.parametrize(("table", "name"), MAY_BE_LEFT_OUT)
def test_an_optional_column_called_none_is_as_if_the_file_had_none(gpu_pricer, shop, tmp_path, table, name):
    file, rows = ("catalog", 2) if table == "products" else ("sales", 4)
    other = {"brand": None, "cost": None, "make": ["x", "y"]} if table == "products" else {}
    shop(**{file: other | {name: ["19 %"] * rows}})

    ended = gpu_pricer("inspect", "shop", ANSWER, "inspect.cost_ratio=0.5", f"inspect.{table}.{name}=none")

    assert ended.status == 0, ended.said
    assert "4 lines of sales pass every rule" in ended.out
    assert written(tmp_path)["source"]["contents"][table][0]["columns"][name] is None


def test_rates_that_are_no_numbers_can_be_left_out_or_told(gpu_pricer, shop, tmp_path):
    shop(catalog={"MwSt-Satz": ["voll", "halb"]})

    refused = gpu_pricer("inspect", "shop", ANSWER)
    no_rates = gpu_pricer("inspect", "shop", ANSWER, "inspect.products.vat_rate=none")
    words = ("inspect.products.vat_rate=none", "inspect.price_includes_vat=true", "inspect.vat_rate=0.19")
    one_rate = gpu_pricer("inspect", "shop", ANSWER, *words)

    assert refused.status == 2
    assert refused.said[-1].endswith(
        "found 'voll', 'halb': mend its cells, or name another column, or none, or say of words that nothing is known, "
        "as 'inspect.null_words=[halb]'"
    )
    assert no_rates.status == 0, no_rates.said
    assert one_rate.status == 0, one_rate.said
    assert written(tmp_path)["catalog"] == {"price_includes_vat": True, "vat_rate": 0.19}


def test_words_that_mean_that_nothing_is_known_can_be_said(gpu_pricer, shop, tmp_path):
    prices = ["9,99"] + ["kein Rabatt"] * 3
    shop(sales={"list_price": prices})
    words = ("inspect", "shop", ANSWER, "inspect.cost_ratio=0.5")

    refused = gpu_pricer(*words)
    said = gpu_pricer(*words, "inspect.null_words=['kein Rabatt']")

    assert refused.status == 2
    assert refused.said[-1].endswith("""as 'inspect.null_words=[kein Rabatt]'""")
    assert said.status == 0, said.said
    [file] = written(tmp_path)["source"]["contents"]["transactions"]
    assert file["columns"]["list_price"] == "list_price"
    assert {"NA", "kein Rabatt"} <= {*file["null_words"]}
    assert "inspect.null_words=[kein Rabatt]" in (tmp_path / "own/data/shop.yaml").read_text()


def test_settings_of_how_rows_are_judged_are_read_and_written(gpu_pricer, shop, tmp_path):
    shop(sales={"list_price": [9999] * 4})
    words = ("inspect", "shop", ANSWER, "inspect.cost_ratio=0.5")

    refused = gpu_pricer(*words)
    accepted = gpu_pricer(*words, "data.list_prices.most_ratio=10000")

    assert refused.status == 2
    assert "must be prices of one unit before discounts, found 4 of 4 more than 5 times the price" in refused.said[-1]
    assert accepted.status == 0, accepted.said
    assert written(tmp_path)["list_prices"]["most_ratio"] == 10000
    assert "data.list_prices.most_ratio=10000" in (tmp_path / "own/data/shop.yaml").read_text()


def test_a_list_price_that_cannot_be_read_loses_no_sale(gpu_pricer, shop, tmp_path):
    shop(sales={"list_price": ["9,99"] * 3 + ["auf Anfrage"]})

    ended = gpu_pricer("inspect", "shop", ANSWER, "inspect.cost_ratio=0.5")

    assert ended.status == 0, ended.said
    assert "4 lines of sales pass every rule" in ended.out
    assert "breaks list_prices_are_readable in 1 rows, such as line 5 list_price='auf Anfrage'" in ended.out
    assert "These rows stay, without a list price" in ended.out


@pytest.mark.parametrize("name", ["user_id", "product_id", "time", "quantity", "price"])
def test_a_column_that_each_row_needs_cannot_be_none(gpu_pricer, shop, tmp_path, name):
    shop()

    ended = gpu_pricer("inspect", "shop", ANSWER, f"inspect.transactions.{name}=none")

    assert ended.status == 2
    assert len(ended.said) == 1
    assert f"inspect.transactions.{name} must name a column of shop/sales.csv, found none" in ended.said[0]
    assert not (tmp_path / "own").exists()


def test_ids_that_lost_their_zeros_are_seen(gpu_pricer, shop):
    shop(sales={"sku": ["1", "02", "1", "02"]})

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert "50.0% of the 4 rows of transactions have a product_id that is in products" in ended.out
    assert "unknown to products: 1\n    1 of the unknown ids would be known without leading zeros" in ended.out
    assert "breaks product_is_known in 2 rows" in ended.out


@pytest.mark.parametrize(
    ("catalog", "said"),
    [({"sku": ["01", "01"]}, r"catalog.csv breaks product_is_unique in 2 rows, .*: keep one row each"),
     ({"cost": ["a", "b"]}, r"cost of shop/catalog.csv must hold numbers, found 'a', 'b': mend its cells")],
)  # fmt: skip
def test_what_a_run_would_refuse_is_refused_now(gpu_pricer, shop, tmp_path, catalog, said):
    shop(catalog=catalog)

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 2
    assert re.search(said, ended.said[0])
    assert not (tmp_path / "own").exists()


def test_true_and_false_of_parquet_are_shares_as_those_of_csv_are(gpu_pricer, tmp_path):
    flags = {"availability": [True, False], "has_unit_price": [True, None]}
    context = {"sku": ["01", "02"], "sold_at": SALES["sold_at"][:2], "display": [True, False]}
    for name, ending in (("typed", "parquet"), ("text", "csv")):
        folder = tmp_path / name
        folder.mkdir()
        for table, columns in (("sales", SALES), ("catalog", CATALOG | flags), ("context", context)):
            rows = pl.DataFrame(columns).with_columns(
                pl.col("^sold_at$").str.to_date(), pl.col("^qty$").cast(pl.Float64)
            )
            getattr(rows, {"parquet": "write_parquet", "csv": "write_csv"}[ending])(folder / f"{table}.{ending}")

        ended = gpu_pricer("inspect", name, ANSWER)

        assert ended.status == 0, ended.said
        assert re.search(r"availability +availability \(by its name\) .* 2 filled, 2 different", ended.out)
        assert re.search(r"has_unit_price +has_unit_price \(by its name\) .* 1 filled, 1 different", ended.out)
        assert re.search(r"display +display \(by its name\)", ended.out)


def test_parquet_with_names_of_its_own_is_taken_as_well(gpu_pricer, tmp_path):
    (tmp_path / "shop").mkdir()
    pl.DataFrame(SALES).with_columns(pl.col("sold_at").str.to_date()).write_parquet(tmp_path / "shop/sales.parquet")
    pl.DataFrame(CATALOG).write_parquet(tmp_path / "shop/catalog.parquet")

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0, ended.said
    assert written(tmp_path)["source"]["contents"]["products"][0]["columns"]["category_id"] == "category"


@pytest.mark.parametrize(
    ("words", "said"),
    [(("lost",), "found nothing at lost"), ((), "must be told files or folders"),
     (("shop/sales.csv",), "must hold products and transactions"),
     (("shop", "inspect.transactions.price=zz"), "must name a column of shop/sales.csv, found 'zz'"),
     (("shop", "inspect.decimal=dot"), "inspect.decimal must be point or comma"),
     (("shop", "inspect.name=parquet"), "inspect.name must be new, found 'parquet'"),
     (("shop", "inspect.cost_ratio=65"), "inspect.cost_ratio must be a number from 0 and below 1, found 65"),
     (("inspect.files=3",), "inspect.files must be a list of files and folders, found 3"),
     (("shop/sales.xlsx",), "found a spreadsheet: save each sheet as `CSV UTF-8`"),
     (("shop/s1.xlsx", "shop/s2.xlsx"), "shop/s1.xlsx must be CSV or Parquet, found a spreadsheet")],
)  # fmt: skip
def test_words_that_lead_nowhere_are_one_line(gpu_pricer, shop, words, said):
    shop()
    for name in ("sales", "s1", "s2"):
        Path(f"shop/{name}.xlsx").touch()

    ended = gpu_pricer("inspect", *words)

    assert ended.status == 2
    assert len(ended.said) == 1
    assert said in ended.said[0]


def test_what_lies_in_the_folder_and_is_not_read_is_named(gpu_pricer, shop, tmp_path):
    shop()
    for name in ("stock.xlsx", "notes.pdf", ".hidden"):
        (tmp_path / "shop" / name).touch()
    (tmp_path / "shop/2024").mkdir()

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0, ended.said
    assert ended.out.splitlines()[:2] == [
        "shop/stock.xlsx is not read, a spreadsheet: save each sheet as `CSV UTF-8`",
        "not read in shop: 2024, notes.pdf",
    ]


def test_a_folder_of_spreadsheets_alone_says_how_to_save_them(refused, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/sales.xlsx").touch()

    assert "found only shop/sales.xlsx: save each sheet as `CSV UTF-8`" in refused("inspect", "shop")


def test_a_configuration_that_somebody_has_edited_is_kept(gpu_pricer, shop, tmp_path):
    shop()
    gpu_pricer("inspect", "shop", ANSWER)
    path = tmp_path / "own/data/shop.yaml"
    path.write_text("edited: true\n")

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert "The earlier configuration is now own/data/shop.yaml.before" in ended.out
    assert path.with_suffix(".yaml.before").read_text() == "edited: true\n"
    assert written(tmp_path)["currency"] == "EUR"


def test_a_column_called_line_is_a_column_as_any_other(gpu_pricer, shop, tmp_path):
    shop(catalog={"line": ["a", "b"]})

    assert gpu_pricer("inspect", "shop", ANSWER).status == 0
    assert written(tmp_path)["source"]["contents"]["products"][0]["columns"]["line"] == "line"


def test_prices_of_several_currencies_are_refused(refused, shop):
    shop(sales={"price": ["1.50 €", "$2.50", "1.60 €", "2.40 €"]})

    said = refused("inspect", "shop", ANSWER)

    assert "price of shop/sales.csv must be in one currency, found cells such as '1.50 €' and '$2.50': convert" in said


@pytest.mark.parametrize(
    ("marked", "currency"),
    [("EUR 1.50", "EUR"), ("1.50 eur", "EUR"), ("US$1.50", "USD"), ("$ 1.50", "USD"), ("CHF\u00a01.50", "CHF"),
     ("Fr. 1.50", "CHF"), ("1.50 zł", "PLN"), ("1.50 kr", "SEK"), ("1.50 kr.", "DKK"), ("R$ 1.50", "BRL")],
)  # fmt: skip
def test_amounts_may_be_marked_by_a_sign_or_a_code_before_or_after_them(gpu_pricer, shop, tmp_path, marked, currency):
    shop(sales={"price": [marked] * 4})

    assert gpu_pricer("inspect", "shop").status == 0
    assert written(tmp_path)["currency"] == currency
    assert pl.select(values(pl.lit(marked), "decimal_point")).item() == 1.5


@pytest.mark.parametrize(
    ("price", "said", "is_refused"),
    [("$1.50", "EUR", True), ("$1.50", "CAD", False), ("$1.50", "HKD", False), ("EUR 1.50", "USD", True),
     ("1.50 EUR", "eur", False)],
)  # fmt: skip
def test_a_currency_that_the_amounts_are_not_marked_with_is_refused(
    gpu_pricer, shop, tmp_path, price, said, is_refused
):
    shop(sales={"price": [price] * 4})

    ended = gpu_pricer("inspect", "shop", f"inspect.currency={said}")

    assert ended.status == 2 * is_refused
    told = f"all amounts must be in one currency, found inspect.currency={said} and price of shop/sales.csv in"
    assert is_refused == any(told in line for line in ended.said)
    if not is_refused:
        assert written(tmp_path)["currency"] == said.upper()


def test_columns_in_several_currencies_are_refused(gpu_pricer, shop):
    shop(sales={"price": ["1.50 €"] * 4}, catalog={"competitor_price": ["$1", "$2"]})

    ended = gpu_pricer("inspect", "shop")

    assert "found price of shop/sales.csv in € and competitor_price of shop/catalog.csv in $: convert" in ended.said[0]
    assert gpu_pricer("inspect", "shop", "inspect.products.competitor_price=none").status == 0


def test_a_sign_that_several_currencies_have_is_that_of_the_code_beside_it(gpu_pricer, shop, tmp_path):
    shop(sales={"price": ["$1.50 CAD"] * 4}, catalog={"competitor_price": ["$1", "$2"]})

    assert gpu_pricer("inspect", "shop").status == 0
    assert written(tmp_path)["currency"] == "CAD"


def test_a_currency_that_some_amounts_are_not_marked_with_is_refused(gpu_pricer, shop, tmp_path):
    shop(sales={"price": ["CHF 1.50", "1.50", "2.00", "CHF 2.50"]})

    assert "which currency are the prices in?" in gpu_pricer("inspect", "shop").out
    assert (
        "found inspect.currency=EUR and price of shop/sales.csv in CHF" in gpu_pricer("inspect", "shop", ANSWER).said[0]
    )
    assert gpu_pricer("inspect", "shop", "inspect.currency=CHF").status == 0


def test_a_sign_and_a_code_of_one_currency_may_stand_in_one_column(gpu_pricer, shop, tmp_path):
    shop(sales={"price": ["€1.50", "EUR 1.50", "2.00 eur", "2.50€"]})

    assert gpu_pricer("inspect", "shop").status == 0
    assert written(tmp_path)["currency"] == "EUR"


def test_names_and_ids_with_the_letters_of_a_code_are_no_amounts(gpu_pricer, shop):
    """Pastry ends with the code of a currency, and an id may begin with one."""
    shop(catalog={"category": ["Pastry"] * 2, "sku": ["CAD1", "CAD2"]}, sales={"sku": ["CAD1"] * 4})

    ended = gpu_pricer("inspect", "shop")

    assert ended.status == 2
    assert "which currency are the prices in?" in ended.out
    assert gpu_pricer("inspect", "shop", ANSWER).status == 0


def test_a_line_of_too_many_cells_is_named_by_its_number(refused, shop, tmp_path):
    shop()
    sales = tmp_path / "shop/sales.csv"
    sales.write_text(sales.read_text() + "a,01,2025-01-15,1,1.5\na,01,2025-01-16,1,1,5\n")

    said = refused("inspect", "shop", ANSWER)

    assert (
        "sales.csv must have as many cells in each line as its first line names columns, 5, found 6 in line 7:" in said
    )


def test_data_files_without_an_inspection_names_inspect(refused):
    assert "must name your files, found none: run gpu-pricer inspect FOLDER" in refused("prepare", "data=files")


def test_data_parquet_on_a_folder_of_csv_files_names_inspect(refused, shop):
    shop()

    assert "run gpu-pricer inspect shop" in refused("prepare", "data=parquet", "data.path=shop")


@pytest.mark.parametrize(("name", "is_told"), [("Rabatt %", True), ("Discount", True), ("Rabattaktion", False)])
def test_an_unread_column_of_discounts_says_what_price_must_be(gpu_pricer, shop, name, is_told):
    shop(sales={name: ["0", "20", "0", "0"]})

    ended = gpu_pricer("inspect", "shop", ANSWER)

    assert ended.status == 0
    assert re.search(rf"^  {name} +not read", ended.out, re.MULTILINE)
    assert ("not read: price must be what was paid, after this discount" in ended.out) == is_told
