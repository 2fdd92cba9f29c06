"""Wrong input: status 2, one line with the file, the rule, the value and the remedy, and nothing written."""

import json
import re
import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from safetensors.numpy import load_file, save_file

from gpu_pricer.tables.artefact import write_artefact
from kernels.backend import missing_for_cuda
from tests.markets import catalog_of, small_artefact

CONF = Path(__file__).parents[2] / "conf"
PREPARE = (
    "prepare", "data=parquet", "data.path=shop", "data.on_invalid=refuse", "split.validation_periods=1",
    "split.test_periods=1",
)  # fmt: skip
WEEKS = [date(2024, 1, 1) + timedelta(weeks=week) for week in range(8)]


@pytest.fixture
def shop(tmp_path):
    """A folder of sound raw tables: 3 products, 4 users who buy every product every week."""
    folder = tmp_path / "shop"
    folder.mkdir()
    products = pl.DataFrame({"product_id": [10, 11, 12], "category_id": ["tea", "tea", "milk"]})
    products = products.with_columns(price=pl.Series([2.0, 3.0, 1.0]), cost=pl.Series([1.0, 2.0, 0.5]))
    users, time = pl.DataFrame({"user_id": [1, 2, 3, 4]}), pl.DataFrame({"time": WEEKS})
    lines = users.join(products.select("product_id", "price"), how="cross").join(time, how="cross")
    products.write_parquet(folder / "products.parquet")
    lines.with_columns(quantity=pl.lit(1)).write_parquet(folder / "transactions.parquet")
    return folder


def rewrite(path, change):
    change(pl.read_parquet(path)).write_parquet(path)


def test_the_shop_is_sound_before_it_is_broken(gpu_pricer, shop):
    assert gpu_pricer(*PREPARE).status == 0


