"""outcome: what published versions promised, and what the log shows since."""

import logging
from pathlib import Path

import numpy as np
import polars as pl
from omegaconf import DictConfig
from rich import box
from rich.table import Table

from gpu_pricer.checks import require_number
from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.ledger import ledger_of, products_left_out, read_sales_log, sentence
from gpu_pricer.jobs.report import LEDGER
from gpu_pricer.policy.policy_copy import read_policy
from gpu_pricer.policy.rule_columns import with_rule_columns
from gpu_pricer.pricing import match_products, problem_of
from gpu_pricer.pricing.drawn_outcomes import UnitValue, drawn_category_profit, profit_of
from gpu_pricer.pricing.problem.posterior_draws import posterior_draws
from gpu_pricer.report.scored import read_prices
from gpu_pricer.tables.artefact import read_artefact
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.published.kept_artefacts import kept_artefact
from gpu_pricer.tables.published.price_copy import bring_version
from gpu_pricer.tables.published.price_store import store_of
from gpu_pricer.tables.published.promises import (
    InForce,
    has_promise,
    has_spread,
    keep_promise,
    keep_spread,
    promise_files,
    publications,
    read_promise,
)
from gpu_pricer.tables.stores.local_copy import shown
from gpu_pricer.tables.version.catalog_copy import read_catalog_copy
from gpu_pricer.tables.version.names import RECORD, RUN_RECORD
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.version_files import require_files
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.terminal.printing import print_tables
from gpu_pricer.versions.appraisal.outlook import MOST_CELLS

log = logging.getLogger(__name__)

OPERANDS = ("outcome.version",)
TABLES = ("sales", "shoppers", "visits", "products")
MOST_VERSIONS = 10
HEAD = (
    "visits",
    "profit promised",
    "90 % interval",
    "profit found",
    "units promised",
    "found",
    "at its prices",
    "judged",
    "verdict",
)


def inputs(config: DictConfig) -> list[Path]:
    """Return the canonical tables of sales; promises are named in Delta's log."""
    return [Path(config.paths.data) / f"{name}.parquet" for name in TABLES]


def main(config: DictConfig) -> None:
    """Compare what published versions promised with what was sold since their prices were in force: the ledger.

    Reads   paths.prices    Delta's log, and in _promises what each version expected of each product; `publish` writes
                            that, and it stays when the files of old versions go
            paths.data      sales, shoppers, visits and products, by `prepare`
    Writes  paths.work/ledger.parquet

    A version is in force from the day of its publication (day=DATE of `publish`) to the day before the next one's. A
    promise is scaled to the visits that came. Its interval holds chance, the drift of demand before, and what the log
    left open of the price response. Where less than outcome.least_applied of the units were sold at the version's
    prices, products in promotions do not count, and those of which few units are expected; where that does not help,
    there is no verdict. `judged` is the share of the promised units that count. outcome.version shows one version by
    category.

    Example: gpu-pricer outcome
             gpu-pricer outcome 11
    """
    ledger = write_ledger(config)
    known = publications(Path(config.paths.prices))
    if config.outcome.version is not None:
        _print_version(config, ledger, known, str(config.outcome.version))
    elif ledger.is_empty():
        print(_nothing(config, known))
    else:
        shown = ledger.filter(pl.col("category_id").is_null())
        print_tables(_board(shown.tail(MOST_VERSIONS), "version", "version"))
        print(f"{shown.height:,} versions, by category too, are in {Path(config.paths.work) / LEDGER}")


def write_ledger(config: DictConfig) -> pl.DataFrame:
    """Write the ledger and return it, see ledger_of; without a version that was in force in the log it is empty.

    What is missing of the promises of versions whose files are there is kept first.
    """
    try:
        require_number("outcome.least_applied", config.outcome.least_applied, least=0, most=1)
    except ValueError as error:
        raise InputError(f"{error}: mend it") from error
    prices, sales = Path(config.paths.prices), read_sales_log(Path(config.paths.data))
    known = publications(prices)
    for run in dict.fromkeys(each.run for each in known):
        _complete(prices, run)
    found = [(each, promise) for each in known if (promise := read_promise(prices, each.run)) is not None]
    ledger = ledger_of(found, sales, config.outcome.least_applied)
    left_out = products_left_out(found, sales)
    if left_out:
        log.warning(
            "%d products that versions promised are not in %s any more, and neither are their sales: both sides leave "
            "them out", left_out, Path(config.paths.data) / "products.parquet",
        )  # fmt: skip
    path = Path(config.paths.work) / LEDGER
    if ledger.is_empty():
        path.unlink(missing_ok=True)
        return ledger
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as fresh:
        write_table(ledger, fresh)
    return ledger


def closing_line(ledger: pl.DataFrame) -> list[str]:
    """Return a sentence on the version that was in force last in the log, nothing where none was."""
    if ledger.is_empty():
        return []
    row = ledger.filter(pl.col("category_id").is_null()).row(-1, named=True)
    return [f"  {sentence(row)}"]


