"""Scored versions with something changed after the fact, none of which `publish` may accept.

A third of the versions is sealed again after the change, as if `score` itself had been wrong: the gates must see those.
"""

import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
from hydra.utils import instantiate

from gpu_pricer.jobs import publish, score
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.tables.files.durable import checksums
from gpu_pricer.tables.version.names import RUN_RECORD, SEAL
from gpu_pricer.tables.version.seal import seal
from gpu_pricer.versions import publication
from tests.faults.counts import Counts
from tests.faults.endings import counted, ending_of
from tests.jobs.conftest import configuration
from tests.markets import catalog_of, small_artefact

OLD, NEW = "old", "new"
JUNK = (None, True, -1, 0, 3, 10**30, 0.5, 1e308, float("nan"), "", "x", "../new", "EUR", "wide", [], [1], {}, {"a": 1})


def run(limit: int, seed: int) -> Counts:
    """Return the counts over `limit` mutated versions; wrong is one that is accepted, or is no clear refusal."""
    with tempfile.TemporaryDirectory() as folder:
        return counted("mutated_versions", _faults(Path(folder), limit, random.Random(seed)))


def _faults(folder: Path, limit: int, rng: random.Random) -> Iterator[str | None]:
    market = _market(folder / "market")
    for case in range(limit):
        place = folder / str(case)
        shutil.copytree(market, place, symlinks=True)
        mutate = rng.choice(MUTATIONS if case % 3 else SEALED)
        version = place / "prices" / NEW
        version = mutate(version, rng) or version
        if not case % 3:
            seal(version)
        yield _fault(place, version, mutate)
        shutil.rmtree(place)


def _market(folder: Path) -> Path:
    """Return a folder whose `prices` hold a published version and a newer one that is only scored."""
    artefact = small_artefact(31, segments=3, products=12, categories=4)
    write_artefact(artefact, folder / "work/demand")
    (folder / "work/data").mkdir()
    for run, seed in ((OLD, 0), (NEW, 1)):
        catalog_of(artefact, seed).write_parquet(folder / "work/data/products.parquet")
        tiles = "score.cells_per_file=9"
        score.main(configuration(folder / "work", f"paths.shards={folder}/prices/{run}", "backend=cpu", tiles))
        if run == OLD:
            publish.main(configuration(folder / "work"))
    return folder


def _fault(place: Path, version: Path, mutate: Callable) -> str | None:
    """Return what was wrong with how `publish` took the version, None if it refused it and changed nothing."""
    prices = place / "prices"
    before = _published(prices)
    settings = instantiate(configuration(version).publish, _convert_="all")
    ending = ending_of("publish", lambda: publication.publish(prices, version, settings))
    if ending.is_refusal and _published(prices) == before:
        return None
    return f"{mutate.__name__}: {ending}"


def _published(prices: Path) -> tuple[dict[str, str], ...]:
    """Return the bytes of Delta's log and of the published version, and where the link points."""
    link = prices / "_current"
    parts = [checksums(prices / name) for name in ("_delta_log", OLD)]
    return *parts, {"link": str(link.readlink()) if link.is_symlink() else ""}


def _any_file(version: Path, rng: random.Random) -> Path:
    return rng.choice(sorted(path for path in version.rglob("*") if path.is_file()))


def _table_file(version: Path, rng: random.Random) -> Path:
    return rng.choice(sorted(version.glob("*.parquet")))


def _edit_record(version: Path, change: Callable[[dict], object]) -> None:
    record = json.loads((version / RUN_RECORD).read_text())
    change(record)
    (version / RUN_RECORD).write_text(json.dumps(record))


def flip_bytes(version: Path, rng: random.Random) -> None:
    """Change one to four bytes of a file."""
    path = _any_file(version, rng)
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(content))
        content[place] = (content[place] + rng.randint(1, 255)) % 256
    if bytes(content) == path.read_bytes():
        content[0] ^= 1
    path.write_bytes(content)


def truncate(version: Path, rng: random.Random) -> None:
    """Cut a file off."""
    path = _any_file(version, rng)
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def append(version: Path, rng: random.Random) -> None:
    """Add bytes to a file."""
    with _any_file(version, rng).open("ab") as file:
        file.write(rng.choice((b"\n", b" ", b"\0" * 9, b"PAR1")))