NEGATIVE = pl.when(pl.int_range(pl.len()) == 0).then(-2.0).otherwise("price").alias("price")
BROKEN_TABLES = {
    "missing column": (
        "transactions",
        lambda rows: rows.drop("price"),
        r"shop/transactions.parquet must have the column price, found only user_id, .*: add price",
    ),
    "wrong type": (
        "transactions",
        lambda rows: rows.with_columns(price=pl.lit("cheap")),
        r"shop/transactions.parquet: the column price must be a number, found String: convert the column",
    ),
    "negative price": (
        "transactions",
        lambda rows: rows.with_columns(NEGATIVE),
        r"shop/transactions.parquet breaks price_is_positive in 1 rows, such as "
        r"\(user_id=1, .*price=-2.0.*\): mend these rows or set data.on_invalid=quarantine",
    ),
    "negative price of the catalog": (
        "products",
        lambda rows: rows.with_columns(NEGATIVE),
        r"shop/products.parquet breaks price_is_positive in 1 rows, such as \(product_id=10, .*: mend these",
    ),
    "duplicate product": (
        "products",
        lambda rows: pl.concat([rows, rows.head(1)]),
        r"shop/products.parquet breaks product_is_unique in 2 rows, such as \(product_id=10.*: keep one",
    ),
    "empty table": (
        "transactions",
        lambda rows: rows.clear(),
        r"shop/transactions.parquet must hold at least one row, found none: fill the table or remove it",
    ),
    "price of a fraction of a cent": (
        "products",
        lambda rows: rows.with_columns(price=pl.lit(0.004)),
        r"price of every product must be at least one cent and below .*, found 3 .* first \(10, 0.004\): state",
    ),
    "price of true and false": (
        "transactions",
        lambda rows: rows.with_columns(price=pl.lit(True)),
        r"shop/transactions.parquet: the column price must be a number, found Boolean: convert the column",
    ),
    "receipts twice": (
        "transactions",
        lambda rows: pl.concat([rows, rows]),
        r"shop/transactions.parquet must hold every line once, found all lines of 8 days more than once, the first day "
        r"2024-01-01: remove the copies",
    ),
    "receipts of a day twice": (
        "transactions",
        lambda rows: pl.concat([rows, rows.filter(pl.col("time") == WEEKS[5])]),
        r"must hold every line once, found all lines of 1 days more than once, the first day 2024-02-05: remove",
    ),
    "list prices in cents": (
        "transactions",
        lambda rows: rows.with_columns(list_price=pl.col("price") * 100),
        r"list prices in shop/transactions.parquet must be prices of one unit before discounts, found 96 of 96 more "
        r"than 5 times the price \(in cents.*, such as \(product_id=10, price=2.0, list_price=200.0\), .*: "
        "mend them",
    ),
    "no cost": (
        "products",
        lambda rows: rows.drop("cost"),
        r"cost .*cost_ratio",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN_TABLES)
def test_broken_table_is_refused(refused, shop, fault):
    table, change, message = BROKEN_TABLES[fault]
    rewrite(shop / f"{table}.parquet", change)

    assert re.search(message, refused(*PREPARE))


def test_a_log_of_which_most_lines_break_rules_is_refused_and_names_the_setting_that_accepts_it(
    gpu_pricer, refused, shop
):
    is_lost = pl.int_range(pl.len()) < 60
    rewrite(
        shop / "transactions.parquet",
        lambda rows: rows.with_columns(price=pl.when(is_lost).then(0.0).otherwise("price")),
    )
    prepare = (*PREPARE, "data.on_invalid=quarantine")

    said = refused(*prepare)

    assert said.startswith("no more than 50% of the lines of shop/transactions.parquet may break rules")
    assert "found 60 of 96; it breaks price_is_positive in 60 rows, such as" in said
    assert said.endswith("mend it, or set data.most_invalid=0.63")
    assert gpu_pricer(*prepare, "data.most_invalid=0.63").status == 0


@pytest.mark.parametrize("share", ["1.01", "abc", "null"])
def test_a_share_that_is_none_is_refused(refused, shop, share):
    assert re.match(
        r"data.most_invalid must be a number .*: mend that key", refused(*PREPARE, f"data.most_invalid={share}")
    )


def test_a_rule_on_list_prices_that_is_none_is_refused(refused, shop):
    assert "data.list_prices must be a rule with a _target_, found None" in refused(*PREPARE, "data.list_prices=null")


def test_lines_of_unknown_products_may_be_most_of_a_log(gpu_pricer, shop):
    rewrite(shop / "products.parquet", lambda rows: rows.head(1))

    assert gpu_pricer(*PREPARE, "data.on_invalid=quarantine").status == 0


def test_truncated_file_is_refused(refused, shop):
    path = shop / "transactions.parquet"
    path.write_bytes(path.read_bytes()[:-100])

    said = refused(*PREPARE)

    assert re.fullmatch(r"shop/transactions.parquet must be a whole Parquet file, found: .*; write it again", said)


def test_missing_table_is_refused(refused, shop):
    (shop / "products.parquet").unlink()

    said = refused(*PREPARE)

    assert said == "the tables must include products, found transactions: add products.parquet"


def test_directory_that_is_not_there_is_refused(refused):
    said = refused("prepare", "data=parquet", "data.path=nowhere")

    assert said == "data.path must be a directory, found no directory at nowhere: set data.path=DIR"


def test_bad_input_leaves_the_canonical_tables_of_yesterday(gpu_pricer, refused, shop):
    gpu_pricer(*PREPARE)
    rewrite(shop / "transactions.parquet", lambda rows: rows.drop("price"))

    assert "must have the column price" in refused(*PREPARE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "polcy=profit"), r"polcy must be a key .* did you mean policy\?"),
        (
            ("train", "policy=profits"),
            r"Could not find 'policy/profits' Available options in 'policy': .*profit",
        ),
        (
            ("score", "data=synthetic", "data.source.people.user=9"),
            r"found none of that name: did you mean data.source.people.users\?",
        ),
        (
            ("score", "policy.category_ladders.tea=[0.99]"),
            r"or added to it with a plus sign: write \+policy.category_ladders.tea=",
        ),
        (("score", "+paths.warm_strat=x"), r"\+paths.warm_strat must add .* did you mean paths.warm_start\?"),
        (("score", "+wholly.unlike=1"), r"found none there: gpu-pricer score --cfg job prints all keys"),
        (("score", "data=synthetic", "+data.sourc.weeks=9"), r"found none there: did you mean data.source.weeks\?"),
        (("score", "wholly.unlike=0.1"), r"wholly.unlike must be a key .*: gpu-pricer score --cfg job prints all keys"),
        (("score", "policy={a: "), r"at input '\{a: '"),
        (
            ("explain", "1", "2", "3"),
            r"after explain .* at most 2 plain words \(product, segment\), .* found 3: leave it",
        ),
        (
            ("score", "tonight"),
            r"after score there must be key=value, found tonight: leave it out, or see gpu-pricer score",
        ),
        (("score", "=3"), r"the overrides must be Hydra.s, found =3: .*; see gpu-pricer score --help"),
        (("score", "--polcy"), r"found unrecognized arguments: --polcy: see gpu-pricer score --help"),
        (("score", "--cfg"), r"found argument --cfg/-c: expected one argument"),
        (("score", "paths.work=null"), r"paths.work must be a path, found None: set paths.work=PATH"),
        (
            ("score", "paths.shards=s3://shop/tonight"),
            r"paths.shards must lie in a folder of this machine, found 's3://shop/tonight': mount the object store",
        ),
        (("score", "paths.prices=hdfs://shop/prices"), r"or at an address that begins with s3://, gs:// or az://, fo"),
        (("publish", "paths.prices=s3://us:secret@shop"), r"a bucket and a folder in it, without credentials, found"),
        (("review", "paths.prices=s3://shop/prices"), r"review needs paths.prices in a folder of this machine"),
        (("score", "paths.work=file:///work"), r"paths.work must lie in a folder of this machine, found 'file:/"),
        (("prepare", "data=parquet", "data.path=abfss://shop@x.net/raw"), r"data.path must lie in a folder of"),
        (("predict", "predict.offers=dbfs:/offers.parquet"), r"predict.offers must lie in a folder of this machine"),
        (("train", "init_from=gs://models/last"), r"init_from must lie in a folder of this machine"),
        (("score", "seed=soon"), r"seed must be a whole number from 0, found 'soon': set seed=0"),
        (
            ("prepare", "data=parquet"),
            r"data.path must be the directory of your tables, found None: set data.path=DIR",
        ),
        (("prepare", "data.source=null"), r"data.source must be a source of tables, found None: choose"),
        (("pubish",), r"the first word must be a job, found 'pubish': did you mean 'publish'\?"),
        (("train",), r"canonical tables must lie in work/data, found none: run `gpu-pricer prepare` first"),
        (("score",), r"a demand artefact must lie in work/demand, .* run `gpu-pricer train` first"),
        (("publish",), "a version must have been scored for work into prices, found none .*: run `gpu-pricer score`"),
        (("publish", "paths.shards=none"), r"none must hold a finished _record/run.json, found no finished"),
    ],
)
def test_bad_command_is_refused(refused, arguments, message):
    assert re.search(message, refused(*arguments))


