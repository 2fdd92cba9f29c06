"""docs/law.md says where data of users lie, and how a user is forgotten."""

import os
import re

import polars as pl
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from tests.docs.conftest import SMALL_MARKET, SMALL_MODEL
from tests.docs.pages import PAGES, ROOT, commands
from tests.shops import run_job

RUN = (
    "run", "data=parquet", "data.path=tables", "data.currency=EUR", "data.protected=[age_band]", "model=tiny",
    *SMALL_MODEL, "run.steps=[prepare,train,score,evaluate,publish]", "evaluate.bootstrap.replicates=1",
    "evaluate.plots=false", "publish=unguarded", "backend=cpu", "logger=tensorboard",
)  # fmt: skip
DAY = 86_400


def guest(column):
    """The ids of a column as text that occurs nowhere by chance."""
    return pl.format("guest-{}-", column)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The folder of a run on tables whose users have such ids, one of them only in a row that is set aside."""
    folder = tmp_path_factory.mktemp("guests")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", ["data=synthetic", *SMALL_MARKET, f"paths.work={folder / 'other'}"])
    raw = {name: table.rows.collect() for name, table in instantiate(config.data.source).tables().items()}
    (folder / "tables").mkdir()
    bad = (
        raw["transactions"]
        .head(1)
        .with_columns(user_id=pl.lit(999, raw["users"].schema["user_id"]), price=pl.lit(-1.0))
    )
    raw["transactions"] = pl.concat([raw["transactions"], bad.cast(raw["transactions"].schema)])
    for name, table in raw.items():
        ids = [guest("user_id").alias("user_id")] if "user_id" in table.columns else []
        table.with_columns(ids).write_parquet(folder / "tables" / f"{name}.parquet")
    assert run_job(folder, *RUN) == 0
    return folder


def naming(folder, user):
    """The files of a shop, but its tables, that name a user, or with `guest-` any user; as text or in Parquet."""
    files = [path for top in ("work", "prices") for path in (folder / top).rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(folder)) for path in files if names(path, user))


def names(path, user):
    if path.suffix != ".parquet":
        return user.encode() in path.read_bytes()
    table = pl.read_parquet(path)
    return any(
        table[name].str.contains(user, literal=True).any() for name in table.columns if table[name].dtype == pl.String
    )


def test_files_that_name_users_are_those_that_the_page_lists(shop):
    listed = re.findall(r"^\| (`.*?) \|", PAGES["docs/law.md"].partition("## Where data of users lie")[2], re.MULTILINE)
    folders = [folder for cell in listed for folder in re.findall("`(.*?)`", cell)]

    found = naming(shop, "guest-")

    assert folders == ["work/data", "work/demand", "work/train", "prices/_artefacts"]
    assert {folder for folder in folders for path in found if path.startswith(f"{folder}/")} == {*folders}
    assert [path for path in found if not path.startswith(tuple(f"{folder}/" for folder in folders))] == []
    assert naming(shop, "guest-999-") == ["work/data/quarantine/transactions.parquet"]


def test_a_user_is_forgotten_as_the_page_says(shop):
    [vacuum] = [command for command in commands("docs/law.md") if command.arguments[0] == "vacuum"]
    leaver, stayer = pl.read_parquet(shop / "tables/users.parquet")["user_id"].head(2)
    assert naming(shop, leaver)
    for name in ("transactions", "users"):
        path = shop / "tables" / f"{name}.parquet"
        pl.read_parquet(path).filter(pl.col("user_id") != leaver).write_parquet(path)

    assert run_job(shop, *RUN) == 0
    assert run_job(shop, *vacuum.arguments) == 0
    left = naming(shop, leaver)
    for path in (shop / "prices/_artefacts").rglob("*"):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 2 * DAY))
    assert run_job(shop, *vacuum.arguments) == 0

    assert [path.split("/")[1] for path in left] == ["_artefacts"]
    assert naming(shop, leaver) == []
    assert naming(shop, stayer)
