"""explain: one published price, derived."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from omegaconf import DictConfig

from gpu_pricer.constraints import MarketData
from gpu_pricer.constraints.certificate_file import read_certificate
from gpu_pricer.constraints.lagrangian_record import RecordedLagrangian, read_lagrangian
from gpu_pricer.errors import InputError
from gpu_pricer.explain.derivation import Explanation, category_at, explain_price
from gpu_pricer.explain.limit_effects import AddedCosts, added_costs, limit_effects
from gpu_pricer.explain.limit_text import limit_lines, rationed_line
from gpu_pricer.explain.text import change_lines, cost_words, explanation_lines
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.rule_columns import with_rule_columns
from gpu_pricer.pricing.problem.matching import match_products
from gpu_pricer.pricing.problem.posterior_draws import posterior_draws
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, problem_of
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.delta_log import current_run
from gpu_pricer.tables.price_table import CENTS, PARTS, VAT_PART, collect_prices, part_names, scan_cells, scan_prices
from gpu_pricer.tables.published.version_log import find_version
from gpu_pricer.tables.version.names import RECORD, RUN_RECORD
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.stock_record import read_rationed
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions.appraisal.assumed_cost import assumed_share
from gpu_pricer.versions.appraisal.never_sold import unsold_words
from gpu_pricer.versions.version_sources import Sources, read_sources, source_paths
from kernels import Draws

OPERANDS = ("product", "segment")


class CellPosition(NamedTuple):
    """A price's product and segment, as positions in the pricing problem."""

    product: int
    segment: int


class PricedFrom(NamedTuple):
    """What a version was priced from.

    artefact: the demand. problem: the pricing problem. support [P, 2]: the least and the largest price of each product
    that training saw, in currency. category_id [P]. lagrangian: what the prices maximise, None without constraints.
    """

    artefact: DemandArtefact
    problem: PricingProblem
    support: np.ndarray
    category_id: pl.Series
    lagrangian: RecordedLagrangian | None

    def draws(self, cell: CellPosition) -> Draws | None:
        """Return the draws of the segment's sensitivity in the product's category, None where it has none."""
        posterior, category_id = self.artefact.posterior, self.category_id[cell.product : cell.product + 1]
        if posterior is None:
            return None
        drawn = posterior["category_id"]
        if not drawn.null_count() and not drawn.is_in(category_id.implode()).any():
            return None
        return posterior_draws(self.artefact, category_id).of_segment(cell.segment)


def inputs(config: DictConfig) -> list[Path]:
    """Return the files that `explain` reads, except those of the price table."""
    folder = _version(config)
    return [*source_paths(config, folder, read_version(folder)), folder / RUN_RECORD]


def main(config: DictConfig) -> None:
    """Print why one price is what it is: its parts, the allowed prices, the runner-up, the demand around it.

    Reads   paths.prices    the published table, or its version explain.version; or the version in paths.shards

    What the version was scored from lies with it: policy and catalog in its _record/, the artefact in _artefacts/. The
    policy of the configuration, paths.demand and paths.catalog count only for a version without these copies.

    Under constraints the job also prints which limits on the assortment count the price, and what each adds to the
    value of a unit, from the multipliers that `score` kept with the version.

    Of a product without a sale that the demand knows, by the sales in paths.data, the job says whose demand it has.

    If the artefact has a posterior, the job prints 90 % intervals of profit and elasticity. With
    explain.against=<run> it also prints what changed in the price since that version, part by part; both versions need
    score.details=[parts]. Both settings also take a number of `gpu-pricer versions`.

    Example: gpu-pricer explain 1082185 3
             gpu-pricer explain product=1082185 segment=3
    """
    folder = _version(config)
    version = read_version(folder)
    sources = read_sources(config, folder, version)
    policy, origin = sources.policy, _priced_from(sources, version, folder)
    cell = CellPosition(
        _position(origin.problem.products.product_id, "product", config.product),
        _position(origin.problem.segments.segment_id, "segment", config.segment),
    )
    row = _row(folder, origin.problem, cell)
    found = derive(origin, policy, folder, cell, row)
    title = f"Product {config.product} for segment {config.segment} in {version.run}"
    binding = str(row["binding"]) if row else None
    added = None
    if origin.lagrangian is not None:
        added = added_costs(origin.lagrangian.weights, [*origin.lagrangian.constraints], origin.problem, cell)
    product_id = origin.problem.products.product_id[cell.product]
    unit_cost = cost_words(assumed_share(sources.catalog, Path(config.paths.catalog), product_id))
    unsold = unsold_words(Path(config.paths.data), origin.artefact, product_id)
    lines = explanation_lines(title, found, binding, version.currency, added, unit_cost, unsold)
    if origin.lagrangian is not None and added is not None:
        lines += ["", *_limits(origin, origin.lagrangian, folder, cell, found, added)]
    if config.explain.against is not None:
        older = find_version(Path(config.paths.prices), str(config.explain.against))
        lines += ["", *_changes(older, folder, origin.problem, cell)]
    print("\n".join(lines))


def _version(config: DictConfig) -> Path:
    """Return the folder of the version to explain: explain.version, else paths.shards, else the published one."""
    prices = Path(config.paths.prices)
    if config.explain.version is not None:
        return find_version(prices, str(config.explain.version))
    if config.paths.shards is not None:
        return Path(config.paths.shards)
    run = current_run(prices)
    if run is None:
        raise InputError(
            f"paths.prices must hold a published version to explain, found none in {prices}: publish one, "
            "or name one with explain.version or paths.shards"
        )
    return prices / run


