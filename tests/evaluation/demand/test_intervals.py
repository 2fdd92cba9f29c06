"""Elasticities by segment and category, with intervals from the posterior."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.demand.intervals import category_intervals, elasticity_intervals, interval_block
from tests.markets import a_policy, catalog_of, small_artefact, with_posterior


def demand_of(artefact):
    return CatalogDemand.of(artefact, catalog_of(artefact), a_policy())


def test_posterior_without_spread_is_the_demands_own_elasticity():
    artefact = with_posterior(small_artefact(71), 0.0)
    demand = demand_of(artefact)

    found = elasticity_intervals(demand)

    cells = demand.elasticities()
    mean = (pl.col("elasticity") * pl.col("purchases")).sum() / pl.col("purchases").sum()
    own = cells.group_by("segment_id", "category_id").agg(mean.alias("own"))
    both = found.join(own, on=["segment_id", "category_id"])
    assert both.height == found.height == own.height
    for name in ("elasticity", "low", "high"):
        assert both[name].to_numpy() == pytest.approx(both["own"].to_numpy(), rel=1e-5)


def test_wider_posterior_gives_wider_intervals():
    narrow, wide = (elasticity_intervals(demand_of(with_posterior(small_artefact(72), s))) for s in (0.1, 0.5))

    assert (narrow["low"] < narrow["elasticity"]).all()
    assert (narrow["elasticity"] < narrow["high"]).all()
    assert ((wide["high"] - wide["low"]) > (narrow["high"] - narrow["low"])).all()
    block = interval_block(wide)
    assert block["cells"] == wide.height
    assert block["low"] < block["elasticity"] < block["high"] < 0


def test_only_categories_with_draws_have_intervals():
    artefact = with_posterior(small_artefact(73), 0.3)
    some = artefact.posterior.filter(pl.col("category_id").is_in(["c1", "c4"]))

    found = elasticity_intervals(demand_of(replace(artefact, posterior=some)))

    assert set(found["category_id"]) == {"c1", "c4"}
    assert elasticity_intervals(demand_of(replace(artefact, posterior=None))) is None


def test_interval_of_a_category_is_that_of_its_draws():
    cells = pl.DataFrame(
        {"category_id": ["a", "a"], "segment_id": [0, 1], "elasticity": [-1.0, -3.0], "purchases": [3.0, 1.0]}
    )
    factor = np.random.default_rng(0).uniform(0.5, 2.0, (2, 30))
    posterior = pl.DataFrame(
        [("a", segment, draw, float(np.log(factor[segment, draw]))) for segment in (0, 1) for draw in range(30)],
        schema=["category_id", "segment_id", "draw", "log_deviation"],
        orient="row",
    )

    found = category_intervals(cells, posterior)

    drawn = -(3 * factor[0] + 3 * factor[1]) / 4
    expected = np.quantile(drawn, [0.05, 0.95])
    assert found.select("posterior_low", "posterior_high").row(0) == pytest.approx(tuple(expected))