def test_failed_job_of_a_sweep_is_refused(refused):
    said = refused("score", "-m", "seed=0,1", "hydra.sweep.dir=/dev/null/sweep")

    assert "/dev/null/sweep" in said


@pytest.mark.parametrize("job", ["train", "evaluate"])
@pytest.mark.parametrize("table", ["shelf", "choices", "visits"])
def test_torn_canonical_table_is_refused(gpu_pricer, refused, shop, job, table):
    gpu_pricer(*PREPARE)
    path = Path(f"work/data/{table}.parquet")
    path.write_bytes(path.read_bytes()[:-50])

    assert f"work/data/{table}.parquet must be a whole Parquet file, found: " in refused(job)


@pytest.fixture
def market(tmp_path):
    """A demand artefact and its catalog where `score` looks for them."""
    artefact = small_artefact(31, segments=3, products=12, categories=4)
    write_artefact(artefact, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    catalog_of(artefact).write_parquet(tmp_path / "work/data/products.parquet")
    return tmp_path / "work"


@pytest.mark.skipif(missing_for_cuda() == "", reason="CUDA works here, so backend=cuda is no error")
def test_cuda_without_a_device_is_refused(refused, market):
    assert re.match(r"backend 'cuda' needs .*; or choose backend 'cpu' or 'auto'", refused("score", "backend=cuda"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["policy.bounds.max_decrease=2"], "at policy.bounds .*max_decrease must be .* at most 1, found 2"),
        (["policy.bounds.max_increase=much"], "at policy.bounds .*max_increase must be .*, found 'much'"),
        (["policy.bounds.within_support=3"], "at policy.bounds .*within_support must be .*, found 3"),
        (["policy.ladder.endings=[1.5]"], "at policy.ladder .*endings must be below 1.00, found 1.5"),
        (["policy.ladder.endings=[]"], "at policy.ladder .*endings must .*, found"),
        (["policy.objective.profit=-1"], "at policy.objective .*profit must .*, found -1"),
        (["policy.objective.profit=0"], "at policy.objective .*, found"),
        (["policy.ladder.endings=[-0.01]"], "at policy.ladder .*endings must be .* at least 0, found -0.01"),
        (["policy.bounds.max_decrease=-0.2", "policy.bounds.max_increase=0.1"],
         "at policy.bounds .*max_increase must not lie below -bounds.max_decrease, found 0.1 and -0.2"),
        (["policy.bounds.frozen='brand ='"], "at policy.bounds .*frozen must be a condition in SQL, found 'brand ='"),
        (["policy.bounds.frozen='1 = 1'"], "bounds.frozen must read at least one column, found the constant '1 = 1'"),
        (["policy.bounds.frozen='cost > AVG(cost)'"],
         r"bounds.frozen must decide each row by its own columns, found 'AVG\(' over many rows in 'cost > AVG"),
        (["+policy.constraints.a={measure: units, at_least: 1.0, where: 'max (cost) > 1'}"],
         r"constraints.a: where must decide each row by its own columns, found 'max \(' over many rows"),
        (["+policy.constraints.a={measure: units, at_least: 1.0, where: 'true'}"],
         "constraints.a: where must read at least one column, found the constant 'true'"),
        (["policy.bounds.frozen='brand = 3'"], "the policy needs the columns brand of the catalog, found only"),
        (["policy.bounds.below_list_price=true"], "the policy needs the columns list_price of the catalog"),
        (["policy.bounds.max_above_competitor=0.1"], "the policy needs the columns competitor_price of the catalog"),
        (["policy.bounds.family_column=family_id"], "the policy needs the columns family_id of the catalog"),
        (["+policy.category_ladders.tea={endings: [0.5]}"], "category_ladders must name categories .*, found tea"),
        (["+policy.category_ladders.c0={steps: [1]}"], "category_ladders.c0 must hold endings or prices, found"),
        (["+policy.constraints.a={measure: joy, at_least: 1.0}"],
         "at policy .*constraints.a: measure must be one of units, .*, price_index, found 'joy'"),
        (["+policy.constraints.a={measure: units, at_least: 1.0, where: 'colour = 3'}"],
         "constraints.a.where must read columns of the catalog or of the artefact's segments, found colour"),
        (["+policy.constraints.a={measure: units, at_least: 1.0, where: 'cost > 99'}"],
         "constraints.a.where must hold for at least one product and segment, found none for 'cost > 99'"),
        (["+policy.constraints.a={measure: units, at_most: stock, per: product_id}"],
         "constraints.a.at_most must be a column of numbers in the catalog, found no such column for 'stock'"),
        (["+policy.constraints.a={measure: units, at_least: 1.0}", "policy.bounds.max_changes=3"],
         "policy.constraints cannot stand beside bounds.max_changes: set it to null, or policy=profit"),
        (["+policy.constraints.a={measure: units, at_least: 1.0}", "paths.warm_start=none"],
         "paths.warm_start must be the record of a version scored under constraints, found none/_record"),
        (["policy.overrides=no.csv"], "policy.overrides must be a file, found none at no.csv"),
        (["fairness.max_gap=-1"], "at fairness.*max_gap must be a number of at least 0, found -1"),
        (["score.details=[part]"], r"at score.*details must be a list of parts, .* found \['part'\]"),
        (["uncertainty=full"], "uncertainty must be point or posterior, found 'full'"),
        (["policy=profit", "uncertainty=posterior"], "uncertainty=posterior needs .* posterior.parquet, found none"),
        (["uncertainty=posterior", "frontier=units"], "frontier=units needs uncertainty=point, found posterior"),
        (["score.details=[interval]"], r"score.details=\[interval\] needs uncertainty=posterior, found point"),
        (["policy.bounds=null"], "policy.bounds must be a Bounds, found None"),
        (["score.cells_per_file=0"], "score.cells_per_file must be .*, found 0"),
        (["score.shards=2", "score.shard=2"], "score.shard must .*, found 2"),
        (["score.shards=2", "score.shard=1"], "score.shard needs paths.shards, .* found null: set it"),
        (["paths.shards='a b'"], "paths.shards must be named with letters, .* found 'a b'"),
        (["backend=tpu"], "backend must be 'auto', 'cpu' or 'cuda'; found 'tpu'"),
        (["paths.catalog=no.parquet"], "no.parquet must be a Parquet file or a folder of them, found"),
    ],
)  # fmt: skip
def test_bad_setting_is_refused_before_pricing(refused, market, overrides, message):
    assert re.search(message, refused("score", *overrides))


