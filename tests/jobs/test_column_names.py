"""Further columns may be called anything: every name that the code uses is tried as a column of every table."""

import ast
import json
import re
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from gpu_pricer.tables.schemas import Context, Offers, OffersToPredict, Products, Shelf, Transactions, Users

ROOT = Path(__file__).parents[2] / "gpu_pricer"
NAME = re.compile(r"[A-Za-z_]\w*( \w+)?")
WEEKS = [date(2024, 1, 1) + timedelta(weeks=week) for week in range(8)]
SETTINGS = (
    "data=parquet", "data.path=raw", "data.shelf.min_lines=1", "split.validation_periods=1", "split.test_periods=1",
    "model=tiny", "model.optimiser.steps=4", "train.segments.count=2", "train.segments.min_members=4",
    "train.encoding.teaching.price_coverage=0.1", "train.encoding.teaching.least_price_coverage=0.1",
    "train.response.draws=2",
    "data.protected=[segment_id,price_index,age]", "evaluate.plots=false", "backend=cpu",
    "policy.bounds.frozen='median = 1'", "evaluate.bootstrap.replicates=2",
)  # fmt: skip


def names_in_code():
    """Every word that may name a column of ours: the code's string constants, keyword arguments and classes' fields."""
    names = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
                names.add(node.value)
            if isinstance(node, ast.ClassDef):  # the rules of a schema, as which quarantined rows have columns
                names |= {rule.id for part in node.body if isinstance(part, ast.Assign) for rule in part.targets}
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                names |= {keyword.arg for keyword in node.keywords if keyword.arg}
    return {*names, *(f"{name}_right" for name in names), "further:median", "heat", "heat before"}


NAMES = sorted(names_in_code())


def tables(kind):
    """A shop of 3 products and 24 users in two towns; prices move from week to week."""
    products = pl.DataFrame({"product_id": [10, 11, 12], "category_id": ["tea", "tea", None], "cost": [1.0, 2.0, 0.5]})
    users = pl.DataFrame({"user_id": range(24)})
    base = pl.DataFrame({"product_id": [10, 11, 12], "base": [2.0, 3.0, 1.0]})
    lines = users.join(base, how="cross").join(pl.DataFrame({"time": WEEKS}), how="cross")
    week = (pl.col("time") - pl.lit(WEEKS[0])).dt.total_days() // 7
    lines = lines.with_columns(
        price=pl.col("base") * (1 + 0.1 * ((week + pl.col("product_id")) % 3)), quantity=pl.lit(1)
    ).drop("base")
    is_bought = (pl.col("user_id") + pl.col("product_id") + week) % 3 == 0
    protected = [pl.lit("x").alias(name) for name in ("segment_id", "price_index", "age")]
    found = {
        "products": products.with_columns(median=pl.lit(2.0)),
        "users": users.with_columns(protected),
        "context": lines.select("product_id", "time").unique().with_columns(display=pl.lit(0.25)),
    }
    if kind == "transactions":
        return found | {"transactions": lines.filter(is_bought)}
    seen = lines.with_columns(quantity=pl.when(is_bought).then(1).otherwise(0))
    return found | {"offers": seen.with_columns(occasion_id=pl.struct("user_id", "time").rank("dense"))}


OWN = {
    "products": {*Products.column_names()},
    "users": {*Users.column_names()},
    "context": {*Context.column_names(), *Offers.column_names(), *Shelf.column_names()},
    "offers": {*Offers.column_names()},
    "transactions": {*Transactions.column_names()},
    "predict": {*OffersToPredict.column_names(), "probability"},
}


def with_every_name(name, table):
    """The table with a column of numbers under every name that has no meaning there."""
    return table.with_columns(
        pl.lit(7.0).alias(column) for column in NAMES if column not in {*OWN[name], *table.columns}
    )


def write(raw, folder):
    folder.mkdir(parents=True)
    for name, table in raw.items():
        table.write_parquet(folder / f"{name}.parquet")


def places(folder):
    """Where the jobs find the raw tables of a folder, and leave what they make of them."""
    return [f"paths.work={folder}/work", f"paths.prices={folder}/prices", f"data.path={folder}/raw"]


def run_plain(gpu_pricer, raw, folder):
    """Run the jobs whose results are compared, on the raw tables as they are; return the folder."""
    write(raw, folder / "raw")
    ended = gpu_pricer("run", *SETTINGS, *places(folder), "run.steps=[prepare,train,score,publish]")
    assert ended.status == 0, "\n".join(ended.said)
    return folder


def run_named(gpu_pricer, raw, folder):
    """Run every job on the raw tables and on tables to predict for and to assign, each with columns of every name."""
    write({name: with_every_name(name, table) for name, table in raw.items()}, folder / "raw")
    offers = pl.DataFrame({"occasion_id": [1, 1], "user_id": [1, 1], "product_id": [10, 11], "price": [2.0, 3.0]})
    offers = offers.with_columns(time=pl.lit(WEEKS[-1]))
    for name, table in {"predict": offers, "users": raw["users"]}.items():
        with_every_name(name, table).write_parquet(folder / f"{name}.parquet")
    jobs = {
        "run": (),
        "predict": (f"predict.offers={folder}/predict.parquet", f"predict.out={folder}/out.parquet"),
        "assign": (f"assign.users={folder}/users.parquet", f"assign.out={folder}/assigned.parquet"),
    }
    for job, arguments in jobs.items():
        ended = gpu_pricer(job, *SETTINGS, *places(folder), *arguments)
        assert ended.status == 0, "\n".join(ended.said)
    return folder


@pytest.mark.parametrize("kind", ["transactions", "offers"])
def test_no_name_of_a_column_changes_a_reference_price_or_a_limit(gpu_pricer, tmp_path, kind):
    raw = tables(kind)
    plain = run_plain(gpu_pricer, raw, tmp_path / "plain")

    named = run_named(gpu_pricer, raw, tmp_path / "named")

    before, after = (pl.read_parquet(folder / "work/demand/products.parquet") for folder in (plain, named))
    assert after.equals(before)
    for table in ("choices", "visits", "categories"):
        before, after = (pl.read_parquet(folder / f"work/data/{table}.parquet") for folder in (plain, named))
        assert after.equals(before)
    today = [pl.read_parquet(folder / "prices/_current/*.parquet")["today_price"] for folder in (plain, named)]
    assert today[0].equals(today[1])
    fair = json.loads(next(named.glob("prices/*/_record/fairness.json")).read_text())
    assert [group["name"] for group in fair["attributes"]["price_index"]["groups"]] == ["x"]


def test_quarantined_rows_keep_a_column_with_the_name_of_a_rule(gpu_pricer, tmp_path):
    raw = tables("offers")
    broken = raw["offers"].with_columns(price=pl.when(pl.int_range(pl.len()) == 0).then(-1.0).otherwise("price"))
    raw["offers"] = broken.with_columns(price_is_positive=pl.lit(3.0))
    write(raw, tmp_path / "raw")

    ended = gpu_pricer("prepare", *SETTINGS)

    assert ended.status == 0, "\n".join(ended.said)
    found = pl.read_parquet(tmp_path / "work/data/quarantine/offers.parquet")
    assert found.select("price_is_positive", "further:price_is_positive").rows() == [("invalid", 3.0)]
