"""What `evaluate` writes into the work folder: metrics.json, elasticities, calibration, and the figures."""

import json
import logging
import math
from pathlib import Path

import polars as pl

from gpu_pricer.evaluation import plots
from gpu_pricer.evaluation.blocks import Metrics
from gpu_pricer.evaluation.demand import CatalogDemand
from gpu_pricer.evaluation.demand.price_response import response_curves
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.version.names import METRICS_FILE

log = logging.getLogger(__name__)

INTERVALS = "elasticities.parquet"
CALIBRATION = "calibration.parquet"


def write_evaluation(work: Path, metrics: Metrics) -> None:
    """Write the metrics and, as far as they are known, the posterior of the elasticities and the calibration."""
    if metrics.intervals is not None:
        with replacing_file(work / INTERVALS) as fresh:
            write_table(metrics.intervals.cells, fresh)
    write_metrics(work / METRICS_FILE, metrics.blocks)
    if metrics.calibration is not None:
        with replacing_file(work / CALIBRATION) as fresh:
            write_table(metrics.calibration, fresh)


def draw_evaluation(folder: Path, metrics: Metrics, demand: CatalogDemand | None, categories: int) -> None:
    """Draw what is known: calibration, and of the demand its elasticities and its curves in that many categories."""
    if metrics.calibration is not None:
        plots.draw_calibration(folder / "calibration.svg", metrics.calibration)
        log.info("drew %s", folder / "calibration.svg")
    if demand is not None:
        _draw_demand(folder, metrics.blocks, demand, categories)


def write_metrics(path: Path, metrics: dict) -> None:
    """Write metrics as JSON, with null for NaN and infinity, which JSON does not have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as fresh:
        fresh.write_text(json.dumps(_json_ready(metrics), indent=2, allow_nan=False) + "\n")
    log.info("wrote %s", path)


def _draw_demand(folder: Path, metrics: dict[str, dict], demand: CatalogDemand, categories: int) -> None:
    """Draw response curves of the largest categories, elasticities, and the value of the segments."""
    response = metrics["price_response"]
    curves = response_curves(demand.largest(categories))
    plots.draw_response_curves(folder / "response_curves.svg", curves, response["elasticity_by_category"])
    plots.draw_elasticities(folder / "elasticities.svg", demand.elasticities(), response["mean_elasticity"])
    value = pl.DataFrame([{"segments": int(count), **row} for count, row in metrics["segmentation"].items()])
    plots.draw_segmentation(folder / "segmentation.svg", value)
    log.info("drew response_curves, elasticities and segmentation in %s", folder)


def _json_ready(value: object) -> object:
    """Return the value with None for every NaN and infinity."""
    if isinstance(value, dict):
        return {key: _json_ready(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json_ready(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