def _complete(prices: Path, run: str) -> None:
    """Keep the promise of a published version, and how uncertain it is, as far as its files are there."""
    folder = prices / run
    if not (folder / RUN_RECORD).is_file():
        return
    version, known = read_version(folder), promise_files(prices, run)
    if has_promise(prices, run) and (has_spread(prices, run) or version.tally.rows > MOST_CELLS):
        return
    if not any(bring_version(prices, run).glob("*.parquet")):
        log.info("the promise of %s cannot be completed: its prices are no longer in %s", run, shown(prices))
        return
    require_files(folder, version)
    if has_promise(prices, run) or keep_promise(prices, folder, version):
        _complete_spread(prices, folder, version)
    if promise_files(prices, run) == known:
        return
    try:
        store_of(prices).send_promise(run)
    except InputError as error:
        log.warning("the promise of %s is stored on this machine only: %s", run, error)


def _complete_spread(prices: Path, folder: Path, version: PriceVersion) -> None:
    """Keep how uncertain the promise of a version is, where its demand and policy tell."""
    if has_spread(prices, version.run) or version.tally.rows > MOST_CELLS:
        return
    policy, demand = read_policy(folder / RECORD), kept_artefact(prices, version.artefact)
    artefact = read_artefact(demand) if demand.is_dir() else None
    if policy is None or artefact is None or artefact.posterior is None:
        return
    catalog = with_rule_columns(read_catalog_copy(folder), policy.bounds)
    matched = match_products(catalog, artefact)
    problem = problem_of(artefact, matched, policy)
    category_id = matched.products["category_id"].rle().struct.field("value")
    draws, price = posterior_draws(artefact, category_id), read_prices(folder, problem)
    nothing, whole = np.zeros(len(price)), np.ones(len(price))
    paid = drawn_category_profit(problem, draws, price, UnitValue(whole, nothing))
    kept = UnitValue(problem.products.net_share, nothing)
    values = {
        "units": paid - drawn_category_profit(problem, draws, price, UnitValue(whole, whole)),
        "revenue": drawn_category_profit(problem, draws, price, kept) if problem.includes_vat else paid,
        "profit": drawn_category_profit(problem, draws, price, profit_of(problem)),
    }
    keep_spread(prices, version.run, _spread(values, category_id.to_list()))


def _spread(values: dict[str, np.ndarray], categories: list[str]) -> dict[str, dict[str, float]]:
    """Return the relative standard deviation over draws [D, G] by category, and of all under ""."""
    spread: dict[str, dict[str, float]] = {}
    for measure, drawn in values.items():
        for name, column in zip(["", *categories], [drawn.sum(axis=1), *drawn.T], strict=True):
            mean = float(column.mean())
            spread.setdefault(name, {})[measure] = float(column.std(ddof=1) / mean) if mean > 0 else 0.0
    return spread


def _print_version(config: DictConfig, ledger: pl.DataFrame, known: list[InForce], name: str) -> None:
    chosen = [each for each in known if name in (str(each.number), each.run)]
    if not chosen:
        raise InputError(f"outcome needs a published version, found {name!r}: see gpu-pricer versions")
    rows = ledger if ledger.is_empty() else ledger.filter(pl.col("version") == chosen[-1].number)
    if rows.is_empty():
        print(_nothing(config, chosen[-1:]))
        return
    total = rows.filter(pl.col("category_id").is_null()).row(0, named=True)
    told = sentence(total)
    print(f"{told[0].upper()}{told[1:]}")
    size = (pl.col("actual_profit") - pl.col("expected_profit")).abs()
    print_rows = rows.filter(pl.col("category_id").is_not_null()).sort(size, "category_id", descending=[True, False])
    print_tables(_board(print_rows.head(MOST_VERSIONS), "category_id", "category"))


def _nothing(config: DictConfig, known: list[InForce]) -> str:
    if not known:
        return f"no version has been published in {config.paths.prices}"
    last, end = known[-1], read_sales_log(Path(config.paths.data)).last_day
    return f"no sales yet at the prices of version {last.number}, in force from {last.since}: the log ends on {end}"


def _board(rows: pl.DataFrame, key: str, title: str) -> Table:
    table = Table(title, *(("days",) if key == "version" else ()), *HEAD, box=box.SIMPLE)
    for row in rows.iter_rows(named=True):
        days = [f"{row['days']} from {row['since']}"] if key == "version" else []
        table.add_row(str(row[key]), *days, *_cells(row))
    return table


def _cells(row: dict) -> list[str]:
    return [
        f"{row['visits_share']:.0%}",
        f"{row['expected_profit']:,.2f}",
        f"{row['profit_low']:,.2f} to {row['profit_high']:,.2f}",
        f"{row['actual_profit']:,.2f}",
        f"{row['expected_units']:,.0f}",
        f"{row['actual_units']:,.0f}",
        "-" if row["applied"] is None else f"{row['applied']:.0%}",
        f"{row['judged']:.0%}",
        row["verdict"],
    ]
