"""A log whose buyers take more units of what is cheap: demand is that of units, and prices know it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.held_out import Bootstrap, HeldOut, Log
from gpu_pricer.evaluation.truth.reference_prices import benchmark
from gpu_pricer.evaluation.truth.under_truth import Learned, evaluate_under_truth
from gpu_pricer.jobs import prepare, train
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solving import reference_cells
from gpu_pricer.tables.artefact import read_artefact
from tests.evaluation.markets import policy
from tests.jobs.conftest import configuration

CATALOG = ("product_id", "category_id", "price", "cost", "availability")
MARKET = (
    "data=synthetic",
    "data.source.weeks=40",
    "data.source.people.users=400",
    "data.source.people.types=3",
    "data.source.assortment.categories=6",
    "data.source.assortment.products=30",
    "data.source.tastes.buying_rate=[0.1,0.25]",
    "data.source.manager.confounding=0",
    "model=tiny",
    "model.optimiser.steps=20",
    "train.segments.count=3",
)
ANSWERING = ("data.source.baskets.extra_units=[0.5,1.5]", "data.source.baskets.quantity_sensitivity=3.0")


def trained(folder, *overrides):
    """The work folder of a market that was prepared and trained."""
    settings = configuration(folder / "work", *MARKET, *overrides)
    prepare.main(settings)
    train.main(settings)
    return folder / "work"


@pytest.fixture(scope="module")
def answering(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("answering"), *ANSWERING)


@pytest.fixture(scope="module")
def learned(answering):
    return read_artefact(answering / "demand")


@pytest.fixture(scope="module")
def truth(answering):
    return read_artefact(answering / "truth")


@pytest.fixture(scope="module")
def catalog(answering):
    return pl.read_parquet(answering / "data" / "products.parquet").select(CATALOG)


def of_choices_alone(artefact):
    """The artefact as if the units of a choice did not answer prices."""
    quantity = artefact.products["quantity_sensitivity"].to_numpy().astype(np.float32)
    sensitivity = artefact.factors["sensitivity"] - quantity
    return replace(artefact, factors=artefact.factors | {"sensitivity": sensitivity})


def judged(artefact, truth, catalog):
    """The block truth of the metrics, without prices."""
    return evaluate_under_truth(truth, catalog, policy(), Learned(artefact, None, None), None)


def told(folder, *overrides):
    """The work folder of a market that was prepared, and trained with the users' true types."""
    settings = configuration(folder / "work", *MARKET, *overrides, f"train.told={folder / 'told'}")
    prepare.main(settings)
    types = read_artefact(folder / "work" / "truth").user_segments.select("user_id", "segment_id")
    (folder / "told").mkdir()
    types.write_parquet(folder / "told" / "types.parquet")
    no_shock = {"product_id": pl.Int64, "period": pl.Date, "shock": pl.Float64}
    pl.DataFrame(schema=no_shock).write_parquet(folder / "told" / "shocks.parquet")
    train.main(settings)
    return folder / "work"


def test_elasticities_of_units_lie_in_their_intervals(tmp_path):
    found = []
    for seed in range(4):
        work = told(tmp_path / str(seed), *ANSWERING, f"seed={seed}")
        learned, truth = (read_artefact(work / name) for name in ("demand", "truth"))
        catalog = pl.read_parquet(work / "data" / "products.parquet").select(CATALOG)
        found.append([judged(artefact, truth, catalog) for artefact in (learned, of_choices_alone(learned))])

    ours, alone = (np.mean([part["elasticity_coverage_90"] for part in parts]) for parts in zip(*found, strict=True))
    assert ours > 0.7
    assert alone < 0.5
    assert all(ours["elasticity_rmse"] < alone["elasticity_rmse"] for ours, alone in found)


def at_todays_prices(artefact):
    """product_id and the units of a choice, which at these prices takes the share b / (b + κ) of the most units."""
    visits = artefact.segments["visits"].to_numpy()
    sensitivity = pl.Series(visits @ artefact.factors["sensitivity"] / visits.sum())
    taken = pl.col("units_per_choice") * (1 - pl.col("quantity_sensitivity") / sensitivity)
    return artefact.products.select("product_id", "quantity_sensitivity", units_per_choice=taken)


def test_response_of_the_units_per_choice_is_near_the_true_one(learned, truth):
    found, true = (at_todays_prices(artefact).drop_nulls("product_id") for artefact in (learned, truth))
    known = true.join(found, on="product_id", suffix="_found")

    for name in ("quantity_sensitivity", "units_per_choice"):
        mean = known.select(pl.col(f"{name}_found").mean() / pl.col(name).mean()).item()
        assert mean == pytest.approx(1, abs=0.15)


def test_prices_that_know_of_the_units_earn_more(learned, truth, catalog):
    bench = benchmark(truth, catalog, policy())
    profit = []
    for artefact in (learned, of_choices_alone(learned)):
        problem = pricing_problem(artefact, catalog, policy())
        price = pl.DataFrame({"product_id": problem.products.product_id, "price": reference_cells(problem).price})
        ids = pl.DataFrame({"product_id": bench.product_id})
        mean = ids.join(price, on="product_id", how="left", maintain_order="left")["price"].to_numpy().mean(1)
        profit.append(bench.market.profit(np.round(mean)[:, None]))

    assert profit[0] > profit[1]


def test_units_of_held_out_weeks_are_foreseen_better_than_by_constant_units_per_choice(answering):
    offers = pl.read_parquet(answering / "train" / "held_out.parquet")
    tables = (pl.read_parquet(answering / "data" / f"{name}.parquet") for name in ("shelf", "choices", "visits"))
    found = HeldOut(offers, Log(*tables), Bootstrap(5, 0.9), 0.5, seed=0)
    rates = pl.read_parquet(answering / "data" / "categories.parquet")
    joined = offers.join(rates, on="category_id", how="left", maintain_order="left")
    constant = joined["probability"] / joined["choices_per_purchase"] * joined["units_per_choice"]

    ours = found.blocks()["test"]["units_poisson_deviance"]
    theirs = found.judge(offers["probability"], constant)[0]["units_poisson_deviance"]

    assert found.blocks()["artefact"]["units_poisson_deviance"].keys() == ours.keys()
    assert ours["moved_15pct"] < theirs["moved_15pct"]
    assert ours["all"] < theirs["all"]


def test_log_of_single_units_keeps_the_demand_of_choices(tmp_path):
    found = read_artefact(
        trained(tmp_path, "data.source.baskets.extra_units=[0,0]", "data.source.baskets.second_choice=0") / "demand"
    )

    assert found.products["quantity_sensitivity"].to_list() == [0.0] * found.products.height
    assert found.products["units_per_choice"].to_list() == [1.0] * found.products.height
