"""A newcomer with three CSV files gets to a published and explained price by what the program prints, and no more."""

import re
import shlex

import polars as pl
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from gpu_pricer.data.sources.source import CELLS, LINE
from tests.docs.conftest import SMALL_MARKET, SMALL_MODEL
from tests.docs.pages import ROOT, commands, fences

QUICK = ("model=tiny", *SMALL_MODEL, "run.steps=[prepare,train,score,publish]", "backend=cpu")
"""What a test adds to a run so that it is short."""


@pytest.fixture
def shop(tmp_path):
    """The folder shop/ with the files of write_shop."""
    write_shop(tmp_path / "shop")
    return tmp_path / "shop"


def write_shop(folder):
    """Write the sales, articles and customers of a German shop; two cells of the sales are mistakes."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", ["data=synthetic", *SMALL_MARKET, f"paths.work={folder.parent / 'truth'}"])
    raw = {name: table.rows.collect() for name, table in instantiate(config.data.source).tables().items()}
    folder.mkdir()
    article, customer = pl.format("00{}", "product_id"), pl.format("0{}", "user_id")
    sales = raw["transactions"].select(
        Kunde=customer, Artikel=article, Datum=pl.col("time").dt.strftime("%d.%m.%Y"), Menge="quantity",
        Preis=amount("price"),
    )  # fmt: skip
    lines = sales.write_csv(separator=";").splitlines()
    lines[17] = ";".join([*lines[17].split(";")[:4], "auf Anfrage"])
    lines[40] = re.sub(r"\d\d\.\d\d\.2025", "31.02.2025", lines[40])
    (folder / "verkaeufe.csv").write_text("\ufeff" + "\r\n".join(lines) + "\r\n")
    articles = raw["products"].select(
        Artikelnummer=article, Bezeichnung=pl.format("Ware {}", "product_id"), Warengruppe="category_id",
        Abteilung="department", Verkaufspreis=amount("price"),
    )  # fmt: skip
    articles.write_csv(folder / "artikel.csv", separator=";")
    customers = raw["users"].select(
        Kundennummer=customer, Altersgruppe="age_band", Email=pl.format("{}@x.de", customer)
    )
    customers.write_csv(folder / "kunden.csv", separator=";")


def amount(name):
    """A column of amounts as they are written in Germany."""
    return pl.col(name).map_elements(lambda euros: f"{euros:.2f}".replace(".", ","), return_dtype=pl.String)


def advised(printed, job):
    """The last command of a job among the printed lines, without the program's name."""
    command = [line.strip() for line in printed.splitlines() if line.startswith(f"  gpu-pricer {job} ")][-1]
    return shlex.split(command)[1:]


def first_answers(printed):
    """The first answer that is shown below each question."""
    return [shlex.split(found)[0] for found in re.findall(r"^\d+\. .*\n     (.*)$", printed, re.MULTILINE)]


TUTORIAL = "docs/tutorial.md"


def shown_but_not_printed(printed, folder):
    """The lines that the tutorial shows as printed by `inspect` and that are not."""
    texts = [block.text for block in fences(TUTORIAL) if block.language == "text"][1:]
    shown = [line.replace("/market", str(folder)) for text in texts for line in text.splitlines()]
    return [line for line in shown if line not in printed.splitlines()]


def test_three_csv_files_become_a_published_and_explained_price_by_what_is_printed(gpu_pricer, shop, tmp_path):
    begin = advised(gpu_pricer().out, "inspect")
    asked = gpu_pricer(*begin[:-1], "shop")
    answers = first_answers(asked.out)

    assert asked.status == 2
    assert "2 open" in asked.said[0]
    assert answers == ["inspect.currency=EUR", "inspect.cost_ratio=0.65"]

    inspected = gpu_pricer(*advised(asked.out, "inspect")[:-1], *answers)

    assert inspected.status == 0, inspected.said
    assert shown_but_not_printed(asked.out + inspected.out, tmp_path) == []
    mistakes = dict(re.findall(r"line (\d+) (\w+='[^']+')", inspected.out))
    assert mistakes == {"18": "Preis='auf Anfrage'", "41": "Datum='31.02.2025'"}

    prepared = gpu_pricer("prepare", *advised(inspected.out, "run")[1:])

    assert prepared.status == 0, prepared.said
    assert any("quarantined: " in line and "cells_are_readable in 2 rows" in line for line in prepared.log)
    aside = pl.read_parquet(tmp_path / "work/data/quarantine/transactions_unreadable.parquet")
    assert aside.select(LINE, CELLS).rows() == [(int(line), cell) for line, cell in mistakes.items()]

    sales = shop / "verkaeufe.csv"
    sales.write_text(sales.read_text().replace("auf Anfrage", "1,99").replace("31.02.2025", "28.02.2025"))
    mended = gpu_pricer(*advised(asked.out, "inspect")[:-1], *answers)
    ran = gpu_pricer(*advised(mended.out, "run"), *QUICK)

    assert ran.status == 0, ran.said
    assert "cells_are_readable" not in mended.out + "".join(ran.log)
    assert f"Look at it in a browser: {tmp_path / 'work/report.html'}" in ran.out

    explained = gpu_pricer(*advised(ran.out, "explain"))

    walked = ["inspect", "shop"], ["inspect", "shop", *answers], advised(mended.out, "run")
    *shown, last = (command.arguments for command in commands(TUTORIAL))
    assert shown == [*walked]
    assert [last[0], *last[3:]] == [advised(ran.out, "explain")[place] for place in (0, 3)]
    assert explained.status == 0, explained.said
    assert re.search(r"Product 00\d+ for segment \d in .*: [\d.]+ EUR, today", explained.out)
    assert "= the price" in explained.out
    published = pl.read_parquet(tmp_path / "prices/_current/*.parquet")
    assert published["product_id"].str.starts_with("00").all()
