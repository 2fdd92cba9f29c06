"""README.md and docs/ state the contracts, the files and the output that the code has."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gpu_pricer.jobs import JOBS
from gpu_pricer.tables.contract import describe_events, describe_inputs, describe_prices, describe_wide_prices
from gpu_pricer.tables.version.price_version import CONTRACT
from tests.docs.pages import PAGES, PROGRAMS, ROOT, fences, is_command, spans

README = PAGES["README.md"]
GLOSSARY = PAGES["docs/glossary.md"]
CONTRACTS = {
    "inputs": (describe_inputs, "README.md"),
    "events": (describe_events, "docs/operations.md"),
    "prices": (describe_prices, "docs/price-table.md"),
    "wide prices": (describe_wide_prices, "docs/price-table.md"),
}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_contracts_are_those_of_the_schemas(contract):
    describe, page = CONTRACTS[contract]

    assert describe() in PAGES[page], "run `python -m gpu_pricer.tables.contract` and paste what it prints"


def test_readme_is_read_in_three_minutes():
    assert len(README.splitlines()) <= 120


def test_every_job_of_the_flow_is_named():
    assert [job for job in JOBS if job not in README] == []
    assert [job for job in JOBS if f"`{job}`" not in PAGES["docs/operations.md"]] == ["run"]
    assert "`gpu-pricer run`" in PAGES["docs/operations.md"]


@pytest.mark.parametrize("page", [page for page in PAGES if page != "README.md"])
def test_page_opens_with_the_reason_that_it_exists(page):
    title, blank, first, *_ = PAGES[page].splitlines()

    assert title.startswith("# ")
    assert (blank, first.split()[:2]) == ("", ["This", "page"])
    assert f"]({page})" in README


LINK = re.compile(r"\]\(([^)#]*)(?:#([\w-]+))?\)")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target, anchor in LINK.findall(PAGES[page]):
        if target.startswith("https://"):
            continue
        path = ((ROOT / page).parent / target).resolve() if target else ROOT / page
        assert path.is_file(), target
        if anchor:
            headings = [line.lstrip("# ") for line in path.read_text().splitlines() if line.startswith("#")]
            assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


FOLDERS = ("conf/", "docs/", "gpu_pricer/", "kernels/", "slurm/", "tests/")


@pytest.mark.parametrize("page", PAGES)
def test_files_and_folders_that_a_page_names_exist(page):
    named = [name for span in spans(page) if span.startswith(FOLDERS) for name in alternatives(span)]

    assert [name for name in named if not exists(name)] == []


def alternatives(span):
    """The paths that a/{b,c}/ stands for."""
    braces = re.fullmatch(r"(.*)\{(.*)\}(.*)", span)
    return [f"{braces[1]}{name}{braces[3]}" for name in braces[2].split(",")] if braces else [span]


def exists(name):
    return (ROOT / name).is_dir() if name.endswith("/") else (ROOT / name).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_no_command_hides_from_the_tests(page):
    prose = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)

    assert {block.language for block in fences(page)} <= {"sh", "python", "text"}
    assert [line for line in prose.splitlines() if line.startswith("    ") and line.split()[0] in PROGRAMS] == []
    assert [span for span in spans(page) if span.split()[0].isupper() and is_command(span)] == []


def rows_of(page):
    """The cells of the rows of a page's table, its head left out."""
    lines = [line for line in page.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][1:]


def test_glossary_has_at_most_60_terms_and_each_says_where():
    rows = rows_of(GLOSSARY)

    assert 40 <= len(rows) <= 60
    assert all(len(row) == 5 and row[0] and "`" in row[4] for row in rows)
    assert len({row[0] for row in rows}) == len(rows)


def test_code_among_the_terms_is_found_where_the_glossary_says():
    lost = {
        term: homes
        for row in rows_of(GLOSSARY)
        if (homes := [name for name in code_in(row[4]) if name.startswith(FOLDERS)])
        for term in code_in(row[0])
        if term not in "".join(text_of(ROOT / home) for home in homes)
    }

    assert lost == {}


def code_in(cell):
    return re.findall(r"`([^`]+)`", cell)


def text_of(path):
    """The names and the contents of a file, or of the files in a folder."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return "".join(f"{file.stem}\n{file.read_text()}" for file in files)


def test_glossary_leads_to_every_room():
    rooms = {
        path.parent.relative_to(ROOT).as_posix()
        for package in ("gpu_pricer", "kernels")
        for path in (ROOT / package).glob("*/__init__.py")
    }

    homes = [name for row in rows_of(GLOSSARY) for name in code_in(row[4])]

    assert [room for room in sorted(rooms) if not any(home.startswith(f"{room}/") for home in homes)] == []


def test_closing_lines_are_what_a_run_prints(first_run):
    shown = next(block.text for block in fences("README.md") if block.language == "text")
    folder, printed = first_run

    closing = printed[printed.index("The price table is") :]

    of_one_market = (
        "is assumed", "cannot be learned", "more from other categories", "log has no sale of", "no sales on",
    )  # fmt: skip
    example, found = (
        [line for line in shape_of(text, of) if not any(words in line for words in of_one_market)]
        for text, of in ((shown, Path("/tmp/market")), (closing, folder))
    )
    assert example == found


def test_published_files_have_the_columns_the_types_and_the_metadata_of_the_contract(first_run):
    contract = json.loads((ROOT / f"docs/contracts/price-table-{CONTRACT}.json").read_text())
    long = contract["$defs"]["long"]

    schema = pq.read_schema(min((first_run[0] / "prices/_current").resolve().glob("*.parquet")))

    assert schema.names == long["required"]
    for field in schema:
        types = long["properties"][field.name]["x-arrow"]
        assert str(field.type) in (types if isinstance(types, list) else [types])
    assert {key.decode() for key in schema.metadata} == {*contract["x-metadata"]}


def shape_of(text, folder):
    """The lines without the numbers and the folder in them, and without which limits cost profit."""
    text = re.sub(r"(  limit .*: \d+ met);.*", r"\1", text)
    return [re.sub(r"[+-]?\d[\d,.]*", "N", line.replace(str(folder), "FOLDER")) for line in text.strip().splitlines()]


TEXT = "{http://www.w3.org/2000/svg}text"


def words_of(figure):
    """What is written in a figure, without numbers."""
    return {re.sub(r"[−+-]?\d[\d.,]*", "N", text.text) for text in ET.parse(figure).iter(TEXT)}


def test_figure_is_one_that_the_program_draws(gpu_pricer, shop):
    ended = gpu_pricer("score", "data=synthetic", "policy=profit", "frontier=units", "frontier.points=5")

    assert ended.status == 0
    drawn = words_of(shop / "work/plots/frontier_units.svg")
    shown = words_of(ROOT / "docs/frontier_units.svg")
    assert {word for word in drawn if " of a period" in word or "over today's" in word} <= shown
    assert {"policy", "today's prices"} <= shown
    assert "The most profit at every level of units, and what one more of it costs" in shown
