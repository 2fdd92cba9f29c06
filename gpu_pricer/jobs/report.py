"""report: one HTML page on a scored version, for the people who decide about it."""

import json
import logging
from pathlib import Path
from typing import Any

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.constraints.certificate_file import find_certificate
from gpu_pricer.errors import InputError, first_line, readable
from gpu_pricer.evaluation.evaluation_files import CALIBRATION
from gpu_pricer.gates import Evidence, approval_outcome, judge_version, known_metrics
from gpu_pricer.gates.published import read_published
from gpu_pricer.gates.record import last_undone
from gpu_pricer.pricing.drawn_outcomes import drawn_intervals
from gpu_pricer.pricing.problem.posterior_draws import posterior_draws
from gpu_pricer.report.figures.shop import shop_columns
from gpu_pricer.report.headline import UNKNOWN, Intervals
from gpu_pricer.report.market_sections import Market
from gpu_pricer.report.scored import Scored, scored_version
from gpu_pricer.report.sections import GateRow, Older, Surroundings, report_page
from gpu_pricer.report.settings import ReportSettings
from gpu_pricer.report.shop_columns import columns_of_products, has_competitors_in_log, names_of
from gpu_pricer.tables.delta_log import current_run, published_runs
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.published.price_copy import bring_version
from gpu_pricer.tables.version.names import FAIRNESS, METRICS_FILE, PUBLICATION, RECORD, RUN_RECORD, UNPRICED
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.stock_record import STOCK_PRICES
from gpu_pricer.tables.version.version_comparison import Compared
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions.appraisal.doubts import doubts_of, doubts_of_loss
from gpu_pricer.versions.appraisal.never_sold import never_sold_of
from gpu_pricer.versions.appraisal.outlook import Outlook, outlook_of
from gpu_pricer.versions.appraisal.recent_sales import recent_sales
from gpu_pricer.versions.frontier import frontier_obstacle, recorded_frontiers, trace_frontier_of
from gpu_pricer.versions.version_sources import compared_version, read_sources, source_paths

log = logging.getLogger(__name__)

LEDGER = "ledger.parquet"
"""In paths.work: what earlier versions promised and what came of it."""
MOST_PROMISES = 10
AGAIN = "restore it, or run the job that wrote it again"
PAGE = "report.html"
"""In paths.work, and not in the version's folder, whose seal a further file would break."""


def inputs(config: DictConfig) -> list[Path]:
    """Return the files that `report` reads, except those of the price table."""
    folder = _folder(config)
    return [*source_paths(config, folder, read_version(folder)), folder / RUN_RECORD, _metrics_file(config)]


def main(config: DictConfig) -> dict[str, object]:
    """Write one self-contained HTML page on a version: what to decide on first, then why, then every product.

    Reads   paths.prices          the published version; or the version in paths.shards
            paths.work            metrics.json and calibration.parquet of `evaluate`, summary.json of `prepare`
            paths.work/frontier   what more of a measure costs around these prices, where that was traced
            paths.catalog         the columns of report.label, which name products to a person; the stock and the
                                  competitors' prices, where the policy reads none
    Writes  paths.work/report.html

    The page needs no network. It says which numbers are the demand model's own estimates. `run` writes it at its end,
    also when a gate refuses the version, so that the page says why. With frontier=units (or another measure) the job
    first traces what more of the measure costs around the version's prices, unless paths.work/frontier has that, and
    the page shows it from then on.

    Example: gpu-pricer report
             gpu-pricer report frontier=units
             gpu-pricer report paths.shards=prices/tonight report.label=[brand,product_type]
    """
    folder, frontier = _folder(config), instantiate(config.frontier)
    if frontier.measure is not None:
        version = read_version(folder)
        sources, work = read_sources(config, folder, version), Path(config.paths.work)
        trace_frontier_of(folder, version, sources, frontier, work, config.backend)
    return {"page": str(write_report(config, folder))}