def lose_file(version: Path, rng: random.Random) -> None:
    """Remove a file."""
    _any_file(version, rng).unlink()


def add_file(version: Path, rng: random.Random) -> None:
    """Add a file, often a copy of another one."""
    name = rng.choice(("more.parquet", ".hidden", "_record/more.json", "_delta_log/00000000000000000000.json", "a/b"))
    path = version / name
    path.parent.mkdir(exist_ok=True)
    shutil.copy(_any_file(version, rng), path)


def swap_files(version: Path, rng: random.Random) -> None:
    """Let two files of the version change places."""
    one, other = rng.sample(sorted(path for path in version.rglob("*") if path.is_file()), 2)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    if one.read_bytes() == content:
        one.unlink()


def take_file_of_other_version(version: Path, rng: random.Random) -> None:
    """Replace a file by that of the published version."""
    path = _any_file(version, rng)
    path.write_bytes((version.with_name(OLD) / str(path.relative_to(version)).replace(NEW, OLD)).read_bytes())
    if path.name in ("policy.json", "unpriced.parquet"):
        path.unlink()  # they are the same in both


def link_file(version: Path, rng: random.Random) -> None:
    """Put a link to a copy elsewhere in a file's place."""
    path = _any_file(version, rng)
    path.rename(version.parent.parent / "elsewhere")
    path.symlink_to(version.parent.parent / "elsewhere")


def break_seal(version: Path, rng: random.Random) -> None:
    """Change the seal."""
    path = version / SEAL
    lines = path.read_text().splitlines(keepends=True)
    line = rng.randrange(len(lines))
    lines[line] = rng.choice(("", lines[line].upper(), lines[line][1:], lines[line] * 2, "\n" + lines[line]))
    path.write_text("".join(lines))


def rename_folder(version: Path, rng: random.Random) -> Path:
    """Rename the version, with or without its record."""
    renamed = version.rename(version.with_name(rng.choice(("other", "new2", "NEW", "new.part", "-new", "new "))))
    if rng.random() < 0.5:
        _edit_record(renamed, lambda record: record.update(run=renamed.name))
    return renamed


def change_field(version: Path, rng: random.Random) -> None:
    """Change, remove or add a field of run.json."""

    def change(record: dict) -> None:
        fields = rng.choice((record, record["tally"]))
        key = rng.choice(sorted(fields))
        if rng.random() < 0.2:
            del fields[key]
        else:
            fields[key] = rng.choice([value for value in JUNK if value != fields[key]])

    _edit_record(version, change)


def break_json(version: Path, rng: random.Random) -> None:
    """Make run.json something else."""
    junk = ("", "null", "[]", "{", "[" * 100_000, "3", '"x"', "{}", '{"run": "new"}', "\ud800", "NaN", "\0")
    (version / RUN_RECORD).write_bytes(rng.choice(junk).encode(errors="surrogatepass"))


def mistype_field(version: Path, rng: random.Random) -> None:
    """Give a field that publishing reads a value that it cannot have."""
    values = {
        "files": (None, "x", [], [1], ["../old/a.parquet"], {}, 3, [None]),
        "segments": (None, "3", 0, 4, -3, 1.5, [], True),
        "layout": (None, "wide", "tall", 3, [], "LONG"),
        "tally": (None, [], {}, 3, {"rows": 0}, "x"),
        "run": (None, 3, "", ".", "..", "old", "../new", "new/", "a b", []),
        "currency": (None, 3, [], "EUR", ""),
        "created": (None, 3, []),
        "details": (None, "x", [1], {}),
        "artefact": (None, 3, [], "", "..", "../../x"),
        "shards": (None, "x", [], 1.5),
    }
    key = rng.choice(sorted(values))
    _edit_record(version, lambda record: record.update({key: rng.choice(values[key])}))


def mistype_tally(version: Path, rng: random.Random) -> None:
    """Give a sum that publishing reads a value that it cannot have."""
    key, value = rng.choice(("rows", "products")), rng.choice((None, "x", 0, -1, 5, 10**400, 1.5, [], True))
    _edit_record(version, lambda record: record["tally"].update({key: value}))