def flags(entry, key=""):
    """The dotted keys of all settings that are true or false."""
    if isinstance(entry, dict):
        return [name for part, value in entry.items() for name in flags(value, f"{key}.{part}".removeprefix("."))]
    return [key] if isinstance(entry, bool) else []


def flags_of(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return flags(OmegaConf.to_container(compose("config", list(overrides)), resolve=True))


OF_OTHER_JOBS = ("hydra", "watch", "tune")
"""The beginnings of flags that `run` does not read; `reprice` reads watch, see test_reprice.py."""


@pytest.mark.parametrize("key", [key for key in flags_of("evaluate=baselines") if not key.startswith(OF_OTHER_JOBS)])
def test_flag_in_quotes_is_refused_before_the_first_step(refused, shop, key):
    run = ("run", "evaluate=baselines", *PREPARE[1:])

    said = refused(*run, f"{key}='false'")

    assert re.search(rf"{key.rpartition('.')[2]} must be true or false, found 'false'", said)


@pytest.mark.parametrize("key", ["paths.data", "paths.demand", "paths.prices", "paths.shards", "paths.metrics"])
def test_place_that_cannot_be_written_is_refused_before_the_first_step(refused, shop, key):
    said = refused("run", *PREPARE[1:], f"{key}=/proc/shop/prices")  # where not even root can write

    assert re.fullmatch(rf"{key} must lie where files can be written, found .* in /proc: set {key} to .*", said)


@pytest.mark.parametrize("key", [key for key in flags_of() if key.startswith("tune")])
def test_flag_in_quotes_is_refused_before_the_first_trial(refused, key):
    said = refused("tune", "tune.space=['model.optimiser.rate=interval(0.001,0.01)']", f"{key}='false'")

    assert f"{key} must be true or false, found 'false'" in said


def test_more_segments_than_users_are_refused_before_training(gpu_pricer, refused, shop):
    gpu_pricer(*PREPARE)

    said = refused("train", *PREPARE[1:], "train.segments.count=5")

    assert said == "segments.count must be at most the number of users, found 5 for 4: lower segments.count"


def test_attribute_that_no_user_has_is_refused_before_pricing(refused, market):
    pl.DataFrame({"user_id": [1], "income": [2]}).write_parquet(market / "data/users.parquet")

    said = refused("score", "fairness.protected=[age]")

    assert "fairness.protected must name columns of work/data/users.parquet, found age but only user_id, income" in said


def test_attribute_of_too_many_words_is_refused_before_pricing(refused, market):
    pl.DataFrame({"user_id": range(101), "zone": [f"z{i}" for i in range(101)]}).write_parquet(
        market / "data/users.parquet"
    )

    said = refused("score", "fairness.protected=[zone]")

    assert "with at most 100 values in work/data/users.parquet, found zone with 101: group its values" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop("cost"), "must have the column cost, found only .*: add cost"),
        (lambda rows: rows.with_columns(price=pl.lit(0.0)), r"breaks price\|min_exclusive in 12 rows"),
        (lambda rows: rows.with_columns(price=pl.lit(float("nan"))), r"breaks price\|nan in 12 rows"),
        (lambda rows: rows.with_columns(price=pl.lit(1e9)), "price"),
        (lambda rows: rows.with_columns(cost=pl.lit(-1.0)), r"breaks cost\|min in 12 rows, such as"),
        (lambda rows: rows.with_columns(product_id=pl.lit("p")), "breaks product_is_unique in 12 rows"),
        (lambda rows: rows.with_columns(product_id=pl.lit(None)), "product_id"),
        (lambda rows: rows.with_columns(product_id=pl.int_range(pl.len())), "product_id must be of one kind"),
        (lambda rows: rows.with_columns(pl.lit("other").alias("category_id"), pl.col("product_id") + "x"),
         "found none: point paths.demand and paths.catalog at the same market"),
        (lambda rows: rows.clear(), "must hold at least one row, found none"),
    ],
)  # fmt: skip
def test_bad_catalog_is_refused(refused, market, change, message):
    rewrite(market / "data/products.parquet", change)

    said = refused("score")

    assert re.search(message, said)
    assert ": " in said