def write_report(
    config: DictConfig,
    folder: Path,
    outlook: Outlook | None = None,
    against: Path | None = None,
    page: Path | None = None,
) -> Path:
    """Write the page on a version and return its path.

    outlook: of this version, None to compute it. against: the version to compare with, None for the one published
    before. page: where to write it, None for paths.work/report.html.
    """
    settings: ReportSettings = instantiate(config.report)
    version = read_version(folder)
    sources = read_sources(config, folder, version)
    scored = scored_version(folder, version, *sources)
    if outlook is None:
        catalog = source_paths(config, folder, version)[1]
        outlook = outlook_of(version, folder, sources.artefact, catalog, sources.policy)
    text = report_page(scored, _beside(config, scored, outlook, settings, against), settings)
    path = Path(config.paths.work) / PAGE if page is None else page
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as fresh:
        fresh.write_text(text, encoding="utf-8")
    log.info("wrote %s (%.1f MB)", path, path.stat().st_size / 1e6)
    return path


def doubts_about(config: DictConfig, folder: Path, outlook: Outlook | None) -> list[str]:
    """Return a sentence on each doubt about the prices of the version in a folder; outlook: see write_report.

    The prepared sales count unless the last evaluation is of another demand: then they are others.
    """
    version, last = read_version(folder), _json(_metrics_file(config), {}).get("fingerprint")
    summary, sold, unsold = {}, None, None
    if last in (None, version.artefact):
        catalog = source_paths(config, folder, version)[1]
        data = Path(config.paths.data)
        summary, sold, unsold = _summary(config), recent_sales(data, catalog), never_sold_of(data, catalog, folder)
    metrics = known_metrics(folder, version, None, _metrics_file(config))
    constraints = find_certificate(folder / RECORD).get("constraints") or {}
    return [
        *last_undone(folder),
        *doubts_of_loss(outlook, constraints),
        *doubts_of(outlook, summary, metrics, version.tally.units_today, sold, unsold),
    ]


def _folder(config: DictConfig) -> Path:
    """Return the version to report on: paths.shards, by default the published one."""
    if config.paths.shards is not None:
        return Path(config.paths.shards)
    prices = Path(config.paths.prices)
    run = current_run(prices)
    if run is None:
        raise InputError(
            f"paths.prices must hold a published version to report on, found none in {prices}: publish one, or name a "
            "scored one with paths.shards"
        )
    return prices / run


def _beside(
    config: DictConfig, scored: Scored, outlook: Outlook | None, settings: ReportSettings, against: Path | None
) -> Surroundings:
    """Return what the report reads beside the version; against: see write_report."""
    folder, version, work = scored.folder, scored.version, Path(config.paths.work)
    publications = _json(folder / PUBLICATION, [])
    is_published = version.run in published_runs(Path(config.paths.prices))
    published = publications[-1] if is_published and publications else None
    metrics = known_metrics(folder, version, None, _metrics_file(config))
    if not metrics:
        log.info("no held-out scores of the demand of %s: the report leaves them out", version.run)
    is_drawn = outlook is not None and not outlook.is_rationed and scored.artefact.posterior is not None
    uniform = None if outlook is None else outlook.uniform
    return Surroundings(
        names=names_of(config, scored),
        gates=_gates(config, folder, version) if published is None else _recorded_gates(published),
        published=published,
        older=_older(config, folder, _replaced(config, published) if against is None else against, against is not None),
        metrics=metrics,
        bins=_table(work / CALIBRATION) if metrics else None,
        intervals=_intervals(scored, outlook) if is_drawn and outlook is not None else UNKNOWN,
        uniform_profit=None if uniform is None else uniform.profit,
        is_uniform_a_bound=uniform is not None and uniform.is_bound,
        certificate=find_certificate(folder / RECORD),
        audit=_json(folder / FAIRNESS, {}),
        summary=_summary(config),
        doubts=doubts_about(config, folder, outlook),
        unpriced=_read(folder / RECORD / UNPRICED),
        ledger=_ledger(work / LEDGER),
        record=_scoring(work, version),
        market=Market(
            frontiers=recorded_frontiers(work, version),
            frontier_obstacle=frontier_obstacle(version, scored.policy),
            shop=columns_of_products(config, scored, shop_columns(scored.policy)),
            stock_prices=_table(folder / RECORD / STOCK_PRICES),
            has_competitors_in_log=has_competitors_in_log(config),
        ),
    )


