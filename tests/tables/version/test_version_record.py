"""The record of a version: what `score` did not write is refused in one line."""

import json

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.version import version_record
from gpu_pricer.tables.version.names import RUN_RECORD, SEAL
from gpu_pricer.tables.version.version_record import close_shard, open_shard, read_version
from tests.tables.published.test_publishing import scored


@pytest.fixture
def version(tmp_path):
    """A finished version."""
    return scored(tmp_path, "night")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segments": "3"}, "segments must be of type int, found '3'"),
        ({"segments": True}, "segments must be of type int, found True"),
        ({"files": [1]}, r"files must be of type list\[str\], found \[1\]"),
        ({"files": None}, r"files must be of type list\[str\], found None"),
        ({"layout": 3}, "layout must be of type str, found 3"),
        ({"tally": []}, "unsupported operand|list"),
        ({"tally": {"rows": 1}}, "missing .* required positional arguments"),
    ],
)
def test_field_of_another_type_is_refused(version, changes, message):
    record = json.loads((version / RUN_RECORD).read_text())
    (version / RUN_RECORD).write_text(json.dumps(record | changes))

    with pytest.raises(InputError, match=f"run.json must be what `gpu-pricer score` wrote, found: .*({message})"):
        read_version(version)


@pytest.mark.parametrize(("sum_", "value"), [("rows", None), ("rows", 1.5), ("move", float("nan")), ("move", "x")])
def test_sum_that_is_no_number_is_refused(version, sum_, value):
    record = json.loads((version / RUN_RECORD).read_text())
    record["tally"][sum_] = value
    (version / RUN_RECORD).write_text(json.dumps(record))

    with pytest.raises(InputError, match=f"found: {sum_} must be of type"):
        read_version(version)


@pytest.mark.parametrize("content", ["", "null", "[" * 100_000, "\0", '{"run": "night"}'])
def test_record_that_is_no_record_is_refused(version, content):
    (version / RUN_RECORD).write_text(content)

    with pytest.raises(InputError, match=r"run.json must be what `gpu-pricer score` wrote, found: .*: score again"):
        read_version(version)


def test_shard_that_begins_again_while_another_joins_is_left_to_join(version, monkeypatch):
    read = version_record._read_json

    def overtaken(path):
        path.unlink()
        return read(path)

    part = read_version(version)
    monkeypatch.setattr(version_record, "_read_json", overtaken)

    assert close_shard(version, 0, part) is None


def test_version_that_is_scored_again_loses_its_seal_first(version):
    open_shard(version, None)

    assert not (version / SEAL).exists()
