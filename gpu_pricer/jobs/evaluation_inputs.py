"""The inputs of `evaluate`, read from the folders of the configuration."""

import json
import logging
from datetime import date
from pathlib import Path

import polars as pl
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.blocks import EvaluationInputs
from gpu_pricer.evaluation.demand import CatalogDemand
from gpu_pricer.evaluation.held_out import HeldOut, Log
from gpu_pricer.evaluation.settings import EvaluationSettings
from gpu_pricer.evaluation.truth import Learned
from gpu_pricer.policy.policy import Policy
from gpu_pricer.process.run_record import HELD_OUT, HELD_OUT_SUMS, MEMBERS, NAIVE
from gpu_pricer.tables.artefact import DemandArtefact, read_artefact
from gpu_pricer.tables.canonical import read_canonical, read_summary
from gpu_pricer.tables.price_table import collect_prices, scan_cells
from gpu_pricer.tables.published.publishing import CURRENT
from gpu_pricer.tables.reading import require_readable
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions.priced_catalog import read_priced_catalog

log = logging.getLogger(__name__)

LOG_TABLES = ("shelf", "choices", "visits")


def read_evaluation_inputs(
    paths: DictConfig, policy: Policy, settings: EvaluationSettings, seed: int, day: date
) -> EvaluationInputs:
    """Return all inputs that are present, for prices that are set on a day; missing inputs are logged.

    Raises InputError for unreadable files, and where there is nothing to evaluate.
    """
    for folder in (Path(paths.work) / "train", Path(paths.data)):
        require_readable(folder)
    if paths.shards is not None:
        read_version(Path(paths.shards))  # refuses a folder without a finished version
    artefact, truth = _artefact(Path(paths.demand), "artefact"), _artefact(Path(paths.truth), "truth")
    is_priced = artefact is not None or truth is not None
    catalog = None
    if is_priced:
        catalog = read_priced_catalog(Path(paths.catalog), policy, Path(paths.prices), day).catalog
    if truth is not None and (limits := policy.active_constraints):
        log.info(
            "truth: the price lists compared keep the policy's bounds, ladders and families, but not its limits "
            "on the assortment (%s), which the version's prices meet", ", ".join(limits),
        )  # fmt: skip
    sales = read_log(Path(paths.data))
    held_out = _held_out(held_out_file(paths), sales, settings, seed)
    demand = _catalog_demand(artefact, catalog, policy)
    members, segments = (None, None) if artefact is None or demand is None else _members(paths, artefact)
    if held_out is None and demand is None and truth is None:
        raise InputError(
            f"something to evaluate must be there, found neither held-out choices at {held_out_file(paths)} nor an "
            f"artefact at {paths.demand} nor a truth at {paths.truth}: run `gpu-pricer train` first, or mend paths.work"
        )
    return EvaluationInputs(
        policy=policy,
        catalog=catalog,
        sales=sales,
        held_out=held_out,
        trained=trained_periods(Path(paths.data), held_out) if settings.baselines and held_out is not None else [],
        demand=demand,
        members=members,
        segments=segments,
        truth=truth,
        learned=None if truth is None else _learned(paths, artefact),
    )


def held_out_file(paths: DictConfig) -> Path:
    """Return the file of the predictions of the held-out periods, which `train` writes."""
    return Path(paths.work) / "train" / HELD_OUT


def judged_version(paths: DictConfig) -> Path:
    """Return the folder of the prices to judge: the version that paths.shards names, by default the published one."""
    return Path(paths.prices) / CURRENT if paths.shards is None else Path(paths.shards)


def judged_demand(paths: DictConfig) -> str | None:
    """Return the fingerprint of the artefact in paths.demand if the last training made it, else None, which is logged.

    The held-out choices were predicted by that training, and say nothing of an artefact from elsewhere.
    """
    record, demand = Path(paths.work) / "train" / "run.json", Path(paths.demand)
    try:
        trained = json.loads(record.read_text()).get("artefact") if record.is_file() else None
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{record} must hold what `gpu-pricer train` wrote, found: {error}: train again") from error
    found = read_artefact(demand).fingerprint() if (demand / "demand.json").is_file() else None
    if found is None or found != trained:
        log.warning("%s was not made by the training in %s: its hold-out scores are unknown", demand, record.parent)
        return None
    return found


