"""Tasks that share a version: each reads its own products, and together they write what one process writes."""

import json
import re
import threading
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.pricing import POINT, POSTERIOR, Tiling
from gpu_pricer.tables.artefact import write_artefact
from gpu_pricer.versions import scored_inputs, shard_plan
from gpu_pricer.versions.scored_inputs import ScoredInputs
from gpu_pricer.versions.scored_version import score
from gpu_pricer.versions.shard_plan import shard_part
from tests.markets import NO_RULES, USUAL, a_policy, catalog_of, small_artefact

ARTEFACT = small_artefact(7, segments=3, products=40, categories=9)
DAY = date(2026, 11, 27)


def with_offsets(artefact, segments=()):
    """The artefact with an offset for every product, and one more for each of these segments."""
    ids = artefact.products["product_id"]
    shared = {"product_id": ids, "segment_id": [None] * len(ids), "appeal_offset": [0.1 * k for k in range(len(ids))]}
    cells = {"product_id": ["p011"] * len(segments), "segment_id": segments, "appeal_offset": [0.3] * len(segments)}
    types = {"product_id": pl.String, "segment_id": pl.String, "appeal_offset": pl.Float64}
    rows = pl.concat([pl.DataFrame(shared, schema_overrides=types), pl.DataFrame(cells, schema=types)])
    return replace(artefact, offsets=rows.with_columns(sensitivity_offset=pl.lit(0.05)))


def uneven(catalog):
    """The catalog with products that no demand knows, without a category, without a unit price, and new ones."""
    known = catalog.with_columns(
        category_id=pl.when(pl.col("product_id") == "p003").then(None).otherwise("category_id"),
        has_unit_price=(pl.col("product_id") != "p017").cast(pl.Float64),
    )
    strange = known.head(2).with_columns(product_id=pl.lit("q") + pl.col("product_id"), category_id=pl.lit("c45"))
    new = known.filter(pl.col("category_id") == "c2").with_columns(product_id=pl.lit("r") + pl.col("product_id"))
    return pl.concat([known, strange, new])


def with_fallback(artefact):
    """The artefact with a fallback for the new products of a category."""
    fallback = artefact.products.filter(pl.col("category_id") == "c2").head(1)
    fallback = fallback.with_columns(product_id=pl.lit(None, dtype=pl.String))
    rows = {name: [*range(len(f)), 0] if name.startswith("product") else [*range(len(f))]
            for name, f in artefact.factors.items()}  # fmt: skip
    factors = {name: f[rows[name]] for name, f in artefact.factors.items()}
    return replace(artefact, products=pl.concat([artefact.products, fallback]), factors=factors)


@pytest.fixture
def inputs(tmp_path):
    """inputs(artefact, catalog, policy) are the files of a market."""

    def written(artefact=ARTEFACT, catalog=None, policy=None):
        write_artefact(artefact, tmp_path / "demand")
        (catalog_of(ARTEFACT) if catalog is None else catalog).write_parquet(tmp_path / "products.parquet")
        paths = (tmp_path / "demand", tmp_path / "products.parquet", tmp_path / "prices")
        return ScoredInputs(*paths, policy or a_policy(), DAY, None)

    return written


def task(inputs, folder, tiling):
    """Score as one task of `score` does."""
    part = shard_part(folder, inputs, tiling, POINT)
    priced = inputs.read_catalog(part)
    return score(inputs.read_demand(part), priced, inputs.policy, tiling, folder, "cpu")