def break_rows(version: Path, rng: random.Random) -> None:
    """Write a file of the table with other rows."""
    path = _table_file(version, rng)
    rows = pl.read_parquet(path)
    price = rng.choice((pl.lit(None), pl.lit(0), -pl.col("price"), pl.lit(None)))
    is_first = pl.int_range(pl.len()) == 0
    changes = (
        lambda: rows[1:],
        lambda: rows.clear(),
        lambda: pl.concat([rows, rows[:1]]),
        lambda: pl.concat([rows[1:], rows[1:2]]),
        lambda: rows.with_columns(
            pl.when(is_first).then(price).otherwise("price").cast(pl.Decimal(12, 2)).alias("price")
        ),
        lambda: rows.with_columns(binding=pl.lit("because")),
        lambda: rows.with_columns(product_id=pl.lit(None, dtype=pl.String)),
        lambda: rows.with_columns(segment_id=pl.lit("s9")),
        lambda: rows.with_columns(expected_units=pl.lit(-1, dtype=pl.Float32)),
        lambda: rows.with_columns(expected_units=pl.lit(float("nan"), dtype=pl.Float32)),
    )
    rng.choice(changes)().write_parquet(path)


def break_schema(version: Path, rng: random.Random) -> None:
    """Write a file of the table with other columns or types."""
    path = _table_file(version, rng)
    rows = pl.read_parquet(path)
    column = rng.choice(rows.columns)
    other = rng.choice((pl.lit(1), pl.lit("x"), pl.lit([1]), pl.lit(True), pl.struct("price"), pl.lit(None)))
    changes = (
        lambda: rows.drop(column),
        lambda: rows.rename({column: "x"}),
        lambda: rows.rename({column: column.upper()}),
        lambda: rows.with_columns(more=pl.lit(1)),
        lambda: rows.with_columns(other.alias(column)),
        lambda: rows.select(reversed(rows.columns)),
        lambda: rows.with_columns(pl.col("price").cast(pl.Float64)),
        lambda: rows.with_columns(pl.col("price").cast(pl.Decimal(38, 10))),
    )
    rng.choice(changes)().write_parquet(path)


def damage_table(version: Path, rng: random.Random) -> None:
    """Cut a file of the table off, or write something else in its place."""
    path = _table_file(version, rng)
    content = path.read_bytes()
    cut = content[: rng.randrange(len(content))]
    path.write_bytes(rng.choice((cut, b"", b"PAR1", content[4:], content[:-4] + b"PARE", b"a,b\n1,2\n", b"PAR1" * 3)))


def lose_table(version: Path, rng: random.Random) -> None:
    """Remove a file of the table, from its record too."""
    path = _table_file(version, rng)
    path.unlink()
    _edit_record(version, lambda record: record["files"].remove(path.name))


def replace_log(version: Path, rng: random.Random) -> None:
    """Put a foreign or a damaged Delta log beside the version."""
    log = version.parent / "_delta_log"
    entry = log / f"{0:020d}.json"
    text = entry.read_text()
    change = rng.randrange(6)
    if change == 0:
        shutil.rmtree(log)
        pl.DataFrame({"a": [1]}).write_delta(version.parent)
    elif change == 1:
        entry.write_text(text[: rng.randrange(1, len(text) - 2)])
    elif change == 2:
        entry.write_text(rng.choice(("{}", "[]", "\0", "{", "null")))
    elif change == 3:
        shutil.copy(entry, log / f"{2:020d}.json")
    elif change == 4:
        entry.write_text(text.replace(f"{OLD}/{OLD}-", "other/file-"))
    else:
        pl.DataFrame({"a": [1]}).write_delta(
            version.parent, mode="append", delta_write_options={"schema_mode": "merge"}
        )


MUTATIONS = (
    flip_bytes, flip_bytes, truncate, append, lose_file, add_file, swap_files, take_file_of_other_version, link_file,
    break_seal, rename_folder, change_field, change_field, break_json, break_rows, break_schema, replace_log,
)  # fmt: skip
"""What breaks the seal, or the table beside the version."""
SEALED = (mistype_field, mistype_tally, break_json, break_rows, break_schema, damage_table, rename_folder, lose_table)
"""What the gates must see in a version that is sealed again."""
