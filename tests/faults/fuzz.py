"""Jobs that are given random tables: each accepts a table with a right result, or says in one line what is wrong."""

import contextlib
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import DictConfig
from polars.testing import assert_frame_equal

from gpu_pricer.jobs import assign, predict, prepare, publish, score, train
from gpu_pricer.tables.price_table import scan_prices
from gpu_pricer.tables.version.seal import seal
from tests.canonical import write_canonical
from tests.faults import drawn_tables
from tests.faults.counts import Counts
from tests.faults.endings import Ending, counted, ending_of
from tests.jobs.conftest import configuration


@dataclass(frozen=True)
class Target:
    """A job, the tables that a user gives it by their path, its configuration, and where its results lie.

    results: the table that it writes, read. before: what is done to the given tables first. takes_equals: whether the
    job takes any table that says the same.
    """

    job: ModuleType
    tables: dict[Path, pl.DataFrame]
    config: DictConfig
    written: Path
    results: Callable[[], pl.DataFrame]
    before: Callable[[], object] = lambda: None
    takes_equals: bool = True

    @property
    def name(self) -> str:
        return self.job.__name__.rpartition(".")[2]


def run(limit: int, seed: int) -> Counts:
    """Return the counts over `limit` tables; wrong is a traceback, an unclear refusal or a wrong result."""
    with tempfile.TemporaryDirectory() as folder:
        return counted("fuzzed", _faults(Path(folder), limit, random.Random(seed)))


def _faults(folder: Path, limit: int, rng: random.Random) -> Iterator[str | None]:
    targets = _targets(folder)
    expected = {}
    for target in targets:
        _write(target)
        ending = _ending(target)
        assert ending.status == 0, f"{target.name} must accept the sound tables, found {ending}"
        expected[target.name] = target.results()
    for case in range(limit):
        target = targets[case % len(targets)]
        yield _fault(target, expected[target.name], rng)


def _fault(target: Target, expected: pl.DataFrame, rng: random.Random) -> str | None:
    """Give the job one drawn table, and return what was wrong with how it took it."""
    path, kind = rng.choice(sorted(target.tables)), rng.choice(("equal", "changed", "changed", "changed", "broken"))
    kind = kind if target.takes_equals else "changed"
    state = rng.getstate()[1][0]
    _write(target)
    table = target.tables[path]
    path.unlink()
    if kind == "equal":
        drawn_tables.write_equal(drawn_tables.as_equal(table, rng), path, rng)
    elif kind == "broken":
        drawn_tables.write_broken(table, path, rng)
    else:
        for _ in range(rng.choice((1, 1, 2))):
            table = drawn_tables.changed(table, rng) if table.width else table
        table.write_parquet(path)
    ending = _ending(target)
    fault = _wrong(target, ending, expected if kind == "equal" else None)
    shown = f"{dict(table.schema)} of {table.height} rows"[:300]
    return None if fault is None else f"{target.name} {path.name} {kind} ({state}): {fault}; {shown}"


def _wrong(target: Target, ending: Ending, expected: pl.DataFrame | None) -> str | None:
    if ending.status != 0:
        return None if ending.is_refusal and expected is None else str(ending)
    try:
        found = target.results()
        if expected is not None:
            assert_frame_equal(found, expected, check_dtypes=False, abs_tol=1e-6)
        _require_sound(found)
    except AssertionError as error:
        return f"wrong result: {str(error)[:300]}"
    return None


def _require_sound(found: pl.DataFrame) -> None:
    """Raise AssertionError unless the result is one that the job may write."""
    assert found.height
    for name in ("price", "probability", "segment_id"):
        if name in found.columns:
            assert found[name].null_count() == 0, f"{name} has nulls"
    if "probability" in found.columns:
        assert found["probability"].is_between(0, 1, closed="none").all(), "probability is none"
    if "price" in found.columns:
        assert (found["price"] > 0).all(), "price is not positive"


def _ending(target: Target) -> Ending:
    def work() -> None:
        target.job.inputs(target.config)
        target.job.main(target.config)

    target.before()
    return ending_of(target.name, work)


def _write(target: Target) -> None:
    """Write the sound tables, and remove what the last case wrote."""
    for path in (target.written, *target.tables):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path, table in target.tables.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        table.write_parquet(path)


