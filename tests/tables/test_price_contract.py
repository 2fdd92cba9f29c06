"""The price table's contract: every version is kept, and a version's number says what has changed."""

import json
import re
from itertools import pairwise

import pytest

from gpu_pricer.tables.price_contract import contract_text
from gpu_pricer.tables.version.price_version import CONTRACT
from tests.docs.pages import ROOT

FOLDER = ROOT / "docs/contracts"
VERSIONS = sorted(
    (tuple(map(int, re.findall(r"\d+", path.stem))), json.loads(path.read_text())) for path in FOLDER.glob("*.json")
)

GROWING = ("enum", "required", "x-metadata")


def leaves(entry, path=()):
    """The values inside a contract by their path; a list that may grow has one path for each of its values."""
    if isinstance(entry, dict):
        return {place: value for key, inner in entry.items() for place, value in leaves(inner, (*path, key)).items()}
    if isinstance(entry, list) and path[-1] in GROWING:
        return {(*path, json.dumps(value)): value for value in entry}
    return {path: entry}


def change_between(before, after):
    """`none`, `minor` where columns, keys or names have only been added, or `major`; words of description are free."""
    old, new = (
        {path: value for path, value in leaves(contract).items() if is_checked(path)} for contract in (before, after)
    )
    if old == new:
        return "none"
    return "minor" if old.items() <= new.items() else "major"


def is_checked(path):
    return path[-1] not in ("description", "title", "version", "$schema")


def test_the_newest_file_is_what_the_tables_are_now():
    (major, minor), _ = VERSIONS[-1]

    assert f"{major}.{minor}" == CONTRACT
    assert (FOLDER / f"price-table-{CONTRACT}.json").read_text() == contract_text(CONTRACT), (
        "the price table has changed: raise CONTRACT by a minor version for an addition, by a major one otherwise, and "
        "write `python -m gpu_pricer.tables.price_contract` into a new file of docs/contracts/"
    )


def test_every_version_is_the_next_one_of_its_change():
    for ((major, minor), before), (number, after) in pairwise(VERSIONS):
        assert number == {"minor": (major, minor + 1), "major": (major + 1, 0)}[change_between(before, after)]


def changed(change):
    contract = json.loads(contract_text(CONTRACT))
    change(contract["$defs"]["long"])
    return contract


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda table: None, "none"),
        (lambda table: table["properties"]["price"].update(description="other words"), "none"),
        (lambda table: table["properties"].update(margin={"type": "number"}), "minor"),
        (lambda table: table["properties"]["binding"]["enum"].append("by_law"), "minor"),
        (lambda table: table["required"].append("note"), "minor"),
        (lambda table: table["properties"].pop("note"), "major"),
        (lambda table: table["properties"]["product_id"]["x-arrow"].append("binary"), "major"),
        (lambda table: table["properties"]["price"].update({"x-arrow": "double"}), "major"),
        (lambda table: table["required"].remove("today_price"), "major"),
    ],
)  # fmt: skip
def test_an_addition_is_a_minor_change_and_all_else_a_major_one(change, expected):
    assert change_between(json.loads(contract_text(CONTRACT)), changed(change)) == expected


def test_a_column_that_is_renamed_is_a_major_change():
    contract = changed(lambda table: table["properties"].update(todays_price=table["properties"].pop("today_price")))

    assert change_between(json.loads(contract_text(CONTRACT)), contract) == "major"


def test_every_column_has_a_meaning_and_a_type():
    for table in json.loads(contract_text(CONTRACT))["$defs"].values():
        for column in table["properties"].values():
            assert column["description"]
            assert column["type"]
            assert column["x-arrow"]
