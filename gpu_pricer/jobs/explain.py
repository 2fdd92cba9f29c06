"""explain: one published price, derived."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.constraints.certificate import CERTIFICATE
from gpu_pricer.errors import InputError
from gpu_pricer.explain.derivation import category_at, explanation
from gpu_pricer.explain.text import change_lines, constraint_lines, lines_of
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.rule_columns import with_rule_columns
from gpu_pricer.pricing.problem.matching import match_products
from gpu_pricer.pricing.problem.posterior_draws import posterior_draws
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, problem_of
from gpu_pricer.tables.artefact import DemandArtefact, read_artefact
from gpu_pricer.tables.price_table import PARTS, scan_cells, scan_prices
from gpu_pricer.tables.price_version import RECORD, RUN_RECORD, PriceVersion, read_version
from gpu_pricer.tables.priced_products import catalog_fingerprint, read_catalog
from gpu_pricer.tables.publishing import current_run
from kernels import Draws


class PricedFrom(NamedTuple):
    """What a version was priced from: the problem, and of each product [P] the support, in currency, and category."""

    artefact: DemandArtefact
    problem: PricingProblem
    support: np.ndarray
    category_id: pl.Series

    def draws(self, product: int, segment: int) -> Draws | None:
        """The posterior of a segment's sensitivity to a product's category, if the artefact has one."""
        if self.artefact.posterior is None:
            return None
        return posterior_draws(self.artefact, self.category_id[product : product + 1]).of_segment(segment)


def inputs(config: DictConfig) -> list[Path]:
    """What `explain` reads, the price table's files apart."""
    return [Path(config.paths.demand), Path(config.paths.catalog), _version(config) / RUN_RECORD]


def main(config: DictConfig) -> None:
    """Print why one price is what it is: its parts, what is allowed, the runner-up, the demand around it.

    Reads   paths.prices    the published table, or of it the version explain.version; or paths.shards
            paths.demand, paths.catalog, policy     what that version was scored from

    Where the artefact has a posterior, it says how far profit and elasticity may be off. With explain.against=<run>
    it says too what of the price changed since that version, part by part; both versions need score.details=[parts].
    Example: gpu-pricer explain product=1082185 segment=3
    """
    folder = _version(config)
    version, policy = read_version(folder), instantiate(config.policy)
    origin = _priced_from(config, version, policy)
    product = _position(origin.problem.products.product_id, "product", config.product)
    segment = _position(origin.problem.segments.segment_id, "segment", config.segment)
    prices = _category_prices(folder, origin.problem, product, segment)
    row = _row(folder, origin.problem, product, segment)
    parts = {name: float(row[name]) for name in PARTS} if set(PARTS) <= set(row) else None  # type: ignore[arg-type]
    if policy.active_constraints and parts is None:
        raise InputError(
            f"a price under policy.constraints is explained by its parts, found {folder} without: "
            "score with score.details=[parts]"
        )
    category = category_at(origin.problem, product, segment, prices)
    support, ladder = origin.support[product], policy.ladders[origin.problem.limits.ladder[product]]
    draws = origin.draws(product, segment)
    found = explanation(category, product, ladder, (support[0], support[1]), parts, draws)
    title = f"Product {config.product} for segment {config.segment} in {version.run}"
    lines = lines_of(title, found, str(row.get("binding", "unknown (wide layout)")), version.currency)
    if policy.active_constraints:
        lines += ["", *constraint_lines(json.loads((folder / RECORD / CERTIFICATE).read_text()))]
    if config.explain.against is not None:
        lines += ["", *_changes(config, folder, origin.problem, product, segment)]
    print("\n".join(lines))


def _version(config: DictConfig) -> Path:
    """The folder of the version to explain: explain.version, else paths.shards, else the published one."""
    prices = Path(config.paths.prices)
    if config.explain.version is not None:
        return prices / str(config.explain.version)
    if config.paths.shards is not None:
        return Path(config.paths.shards)
    run = current_run(prices)
    if run is None:
        raise InputError(
            f"paths.prices must hold a published version to explain, found none in {prices}: publish one, "
            "or name one with explain.version or paths.shards"
        )
    return prices / run