def with_factors(folder, change):
    factors = load_file(folder / "factors.safetensors")
    save_file(change(factors), folder / "factors.safetensors")


def with_info(folder, **changes):
    info = json.loads((folder / "demand.json").read_text())
    (folder / "demand.json").write_text(json.dumps(info | changes))


def with_appeal(folder, change):
    with_factors(folder, lambda f: f | {"product_appeal": change(f["product_appeal"])})


CORRUPTIONS = {
    "torn factors": (
        lambda folder: (folder / "factors.safetensors").write_bytes(b"\x00" * 40),
        "factors.safetensors",
    ),
    "no factors": (lambda folder: (folder / "factors.safetensors").unlink(), "factors.safetensors"),
    "fewer rows": (
        lambda folder: with_appeal(folder, lambda appeal: appeal[:-1].copy()),
        "product_appeal must have 12 rows, found 11",
    ),
    "wrong names": (
        lambda folder: with_factors(folder, lambda factors: {"appeal": factors["product_appeal"]}),
        r"factors must be \['product_appeal', .*\], found \['appeal'\]",
    ),
    "not finite": (
        lambda folder: with_appeal(folder, lambda appeal: appeal * np.float32("nan")),
        "product_appeal must be finite, found NaN or infinity",
    ),
    "float64": (
        lambda folder: with_appeal(folder, lambda appeal: appeal.astype(float)),
        "product_appeal must be float32 with two axes, found float64",
    ),
    "no json": (lambda folder: (folder / "demand.json").write_text("{"), "demand.json"),
    "json of another kind": (lambda folder: (folder / "demand.json").write_text("[]"), "demand.json"),
    "other model": (lambda folder: with_info(folder, kind="probit"), "kind must be 'mnl', found 'probit'"),
    "other format": (lambda folder: with_info(folder, format_version=9), "format_version must be 1, found 9"),
    "flag in quotes": (
        lambda folder: with_info(folder, outside_option="false"),
        "outside_option must be true or false, found 'false'",
    ),
    "visits beyond counting": (
        lambda folder: rewrite(folder / "segments.parquet", lambda rows: rows.with_columns(visits=pl.lit(1e300))),
        r"Segments breaks {'visits\|max': 3}",
    ),
    "segment without an id": (
        lambda folder: rewrite(
            folder / "segments.parquet",
            lambda rows: rows.with_columns(pl.col("segment_id").replace(rows["segment_id"][0], None)),
        ),
        "Segments breaks {'segment_is_given': 1}",
    ),
    "price of true and false": (
        lambda folder: rewrite(folder / "products.parquet", lambda rows: rows.with_columns(min_price=pl.lit(True))),
        r"DemandProducts must have numbers or ids in \['min_price'\], found true and false",
    ),
    "no date": (lambda folder: with_info(folder, pricing_period="soon"), "pricing_period must .*'soon'"),
    "no table": (lambda folder: (folder / "segments.parquet").unlink(), "segments.parquet must be .*, found"),
    "wrong table": (
        lambda folder: rewrite(folder / "products.parquet", lambda rows: rows.drop("min_price")),
        r"must have the columns \['min_price'\], found",
    ),
    "broken support": (
        lambda folder: rewrite(folder / "products.parquet", lambda rows: rows.with_columns(min_price=99.0)),
        "support_holds_the_reference_price",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", CORRUPTIONS)
def test_corrupt_artefact_is_refused(refused, market, fault):
    corrupt, message = CORRUPTIONS[fault]
    corrupt(market / "demand")

    said = refused("score")

    assert re.search(message, said)
    assert "work/demand" in said
    assert "train" in said


def test_no_pickle_is_ever_an_artefact(refused, market):
    shutil.copy(market / "demand/demand.json", market / "demand/factors.pkl")
    (market / "demand/factors.safetensors").unlink()

    assert "factors.safetensors" in refused("score")
