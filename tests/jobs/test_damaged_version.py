"""A published version of which a file is damaged or lost: every job that reads the file says so in one line."""

from datetime import date, timedelta

import polars as pl
import pytest

from tests.markets import catalog_of, small_artefact, with_posterior
from tests.shops import copied, lay_out, run_job

ARTEFACT = with_posterior(small_artefact(31, segments=3, products=12, categories=4), 0.1)
CATALOG = catalog_of(ARTEFACT).sort("product_id")
SETTINGS = ("backend=cpu", "score.cells_per_file=9", "data.label=[]", "publish=unguarded")
TODAY = date(2026, 11, 26)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with two published versions of four files each, a log of sales since then, and a file of events."""
    folder = lay_out(tmp_path_factory.mktemp("damaged"), ARTEFACT, CATALOG)
    for name, day, factor in (("one", TODAY - timedelta(7), 1.0), ("two", TODAY, 1.2)):
        CATALOG.with_columns(pl.col("cost") * factor).write_parquet(folder / "work/data/products.parquet")
        for job in ("score", "publish"):
            assert run_job(folder, job, *SETTINGS, f"paths.shards=prices/{name}", f"day={day}") == 0
    days = pl.DataFrame({"day": [TODAY - timedelta(7 - k) for k in range(14)]})
    sold = days.with_columns(product_id=pl.lit("p001"), price=pl.lit(2.0), units=pl.lit(3.0), squared_units=pl.lit(9.0))
    sold.write_parquet(folder / "work/data/sales.parquet")
    days.with_columns(users=pl.lit(9)).write_parquet(folder / "work/data/shoppers.parquet")
    visits = pl.DataFrame({"user_id": [1], "period": [TODAY]})
    visits.write_parquet(folder / "work/data/visits.parquet")
    pl.DataFrame({"product_id": ["p000"], "cost": [0.5]}).write_parquet(folder / "events.parquet")
    return folder


@pytest.fixture
def shop(published, tmp_path):
    """A copy of that folder, as working directory of the gpu_pricer fixture."""
    return copied(published, tmp_path)


JOBS = {
    "explain": ("explain", "p001", "s1"),
    "report": ("report", *SETTINGS),
    "compare": ("compare", "0", "1"),
    "reprice": (
        "reprice",
        "events=events.parquet",
        "reprice.max_violation=1",
        "reprice.max_gap_increase=10",
        *SETTINGS,
    ),
    "outcome": ("outcome",),
    "history": ("history",),
    "whatif": ("whatif", "policy.bounds.max_increase=0.03"),
    "score": ("score", *SETTINGS, f"day={TODAY + timedelta(1)}"),
}


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file):
    file.write_bytes(b"")


def garble(file):
    """Keep the footer, by which Parquet files are told, and overwrite the first quarter of what lies before it."""
    content = file.read_bytes()
    file.write_bytes(b"\xff" * (len(content) // 4) + content[len(content) // 4 :])


def lose(file):
    file.unlink()


PRICES, OLDER = "two/two-00000-00001.parquet", "one/one-00000-00001.parquet"
DAMAGES = [
    *(
        (PRICES, damage, job)
        for damage in (cut, empty)
        for job in ("explain", "report", "compare", "reprice", "outcome", "history")
    ),
    *((PRICES, lose, job) for job in ("report", "compare", "reprice", "outcome", "history")),
    *((PRICES, garble, job) for job in ("report", "history")),
    *((OLDER, damage, job) for damage in (cut, garble, lose) for job in ("compare", "report")),
    *(("two/_record/catalog.parquet", cut, job) for job in ("explain", "compare", "outcome")),
    ("two/_record/unpriced.parquet", cut, "report"),
    *(("two/_record/certificate.json", cut, job) for job in ("explain", "report", "whatif", "reprice")),
    *(("two/_record/price_history.parquet", damage, job) for damage in (cut, lose) for job in ("score", "reprice")),
]


@pytest.mark.parametrize("job", JOBS)
def test_version_is_whole_before_it_is_damaged(gpu_pricer, shop, job):
    ended = gpu_pricer(*JOBS[job])

    assert ended.status == 0, ended.said


@pytest.mark.parametrize(
    ("name", "damage", "job"), DAMAGES, ids=[f"{name} {damage.__name__} {job}" for name, damage, job in DAMAGES]
)
def test_damaged_file_is_named_in_one_line(gpu_pricer, shop, name, damage, job):
    damage(shop / "prices" / name)

    ended = gpu_pricer(*JOBS[job])

    assert (ended.status, len(ended.said)) == (2, 1), ended.said
    folder, _, file = name.rpartition("/")
    assert ended.said[0].startswith(f"gpu-pricer {job}: prices/{folder}")
    assert file in ended.said[0] or damage is garble, ended.said