def _artefact(folder: Path, what: str) -> DemandArtefact | None:
    if not (folder / "demand.json").is_file():
        log.info("no %s at %s: its blocks are left out", what, folder)
        return None
    return read_artefact(folder)


def _held_out(file: Path, sales: Log | None, settings: EvaluationSettings, seed: int) -> HeldOut | None:
    if sales is None or not file.is_file():
        log.info("no hold-out choices at %s: the blocks that need them are left out", file)
        return None
    offers, cell = pl.read_parquet(file), ["period", "product_id"]
    missing = offers.select(cell).unique().join(sales.shelf, on=cell, how="anti").height
    if missing:
        raise InputError(
            f"{file} must be of the log in paths.data, found {missing} products in periods that are not on its shelf: "
            "run `gpu-pricer train` again"
        )
    return HeldOut(
        offers, sales, settings.bootstrap, settings.off_policy_share, seed, held_out_sums(file.parent, offers)
    )


def held_out_sums(folder: Path, offers: pl.DataFrame) -> pl.DataFrame | None:
    """Return the sums of predictions over all occasions that `train` wrote beside the offers, None without them.

    What is missing is logged where the offers are a sample. Raises InputError where an offer's product and period are
    in no sum.
    """
    file = folder / HELD_OUT_SUMS
    if not file.is_file():
        if (offers["weight"] > 1).any():
            log.info("no sums over all occasions at %s: expected sales are estimated from the sampled ones", file)
        return None
    sums, cell = pl.read_parquet(file), ["period", "product_id"]
    missing = offers.select(cell).unique().join(sums, on=cell, how="anti").height
    if missing:
        raise InputError(
            f"{file} must have sums of every product and period in {HELD_OUT}, found {missing} without: "
            "run `gpu-pricer train` again"
        )
    return sums


def trained_periods(data: Path, held_out: HeldOut) -> list[date]:
    """Return the periods that the judged demand was learned from, so that baselines see the same.

    They are the periods before the held-out ones without those used only as history. Raises InputError where
    summary.json does not say how the periods were split.
    """
    split, earlier = (read_summary(data) or {}).get("split"), held_out.earlier_periods
    if split is None:
        raise InputError(
            f"{data / 'summary.json'} must say how the periods are split, found nothing: run `gpu-pricer prepare` again"
        )
    return earlier[split["history_periods"] :]


def _catalog_demand(
    artefact: DemandArtefact | None, catalog: pl.DataFrame | None, policy: Policy
) -> CatalogDemand | None:
    if artefact is None or catalog is None:
        return None
    if not artefact.info.outside_option:
        log.info("the demand has no outside option: no price_response and no segmentation block")
        return None
    return CatalogDemand.of(artefact, catalog, policy)


def _members(paths: DictConfig, artefact: DemandArtefact) -> tuple[DemandArtefact | None, DemandArtefact | None]:
    """Return the demand of every user and the demand of their segments, (None, None) where train did not keep them.

    The segments' demand is the one before train.response corrected it, if it did.
    """
    kept = Path(paths.work) / "train"
    if not (kept / MEMBERS).is_dir():
        log.info("no demand of single users at %s: the block aggregation_regret is left out", kept / MEMBERS)
        return None, None
    return read_artefact(kept / MEMBERS), read_artefact(kept / NAIVE) if (kept / NAIVE).is_dir() else artefact


def _learned(paths: DictConfig, artefact: DemandArtefact | None) -> Learned | None:
    """Return the learned demand and the prices of the judged version, to be compared with the truth."""
    if artefact is None:
        return None
    kept = Path(paths.work) / "train" / NAIVE
    naive = read_artefact(kept) if kept.is_dir() else None
    version = judged_version(paths)
    if not version.exists():
        log.info("no prices at %s: the price list `ours` is left out", version)
        return Learned(artefact, None, naive)
    cells = scan_cells(version, artefact.segments.schema["segment_id"])
    return Learned(artefact, collect_prices(cells, version), naive)


def read_log(data: Path) -> Log | None:
    """Return the canonical log in the folder, None where a table of it is missing, which is logged."""
    if not all((data / f"{name}.parquet").is_file() for name in LOG_TABLES):
        log.info("no canonical tables at %s: the comparisons with the log are left out", data)
        return None
    shelf = read_canonical(data, "shelf")
    return Log(shelf, *(pl.read_parquet(data / f"{name}.parquet") for name in LOG_TABLES[1:]))
