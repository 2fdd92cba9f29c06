"""The figures of an evaluation, in a folder."""

import logging
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.evaluation import plots
from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.demand.response_curves import response_curves
from gpu_pricer.evaluation.held_out.blocks import HeldOut

log = logging.getLogger(__name__)


def draw_calibration(folder: Path, held_out: HeldOut, probabilities: dict[str, np.ndarray]) -> None:
    """Draw how far every model's probabilities, [N] each, can be taken at their word."""
    offers = held_out.offers
    weight = offers["weight"].cast(pl.Float64).to_numpy()
    plots.draw_calibration(folder / "calibration.svg", offers["bought"].to_numpy(), weight, probabilities)
    log.info("drew %s", folder / "calibration.svg")


def draw_demand(folder: Path, metrics: dict[str, dict], demand: CatalogDemand, categories: int) -> None:
    """Draw what the demand says about price, and what its segments are worth."""
    response = metrics["price_response"]
    curves = response_curves(demand.largest(categories))
    plots.draw_response_curves(folder / "response_curves.svg", curves, response["elasticity_by_category"])
    plots.draw_elasticities(folder / "elasticities.svg", demand.elasticities(), response["mean_elasticity"])
    value = pl.DataFrame([{"segments": int(count), **row} for count, row in metrics["segmentation"].items()])
    plots.draw_segmentation(folder / "segmentation.svg", value)
    log.info("drew response_curves, elasticities and segmentation in %s", folder)