def contents(folder):
    """What every file of a version holds, but for the time of its scoring."""
    created = re.compile(rb'"created": "[^"]*"|^[0-9a-f]{64}  _record/(run|shard.*).json\n', re.MULTILINE)
    return {path.name: created.sub(b"", path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("artefact", "catalog", "shards"),
    [
        (ARTEFACT, None, 11),
        (with_offsets(ARTEFACT), None, 2),
        (with_offsets(ARTEFACT, ["s1"]), None, 2),
        (small_artefact(7, segments=3, products=40, categories=9, form="dense"), None, 3),
        (with_fallback(ARTEFACT), uneven(catalog_of(ARTEFACT)), 5),
    ],
    ids=["factors", "offsets", "cell offsets", "dense", "uneven"],
)
def test_tasks_write_the_bytes_of_one_process(tmp_path, inputs, artefact, catalog, shards):
    market, tiling = inputs(artefact, catalog), Tiling("long", 20, shards, None, 1)
    task(market, tmp_path / "one/night", tiling)

    versions = [task(market, tmp_path / "many/night", replace(tiling, shard=shard)) for shard in range(shards)]

    assert versions[:-1] == [None] * (shards - 1)
    assert contents(tmp_path / "many/night") == contents(tmp_path / "one/night")


def test_tasks_of_the_command_line_leave_what_one_process_leaves(gpu_pricer, tmp_path, inputs):
    inputs(with_fallback(ARTEFACT), uneven(catalog_of(ARTEFACT)))
    common = ("policy=profit", "backend=cpu", "paths.demand=demand", "paths.catalog=products.parquet", "score.shards=2")
    assert gpu_pricer("score", *common, "paths.shards=one/night").status == 0

    for shard in (1, 0):
        ended = gpu_pricer("score", *common, "paths.shards=many/night", f"score.shard={shard}")
        assert ended.status == 0, ended.said

    assert contents(tmp_path / "many/night") == contents(tmp_path / "one/night")
    assert gpu_pricer("publish", "publish=unguarded", "paths.prices=many", "paths.shards=many/night").status == 0


def test_only_the_first_task_reads_all(tmp_path, inputs, monkeypatch):
    market, read = inputs(), []
    whole = scored_inputs.read_artefact

    def counted(*arguments):
        artefact = whole(*arguments)
        read.append(artefact.products.height)
        return artefact

    monkeypatch.setattr(scored_inputs, "read_artefact", counted)
    in_order = replace(ARTEFACT, products=ARTEFACT.products.sort("product_id"))
    write_artefact(in_order, market.demand)
    for shard in range(3):
        task(market, tmp_path / "night", Tiling("long", 20, 3, shard, 1))

    assert read[0] == 40
    assert len(read) == 4


def test_tasks_that_start_together_make_one_plan(tmp_path, inputs, monkeypatch):
    market, made = inputs(), []
    planned = shard_plan._planned

    def counted(*arguments):
        made.append(arguments)
        return planned(*arguments)

    monkeypatch.setattr(shard_plan, "_planned", counted)
    parts = {}

    def ask(shard):
        parts[shard] = shard_part(tmp_path / "night", market, Tiling("long", 20, 4, shard, 1), POINT)

    threads = [threading.Thread(target=ask, args=(shard,)) for shard in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert [parts[shard].first_category for shard in range(4)] == sorted(part.first_category for part in parts.values())


@pytest.mark.parametrize(
    "policy",
    [
        a_policy(category_ladders={"c1": {"endings": [0.5]}}),
        a_policy(replace(USUAL, max_changes=5)),
        a_policy(replace(NO_RULES, min_days_between_changes=3)),
        a_policy(constraints={"volume": {"measure": "units", "at_least": 0.5, "relative_to": "current_prices"}}),
    ],
    ids=["ladders", "budget", "days", "constraints"],
)
def test_rules_on_the_whole_catalog_need_all_of_it(tmp_path, inputs, policy):
    assert shard_part(tmp_path / "night", inputs(policy=policy), Tiling("long", 20, 2, 0, 1), POINT) is None
    assert not (tmp_path / "night").exists()


def test_draws_and_a_single_process_need_all(tmp_path, inputs):
    tiling = Tiling("long", 20, 2, None, 1)

    assert shard_part(tmp_path / "night", inputs(), tiling, POINT) is None
    assert shard_part(tmp_path / "night", inputs(), replace(tiling, shard=0), POSTERIOR) is None


def test_plan_of_other_inputs_or_a_torn_one_does_not_count(tmp_path, inputs):
    tiling, path = Tiling("long", 20, 2, 0, 1), tmp_path / "night/_record/plan.json"
    first = shard_part(tmp_path / "night", inputs(), tiling, POINT)
    dearer = catalog_of(ARTEFACT).with_columns(pl.col("price") * 1.5)
    second = shard_part(tmp_path / "night", inputs(catalog=dearer), tiling, POINT)
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])

    assert first.catalog != second.catalog
    assert shard_part(tmp_path / "night", inputs(catalog=dearer), tiling, POINT) == second
    assert json.loads(path.read_text()) == json.loads(whole)


def test_shards_of_different_catalogs_do_not_mix(tmp_path, inputs):
    task(inputs(), tmp_path / "night", Tiling("long", 20, 2, 0, 1))
    dearer = inputs(catalog=catalog_of(ARTEFACT).with_columns(pl.col("price") * 1.5))

    with pytest.raises(InputError, match="every shard must be scored from the same artefact, catalog and policy"):
        task(dearer, tmp_path / "night", Tiling("long", 20, 2, 1, 1))


def test_input_that_changes_after_the_plan_is_refused(tmp_path, inputs):
    market = inputs()
    part = shard_part(tmp_path / "night", market, Tiling("long", 20, 2, 0, 1), POINT)
    catalog_of(ARTEFACT, seed=1).write_parquet(market.catalog)

    with pytest.raises(InputError, match=r"products\.parquet must stay as it is while it is priced, found it changed"):
        market.read_demand(part)
    with pytest.raises(InputError, match=r"must stay as it is while it is priced .*, found another catalog"):
        market.read_whole_catalog(part.catalog)


def test_input_that_is_not_valid_leaves_no_plan(tmp_path, inputs):
    market = inputs(catalog=catalog_of(ARTEFACT).with_columns(pl.col("price") * -1))

    with pytest.raises(InputError, match=r"products\.parquet .*price"):
        shard_part(tmp_path / "night", market, Tiling("long", 20, 2, 0, 1), POINT)

    assert not (tmp_path / "night").exists()