def _targets(folder: Path) -> list[Target]:
    """Return the jobs with sound tables of a small market, on which a network is trained once."""
    work = folder / "work"
    write_canonical(work / "data", users=40, categories=2, size=3, periods=10)
    train.main(configuration(work, "model=tiny", "train.segments.count=2", "train.refit=false", "backend=cpu"))
    data = {name: pl.read_parquet(work / f"data/{name}.parquet") for name in ("products", "users", "shelf", "choices")}
    return [
        *_prepare(folder, data),
        *_score(folder, work, data),
        *_predict(folder, work, data),
        *_assign(folder, work, data),
    ]


def _lines(data: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Return what was bought, with its price."""
    bought = data["choices"].filter(pl.col("product_id").is_not_null()).select("user_id", "product_id", "period")
    return bought.join(data["shelf"].select("period", "product_id", "price"), on=("period", "product_id"))


def _prepare(folder: Path, data: dict[str, pl.DataFrame]) -> list[Target]:
    shop, out = folder / "shop", folder / "prepared"
    lines = _lines(data).rename({"period": "time"}).with_columns(quantity=1)
    tables = {
        shop / "products.parquet": data["products"].select("product_id", "category_id", "price", "cost", "brand"),
        shop / "transactions.parquet": lines,
        shop / "users.parquet": data["users"],
    }
    config = configuration(
        out, "data=parquet", f"data.path={shop}", "split.validation_periods=1", "split.test_periods=1"
    )
    return [Target(prepare, tables, config, out, lambda: _text_ids(pl.read_parquet(out / "data/shelf.parquet")))]


def _text_ids(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col(name).cast(pl.String) for name in table.columns if name.endswith("_id"))


def _score(folder: Path, work: Path, data: dict[str, pl.DataFrame]) -> list[Target]:
    catalog, version, prices = folder / "catalog.parquet", folder / "versions/night", folder / "prices"
    tables = {catalog: data["products"]}
    places = (f"paths.catalog={catalog}", f"paths.shards={version}", "backend=cpu", "fairness.protected=[]")
    scoring = configuration(work, *places)

    def rows(where: Path) -> pl.DataFrame:
        return _text_ids(scan_prices(where).collect()).sort("product_id", "segment_id")

    shutil.rmtree(version, ignore_errors=True)
    data["products"].write_parquet(catalog)
    score.main(scoring)
    kept = shutil.copytree(version, folder / "kept")
    file = next(kept.glob("*.parquet")).name
    shutil.rmtree(version)

    carried = pq.read_metadata(kept / file).metadata

    def complete() -> None:
        with contextlib.suppress(pa.ArrowException, OSError):
            table = pq.read_table(version / file)
            pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **carried}), version / file)
        for path in kept.rglob("*"):
            if path.is_file() and path.name != file:
                (version / path.relative_to(kept)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, version / path.relative_to(kept))
        seal(version)

    publishing = configuration(work, f"paths.prices={prices}", f"paths.shards={version}")
    given = {version / file: pl.read_parquet(kept / file)}
    return [
        Target(score, tables, scoring, version, lambda: rows(version)),
        Target(publish, given, publishing, prices, lambda: rows(prices / "_current"), complete, False),
    ]


def _predict(folder: Path, work: Path, data: dict[str, pl.DataFrame]) -> list[Target]:
    offers, out = folder / "offers.parquet", folder / "predicted.parquet"
    given = data["shelf"].tail(12).select("product_id", "price", "display", time="period", user_id=pl.lit(3))
    given = given.with_columns(occasion_id=pl.col("time").cast(pl.String))
    catalog = folder / "known/products.parquet"
    config = configuration(work, f"predict.offers={offers}", f"predict.out={out}", f"paths.catalog={catalog}")
    tables = {offers: given, catalog: data["products"]}

    def rows() -> pl.DataFrame:
        table = pl.read_parquet(out).select("occasion_id", "product_id", "probability")
        return _text_ids(table).sort("occasion_id", "product_id")

    return [Target(predict, tables, config, out, rows)]


def _assign(folder: Path, work: Path, data: dict[str, pl.DataFrame]) -> list[Target]:
    lines, users, out = folder / "lines.parquet", folder / "users.parquet", folder / "assigned.parquet"
    tables = {lines: _lines(data).head(60).rename({"period": "time"}), users: data["users"]}
    config = configuration(work, f"assign.transactions={lines}", f"assign.users={users}", f"assign.out={out}")
    return [Target(assign, tables, config, out, lambda: pl.read_parquet(out).sort("user_id"))]
