"""What speaks for the demand model: its scores beside those of baselines, its calibration, and its elasticities."""

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.report.words import number
from gpu_pricer.tables.artefact.demand_tables import is_from_log

SCORES = {
    "log_loss": "Log loss",
    "auc": "AUC",
    "ece": "Calibration error",
    "predicted_over_actual": "Predicted / bought",
}
MODELS = {
    "network": "This model",
    "artefact": "Its demand by segment",
    "shrunken_logit": "Logit with household history",
    "lightgbm_monotone": "Boosted trees",
}
MOST_CATEGORIES = 12
MOST_SCALED = 4.0  # times that an interval is wider over the log's prices than at today's; beyond, it stays as it is
WIDEST = 6.0  # interval of an elasticity of the log that is shown; wider ones tell nothing, and take others' room
OURS, OURS_OVER_LOG = "Model at today's prices, with the 90 % interval", "Model, with the 90 % interval"
THE_LOGS = "Sales log alone, with its 90 % interval"


def model_rows(metrics: dict[str, Any]) -> list[dict[str, str]]:
    """Return a row per model that the held-out sales judge: its name, its scores as text, and a verdict in words.

    Where baselines are judged on a sample of the held-out offers, so is the network beside them; metrics that an
    earlier program wrote have its scores on all of them only.
    """
    if "test" not in metrics:
        return []
    baselines = metrics.get("baselines", {})
    judged = {
        "network": next((block["ours"] for block in baselines.values() if "ours" in block), metrics["test"]),
        **baselines,
    }
    rows = []
    for name, block in judged.items():
        scores = {title: number(block.get(score), 4) for score, title in SCORES.items()}
        rows.append({"Model": MODELS.get(name, name.replace("_", " ")), **scores, "Verdict": _verdict(block)})
    return rows


def priced_with(metrics: dict[str, Any]) -> dict[str, dict[str, str]] | None:
    """Return the scores as text, on all held-out offers, of the model and of the demand by segment that sets prices.

    None where the two were not judged.
    """
    blocks = {"network": metrics.get("test"), "artefact": metrics.get("artefact")}
    if None in blocks.values():
        return None
    return {name: {score: number(block.get(score), 4) for score in SCORES} for name, block in blocks.items() if block}


def _verdict(block: dict[str, Any]) -> str:
    """Return in words whether a baseline predicts better than the model, by the interval of the difference."""
    if "ours_minus_theirs" not in block:
        return ""
    low, high = block["ours_minus_theirs"]["log_loss"]
    return "predicts better" if low > 0 else "predicts worse" if high < 0 else "predicts about as well"


def elasticity_rows(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the intervals of the elasticity by category for a chart, those that sell most first.

    Each row has name, which (of the names in OURS, OURS_OVER_LOG and THE_LOGS), value, low and high. Where the log
    identifies elasticities, to WIDEST at least, its own stand beside the model's over the same prices, of these
    categories; else the model's at today's prices, of all. Over the log's prices the interval of the model is as wide,
    relative to its elasticity, as at today's.
    """
    by_category = (metrics.get("price_response") or {}).get("elasticity_by_category") or {}
    ours = [row | {"name": name} for name, row in by_category.items() if row.get("posterior_low") is not None]
    compared = [row for row in ours if row.get("observed") is not None and row.get("implied") is not None]
    identified = [row for row in compared if row["high"] - row["low"] <= WIDEST]
    chosen = sorted(identified or ours, key=lambda row: -row.get("purchases", 0.0))
    rows = []
    for row in chosen[:MOST_CATEGORIES]:
        name, ends = row["name"], np.array([row["elasticity"], row["posterior_low"], row["posterior_high"]])
        if not identified:
            rows.append(_interval(name, OURS, *ends))
            continue
        scale = row["implied"] / row["elasticity"] if row["elasticity"] else 0.0
        around = ends - ends[0] if not 0 < scale < MOST_SCALED else scale * (ends - ends[0])
        rows.append(_interval(name, OURS_OVER_LOG, *(row["implied"] + around)))
        rows.append(_interval(name, THE_LOGS, row["observed"], row["low"], row["high"]))
    return rows


def _interval(name: str, which: str, value: float, low: float, high: float) -> dict[str, Any]:
    return {"name": name, "which": which, "value": float(value), "low": float(low), "high": float(high)}


def over_the_log(metrics: dict[str, Any]) -> dict[str, float] | None:
    """Return the elasticities of the model and of the log over the log's prices (in_log), None where one is missing."""
    found = (metrics.get("price_response") or {}).get("in_log") or {}
    return found if found.get("implied") is not None else None


def is_identified(metrics: dict[str, Any]) -> bool:
    """Return whether the log alone identifies the elasticity of some category."""
    by_category = (metrics.get("price_response") or {}).get("elasticity_by_category") or {}
    return any(row.get("observed") is not None for row in by_category.values())


class ResponseSources(NamedTuple):
    """Where the price response of the categories on the shelf comes from.

    own: categories whose own sales history decides it, see is_from_log; borrowed: those that have most of it from the
    average over categories; untaught: those that taught nothing. units: the share of a period's units in `own`.
    prior_elasticity: the mean of the published elasticities that stood beside the log, None without. nested: categories
    whose dissimilarity is below 1.
    """

    own: int
    borrowed: int
    untaught: int
    units: float | None
    prior_elasticity: float | None
    nested: int


def response_sources(categories: pl.DataFrame | None, rows: pl.DataFrame) -> ResponseSources | None:
    """Return where the price response of the categories comes from, None where the artefact does not say.

    categories: of the artefact. rows: product_figures.
    """
    if categories is None:
        return None
    sold = rows.group_by("category_id").agg(pl.col("units").sum())
    known = categories.select("category_id", "dissimilarity", is_own=is_from_log())
    found = sold.join(known, on="category_id", how="left")
    is_own = pl.col("is_own")
    total = float(found["units"].sum())
    return ResponseSources(
        own=found.filter(is_own).height,
        borrowed=found.filter(~is_own).height,
        untaught=found["is_own"].null_count(),
        units=float(found.filter(is_own)["units"].sum()) / total if total > 0 else None,
        prior_elasticity=next(iter(categories["prior_elasticity"].drop_nulls()), None),
        nested=found.filter(pl.col("dissimilarity") < 1).height,
    )


def calibration_rates(bins: pl.DataFrame) -> pl.DataFrame:
    """Return model (in words), predicted and bought rates in %; bins: model, offers, bought, predicted."""
    rates = ((100 * pl.col(name) / pl.col("offers")).alias(name) for name in ("predicted", "bought"))
    named = pl.col("model").replace(MODELS)
    found = bins.filter(pl.col("bought") > 0, pl.col("predicted") > 0, pl.col("offers") > 0)
    return found.select(named, *rates)


def fairness_rows(audit: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the groups of the audit with their price indices in % and intervals, for a chart: see charts.intervals."""
    return [
        {
            "name": f"{attribute.replace('_', ' ')}: {group['name']}",
            "which": "",
            **{
                end: 100 * (group[key] - 1) for end, key in (("value", "price_index"), ("low", "low"), ("high", "high"))
            },
        }
        for attribute, entry in (audit.get("attributes") or {}).items()
        for group in entry["groups"]
    ]
