"""A shop with a scored version that people decide on."""

import polars as pl
import pytest

from tests.markets import catalog_of, small_artefact
from tests.shops import copied, lay_out, run_job

ARTEFACT = small_artefact(91, segments=3, products=24, categories=6)
GOODS = ("Oat drink", "Whole milk", "Butter", "Espresso", "Green tea", "<b>Pasta</b>")
TITLE = pl.format("{} {}", pl.Series([GOODS[k % 6] for k in range(24)]), pl.int_range(24) // 6 + 1).alias("title")
CATALOG = catalog_of(ARTEFACT).sort("product_id").with_columns(TITLE)
SETTINGS = ("backend=cpu", "report.label=[title]", "publish.approval.asks=all", "publish.approval.off_shelf=true")


@pytest.fixture(scope="session")
def scored(tmp_path_factory):
    """A shop whose prices were scored as `one`, without constraints, which no test may change."""
    folder = lay_out(tmp_path_factory.mktemp("reviewed"), ARTEFACT, CATALOG)
    assert run_job(folder, "score", "policy=profit", "paths.shards=prices/one", "backend=cpu") == 0
    return folder


@pytest.fixture
def review_shop(scored, tmp_path):
    """A copy of that shop in the folder where the test's commands run."""
    return copied(scored, tmp_path)
