"""A shop with a scored version that people decide on."""

import polars as pl
import pytest

from gpu_pricer.tables.artefact import write_artefact
from tests.markets import catalog_of, small_artefact

ARTEFACT = small_artefact(91, segments=3, products=24, categories=6)
GOODS = ("Oat drink", "Whole milk", "Butter", "Espresso", "Green tea", "<b>Pasta</b>")
TITLE = pl.format("{} {}", pl.Series([GOODS[k % 6] for k in range(24)]), pl.int_range(24) // 6 + 1).alias("title")
CATALOG = catalog_of(ARTEFACT).sort("product_id").with_columns(TITLE)
SETTINGS = ("backend=cpu", "data.label=[title]", "publish.approval.asks=all")


@pytest.fixture
def review_shop(tmp_path, gpu_pricer):
    """The folder of a shop whose prices were scored as `one`, without constraints."""
    write_artefact(ARTEFACT, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    CATALOG.write_parquet(tmp_path / "work/data/products.parquet")
    assert gpu_pricer("score", "policy=profit", "paths.shards=prices/one", "backend=cpu").status == 0
    return tmp_path