def _intervals(scored: Scored, outlook: Outlook) -> Intervals:
    category_id = scored.products["category_id"].rle().struct.field("value")
    draws = posterior_draws(scored.artefact, category_id)
    profit = None if outlook.gain is None else (outlook.gain.low, outlook.gain.high)
    return Intervals(**drawn_intervals(scored.problem, draws, scored.price), profit=profit)


def _gates(config: DictConfig, folder: Path, version: PriceVersion) -> list[GateRow]:
    """Return what the gates find of a version that is not published, against the version that is."""
    prices, publication = Path(config.paths.prices), instantiate(config.publish, _convert_="all")
    current = current_run(prices)
    has_older = current not in (None, version.run) and publication.gates.has_comparison
    published = read_published(prices, str(current)) if has_older else None
    evidence = Evidence(_metrics_file(config), instantiate(config.fairness).max_gap)
    outcomes = judge_version(folder, version, publication.gates, published, evidence).outcomes
    approval = approval_outcome(prices, folder, version, publication.approval).outcome
    outcomes += [] if approval is None else [approval]
    return [GateRow(found.gate, found.found, found.limit, found.is_passed, None, found.cell) for found in outcomes]


def _recorded_gates(published: dict[str, Any]) -> list[GateRow]:
    """Return what the gates found when the version was published."""
    accepted = published["accepted"]
    return [
        GateRow(gate, entry["found"], entry["limit"], entry["is_passed"], accepted.get(gate), entry.get("cell", ""))
        for gate, entry in published["gates"].items()
    ]


def _replaced(config: DictConfig, published: dict[str, Any] | None) -> Path | None:
    """Return the folder of the version that this one replaced or would replace, None if it is not there any more."""
    prices = Path(config.paths.prices)
    run = current_run(prices) if published is None else published["replaces"]
    return prices / run if run is not None and any(bring_version(prices, run).glob("*.parquet")) else None


def _older(config: DictConfig, folder: Path, older: Path | None, is_chosen: bool) -> Older | None:
    """Return the comparison of the version in a folder with an older one, None without that."""
    if older is None:
        return None
    after = compared_version(config, folder)
    before = compared_version(config, older) if (older / RUN_RECORD).is_file() else Compared(older, None)
    return Older(before, after, is_chosen)


def _summary(config: DictConfig) -> dict[str, Any]:
    """Return what `prepare` wrote of its tables, {} without."""
    found: dict[str, Any] = _json(Path(config.paths.data) / "summary.json", {})
    return found


def _metrics_file(config: DictConfig) -> Path:
    return Path(config.paths.work) / METRICS_FILE


def _scoring(work: Path, version: PriceVersion) -> dict[str, Any]:
    """Return the run.json of the job that scored the version, {} where another version was scored since."""
    record: dict[str, Any] = _json(work / "score" / "run.json", {})
    return record if Path(record.get("version") or "").name == version.run else {}


def _ledger(path: Path) -> list[dict[str, Any]]:
    """Return the rows of the last whole versions in the ledger, oldest first."""
    if not path.is_file():
        return []
    return _read(path).filter(pl.col("category_id").is_null()).tail(MOST_PROMISES).to_dicts()


def _table(path: Path) -> pl.DataFrame | None:
    """Return a table, None without the file."""
    return _read(path) if path.is_file() else None


def _read(path: Path) -> pl.DataFrame:
    with readable(path, AGAIN):
        return pl.read_parquet(path)


def _json(path: Path, default: Any) -> Any:
    """Return the content of a JSON file, the default without the file; InputError for a broken one."""
    if not path.is_file():
        return default
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} must be whole JSON, found: {first_line(error)}: {AGAIN}") from error