def _priced_from(config: DictConfig, version: PriceVersion, policy: Policy) -> PricedFrom:
    """InputError unless artefact, catalog and policy are those that the version was scored from."""
    artefact = read_artefact(Path(config.paths.demand))
    catalog = read_catalog(Path(config.paths.catalog), policy.columns)
    origin = {
        "policy": ("policy and its overrides", policy.fingerprint(), version.policy),
        "demand": ("paths.demand", artefact.fingerprint(), version.artefact),
        "catalog": ("paths.catalog", catalog_fingerprint(catalog), version.catalog),
    }
    for name, found, wanted in origin.values():
        if found != wanted:
            raise InputError(
                f"{name} must be what {version.run} was scored from ({wanted}), found another ({found}): "
                "repeat the settings of that run, see run.json of the score job, or score again"
            )
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    support = matched.products.select("min_price", "max_price").to_numpy()
    problem = problem_of(artefact, matched, policy, version.uncertainty)
    return PricedFrom(artefact, problem, support, matched.products["category_id"])


def _position(ids: pl.Series, what: str, wanted: object) -> int:
    """Where an id of the command line is; InputError when it is not there."""
    if wanted is None:
        raise InputError(f"{what} must be an id of the price table, found none: set {what}=ID, such as {what}={ids[0]}")
    where = (ids.cast(pl.String) == str(wanted)).arg_true()
    if not len(where):
        examples = ", ".join(ids.head(3).cast(pl.String))
        raise InputError(f"{what} must be an id of the price table, found {wanted!r}: there are {examples}, ...")
    return int(where[0])


def _category_prices(folder: Path, problem: PricingProblem, product: int, segment: int) -> np.ndarray:
    """The version's prices in cents of all products of the product's category, in their order [n]."""
    index = int(np.searchsorted(problem.products.category_start, product, side="right")) - 1
    ids = problem.products.product_id[problem.product_slice(index, index + 1)]
    cells = scan_cells(folder, problem.segments.segment_id.dtype)
    schema = cells.collect_schema()
    wanted = pl.DataFrame({"product_id": ids.cast(schema["product_id"])})
    mine = cells.filter(pl.col("segment_id") == pl.lit(problem.segments.segment_id[segment], schema["segment_id"]))
    mine = mine.filter(pl.col("product_id").is_in(wanted["product_id"].implode()))
    found = wanted.join(mine.collect(engine="streaming"), on="product_id", how="left", maintain_order="left")
    if found["price"].null_count():
        raise InputError(f"{folder} must price every product of the category, found some missing: score again")
    return (found["price"].cast(pl.Float64) * 100).round().to_numpy()


def _row(folder: Path, problem: PricingProblem, product: int, segment: int) -> dict[str, object]:
    """The price table's row of a cell; empty in the wide layout, which has none."""
    table = scan_prices(folder)
    schema = table.collect_schema()
    if "segment_id" not in schema:
        return {}
    keys = {"product_id": problem.products.product_id[product], "segment_id": problem.segments.segment_id[segment]}
    rows = table.filter(pl.col(name) == pl.lit(value, schema[name]) for name, value in keys.items())
    found = rows.collect(engine="streaming")
    return found.row(0, named=True) if found.height else {}


def _changes(config: DictConfig, folder: Path, problem: PricingProblem, product: int, segment: int) -> list[str]:
    """What changed since the version explain.against."""
    older = Path(config.paths.prices) / str(config.explain.against)
    runs = (read_version(older).run, read_version(folder).run)
    rows = [_row(path, problem, product, segment) for path in (older, folder)]
    for path, row in zip((older, folder), rows, strict=True):
        if not set(PARTS) <= set(row):
            raise InputError(
                f"explain.against needs two versions with the parts of this price, found {path} without: "
                "score with score.details=[parts]"
            )
    before, after = ({name: float(row[name]) for name in (*PARTS, "price")} for row in rows)  # type: ignore[arg-type]
    return change_lines(before, after, (str(rows[0]["binding"]), str(rows[1]["binding"])), runs)