def _priced_from(sources: Sources, version: PriceVersion, folder: Path) -> PricedFrom:
    """Return the pricing problem whose solution the version is, with the demand and the support of the prices."""
    artefact, catalog, policy = sources
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    support = matched.products.select("min_price", "max_price").to_numpy()
    problem = problem_of(artefact, matched, policy, version.uncertainty)
    lagrangian = None
    if policy.active_constraints:
        market = MarketData(catalog, artefact.segments, artefact.info.currency)
        lagrangian = read_lagrangian(folder / RECORD, problem, policy.objective, market)
    return PricedFrom(artefact, problem, support, matched.products["category_id"], lagrangian)


def _position(ids: pl.Series, what: str, requested: object) -> int:
    """Return the position of an id of the command line. Raises InputError when the id is unknown or missing."""
    if requested is None:
        raise InputError(f"{what} must be an id of the price table, found none: set {what}=ID, such as {what}={ids[0]}")
    where = (ids.cast(pl.String) == str(requested)).arg_true()
    if not len(where):
        examples = ", ".join(ids.head(3).cast(pl.String))
        raise InputError(f"{what} must be an id of the price table, found {requested!r}: there are {examples}, ...")
    return int(where[0])


def derive(origin: PricedFrom, policy: Policy, folder: Path, cell: CellPosition, row: dict[str, object]) -> Explanation:
    """Return the explanation of a cell's price; row: from _row."""
    names = part_names(origin.problem.includes_vat)
    parts = {name: float(row[name]) for name in names} if set(names) <= set(row) else None  # type: ignore[arg-type]
    prices = _category_prices(folder, origin.problem, cell)
    lagrangian = None if origin.lagrangian is None else origin.lagrangian.weights
    category = category_at(origin.problem, cell.product, cell.segment, prices, lagrangian)
    ladder = policy.ladders[origin.problem.limits.ladder[cell.product]]
    least, most = origin.support[cell.product]
    return explain_price(category, cell.product, ladder, (least, most), parts, origin.draws(cell))


def _limits(
    origin: PricedFrom,
    lagrangian: RecordedLagrangian,
    folder: Path,
    cell: CellPosition,
    found: Explanation,
    added: AddedCosts,
) -> list[str]:
    """Return the lines on the limits on the assortment that count the cell; added: of the cell."""
    weights, constraints = lagrangian
    effects = limit_effects(weights, constraints, origin.problem, cell, found.now.price)
    certificate = read_certificate(folder / RECORD)
    lines = limit_lines(effects, added, certificate, found.parts, origin.artefact.info.currency)
    rationed = read_rationed(folder / RECORD, origin.problem.products.product_id[[cell.product]])
    return lines if rationed is None else [*lines, rationed_line(*rationed)]


def _category_prices(folder: Path, problem: PricingProblem, cell: CellPosition) -> np.ndarray:
    """Return the version's prices in cents, [n], of the products of the cell's category, in the problem's order."""
    index = int(np.searchsorted(problem.products.category_start, cell.product, side="right")) - 1
    ids = problem.products.product_id[problem.product_slice(index, index + 1)]
    cells = scan_cells(folder, problem.segments.segment_id.dtype)
    schema = cells.collect_schema()
    products = pl.DataFrame({"product_id": ids.cast(schema["product_id"])})
    segment = pl.lit(problem.segments.segment_id[cell.segment], schema["segment_id"])
    mine = cells.filter(pl.col("segment_id") == segment)
    mine = mine.filter(pl.col("product_id").is_in(products["product_id"].implode()))
    found = products.join(collect_prices(mine, folder), on="product_id", how="left", maintain_order="left")
    if found["price"].null_count():
        raise InputError(f"{folder} must price every product of the category, found some missing: score again")
    return (found["price"].cast(pl.Float64) * CENTS).round().to_numpy()


def _row(folder: Path, problem: PricingProblem, cell: CellPosition) -> dict[str, object]:
    """Return the price table's row of a cell; empty for the wide layout, which has no row per cell."""
    table = scan_prices(folder)
    schema = table.collect_schema()
    if "segment_id" not in schema:
        return {}
    ids = problem.products.product_id[cell.product], problem.segments.segment_id[cell.segment]
    keys = dict(zip(("product_id", "segment_id"), ids, strict=True))
    rows = table.filter(pl.col(name) == pl.lit(value, schema[name]) for name, value in keys.items())
    found = collect_prices(rows, folder)
    return found.row(0, named=True) if found.height else {}


def _changes(older: Path, folder: Path, problem: PricingProblem, cell: CellPosition) -> list[str]:
    """Return the lines on what changed in a cell's price since the older version.

    Raises InputError unless both versions have the parts of their prices.
    """
    runs = (read_version(older).run, read_version(folder).run)
    rows = [_row(path, problem, cell) for path in (older, folder)]
    for path, row in zip((older, folder), rows, strict=True):
        if not set(PARTS) <= set(row):
            raise InputError(
                f"explain.against needs two versions with the parts of this price, found {path} without: "
                "score with score.details=[parts]"
            )
    names = (*part_names(includes_vat=any(VAT_PART in row for row in rows)), "price")
    before, after = ({name: float(row.get(name, 0)) for name in names} for row in rows)  # type: ignore[arg-type]
    return change_lines(before, after, (str(rows[0]["binding"]), str(rows[1]["binding"])), runs)
