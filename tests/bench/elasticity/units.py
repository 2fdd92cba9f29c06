"""Units that were bought in the held-out weeks: do we or boosted trees expect them better?

The trees' objective is the Poisson likelihood of the units of an offer. They learn from the same weeks as the network
and know of every offer what the network knows: price, promotion, ids, and its features of the past.
"""

from dataclasses import replace
from pathlib import Path

import polars as pl
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from gpu_pricer import CONF
from gpu_pricer.evaluation.baselines.sample import Sample
from gpu_pricer.evaluation.baselines.trees import BoostedTrees
from gpu_pricer.evaluation.held_out import Bootstrap, HeldOut, describe_offers, reference_prices, units_bought
from gpu_pricer.evaluation.held_out.past import with_network_past
from gpu_pricer.jobs.evaluation_inputs import held_out_sums, read_log, trained_periods

SAMPLE = Sample(training_offers=3_000_000, held_out_offers=10**9, users=10**9, zeros_per_purchase=10.0)
OFFER = ("period", "user_id", "category_id", "product_id", "weight", "bought")
OURS = {"network": "expected_units", "artefact": "artefact_expected_units"}
TREES = "lightgbm_poisson"


def judged_units(work: Path, products: pl.Series) -> dict[str, dict[str, float]]:
    """Return by model the Poisson deviances of units per product-week, by the name of a subset of product-weeks.

    work: the folder of `prepare` and `train`. products: those whose held-out offers are judged.
    """
    sales = read_log(work / "data")
    assert sales is not None
    is_judged = pl.col("product_id").is_in(products.implode())
    offers = pl.read_parquet(work / "train" / "held_out.parquet").filter(is_judged)
    held_out = HeldOut(offers, sales, Bootstrap(1, 0.9), 1.0, 0, held_out_sums(work / "train", offers))
    shown = replace(sales, shelf=sales.shelf.filter(is_judged))
    return deviances(held_out, SAMPLE.training(shown, trained_periods(work / "data", held_out)), rich_trees())


def deviances(held_out: HeldOut, training: pl.DataFrame, model: BoostedTrees) -> dict[str, dict[str, float]]:
    """Return the deviances of the held-out units by OURS and by the model, once it has learned the training offers."""
    sales, judged = held_out.sales, held_out.offers
    reference = reference_prices(sales.shelf, training["period"].unique().to_list())
    learned, offers = (
        with_network_past(describe_offers(rows, sales, reference), sales, reference)
        for rows in (training, judged.select(OFFER))
    )
    predict = model.boosted(learned, units_bought(learned, sales), "poisson")
    expected = {name: judged[column] for name, column in OURS.items()} | {TREES: pl.Series(predict(offers))}
    return {name: _units_deviance(held_out, units, name) for name, units in expected.items()}


def _units_deviance(held_out: HeldOut, units: pl.Series, name: str) -> dict[str, float]:
    """Return the deviances of a model's expected units [N]; name: in OURS, or of another model."""
    ours = name if name in OURS else None
    found = held_out.scores(held_out.offers["probability"], units, ours)["units_poisson_deviance"]
    assert isinstance(found, dict)
    return found


def rich_trees() -> BoostedTrees:
    """Return the trees of evaluate=baselines that see all that the network knows of the past."""
    with initialize_config_dir(str(CONF), version_base=None):
        return instantiate(compose("config", ["evaluate=baselines"]).evaluate.baselines.lightgbm_rich)
