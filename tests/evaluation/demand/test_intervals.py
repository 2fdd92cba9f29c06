"""Elasticities by segment and category, with intervals from the posterior."""

from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.demand.intervals import elasticity_intervals
from gpu_pricer.pricing import drawn_outcomes
from tests.markets import a_policy, catalog_of, small_artefact, with_posterior


def demand_of(artefact):
    return CatalogDemand.of(artefact, catalog_of(artefact), a_policy())


MEAN = (pl.col("elasticity") * pl.col("purchases")).sum() / pl.col("purchases").sum()


def test_posterior_without_spread_is_the_demands_own_elasticity():
    artefact = with_posterior(small_artefact(71), 0.0)
    demand = demand_of(artefact)

    found = elasticity_intervals(demand)

    cells = demand.elasticities()
    own = cells.group_by("segment_id", "category_id").agg(MEAN.alias("own"))
    both = found.cells.join(own, on=["segment_id", "category_id"])
    assert both.height == found.cells.height == own.height
    for name in ("elasticity", "low", "high"):
        assert both[name].to_numpy() == pytest.approx(both["own"].to_numpy(), rel=1e-5)
    whole = found.categories.join(cells.group_by("category_id").agg(MEAN.alias("own")), on="category_id")
    assert whole.height == found.categories.height == demand.problem.category_count
    for name in ("posterior_low", "posterior_high"):
        assert whole[name].to_numpy() == pytest.approx(whole["own"].to_numpy(), rel=1e-5)
    mean = cells.select(MEAN).item()
    assert found.catalog == pytest.approx({"elasticity": mean, "low": mean, "high": mean}, rel=1e-5)


def test_wider_posterior_gives_wider_intervals():
    narrow, wide = (elasticity_intervals(demand_of(with_posterior(small_artefact(72), s))) for s in (0.1, 0.5))

    for found in (narrow.cells, pl.DataFrame([narrow.catalog])):
        assert (found["low"] < found["elasticity"]).all()
        assert (found["elasticity"] < found["high"]).all()
    for name, low, high in (("cells", "low", "high"), ("categories", "posterior_low", "posterior_high")):
        before, after = getattr(narrow, name), getattr(wide, name)
        assert ((after[high] - after[low]) > (before[high] - before[low])).all()
    block = wide.block()
    assert block["cells"] == wide.cells.height
    assert block["low"] < block["elasticity"] < block["high"] < 0


def test_only_categories_with_draws_have_intervals():
    artefact = with_posterior(small_artefact(73), 0.3)
    some = artefact.posterior.filter(pl.col("category_id").is_in(["c1", "c4"]))

    found = elasticity_intervals(demand_of(replace(artefact, posterior=some)))

    assert set(found.cells["category_id"]) == set(found.categories["category_id"]) == {"c1", "c4"}
    assert elasticity_intervals(demand_of(replace(artefact, posterior=None))) is None


def test_tiles_of_categories_do_not_change_the_intervals(monkeypatch):
    demand = demand_of(with_posterior(small_artefact(74), 0.3))
    whole = elasticity_intervals(demand)
    monkeypatch.setattr(drawn_outcomes, "CELLS_AT_ONCE", 1)

    found = elasticity_intervals(demand)

    assert_frame_equal(found.cells, whole.cells)
    assert_frame_equal(found.categories, whole.categories)
    assert found.catalog == pytest.approx(whole.catalog, rel=1e-12)
