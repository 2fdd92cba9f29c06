"""whatif: changes of a version's policy or catalog -> what its prices would be, for nobody to publish."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from gpu_pricer.errors import Refused
from gpu_pricer.policy import Policy
from gpu_pricer.pricing import Tiling
from gpu_pricer.tables.events import event_files, read_events, updated_catalog
from gpu_pricer.tables.priced_products import read_catalog
from gpu_pricer.tables.published.version_log import find_version
from gpu_pricer.tables.version.code import code_fingerprint
from gpu_pricer.tables.version.names import RUN_RECORD
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.tables.version.whatif_mark import mark_whatif
from gpu_pricer.terminal.printing import print_tables
from gpu_pricer.terminal.whatif_board import board, closing_lines
from gpu_pricer.versions.last_scored import newest_version
from gpu_pricer.versions.priced_catalog import PricedCatalog, warn_of_idle_rules
from gpu_pricer.versions.repriced_version import Base, catalog_of_base
from gpu_pricer.versions.scenarios import Scenario, changed_events, changed_policy, scenarios_of
from gpu_pricer.versions.scored_version import Search, score
from gpu_pricer.versions.version_sources import keep_settings, read_sources

log = logging.getLogger(__name__)

FOLDER = "whatif"
"""In the work folder: what-ifs by their names."""


class Asked(NamedTuple):
    """A scenario with all that its prices are made of, and the folder that they are written into."""

    scenario: Scenario
    policy: Policy
    priced: PricedCatalog
    folder: Path


def inputs(config: DictConfig) -> list[Path]:
    """Return the record of the version that the scenarios change; it names what that was made of."""
    return [_base_folder(config) / RUN_RECORD]


def main(config: DictConfig) -> dict[str, object]:
    """Price what would be under another policy or catalog, and print it beside the version that it changes.

    Reads   paths.prices        the version scored last, published or not, or the one that whatif.base names: its
                                policy, catalog and demand, which count wherever no change is named
            events              changes of costs, prices and products: a table as `reprice` reads it
            paths.catalog       columns that the changed policy reads and the version's did not
    Writes  paths.work/whatif   a folder for each scenario, with a version that `publish` refuses

    A change is any setting of policy, or events=FILE. policy=NAME begins from that preset instead of the version's own
    policy. Several scenarios have names; changes beside them on the command line belong to each. A scenario replaces
    an earlier one of its name.

    Example: gpu-pricer whatif policy.bounds.max_increase=0.03
             gpu-pricer whatif policy.constraints.keep_units=null
             gpu-pricer whatif events=dearer.parquet
             gpu-pricer whatif whatif.scenarios='{tight: ["policy.bounds.max_increase=0.03"], safe: ["policy=safe"]}'
             gpu-pricer whatif whatif.scenarios=scenarios.yaml
    """
    named = config.whatif.scenarios
    named = OmegaConf.to_container(named) if OmegaConf.is_config(named) else named
    scenarios = scenarios_of([*HydraConfig.get().overrides.task], named)
    base, tiling = _base(config), _tiling(instantiate(config.score))
    asked = [_asked(config, base, scenario) for scenario in scenarios]
    refusals: dict[str, str] = {}
    for each in asked:
        log.info("scenario %s: %s", each.scenario.name, ", ".join(each.scenario.changes))
        warn_of_idle_rules(each.priced.catalog, each.policy.bounds)
        try:
            _price(base, each, tiling, config.backend)
        except Refused as error:
            refusals[each.scenario.name] = str(error)
    priced = {each.scenario.name: each.folder for each in asked if each.scenario.name not in refusals}
    print_tables(board(base.folder, priced))
    print("\n".join(closing_lines(base.folder, priced)))
    if refusals:
        raise Refused(*(f"scenario {name}: {reason}" for name, reason in refusals.items()))
    return {"base": str(base.folder), "scenarios": {name: str(folder) for name, folder in priced.items()}}


def _base_folder(config: DictConfig) -> Path:
    prices = Path(config.paths.prices)
    if config.whatif.base is None:
        return newest_version(Path(config.paths.work), prices)
    return find_version(prices, str(config.whatif.base))


def _base(config: DictConfig) -> Base:
    """Return the version that the scenarios change, and what it was priced from."""
    folder = _base_folder(config)
    version = read_version(folder)
    if version.code != code_fingerprint():
        log.warning(
            "%s was priced by another version of gpu_pricer: part of the differences may come from that", version.run
        )
    return Base(folder, version, read_sources(config, folder, version))


def _tiling(tiling: Tiling) -> Tiling:
    """Return how scenarios are written: complete, with units and profit by product."""
    return replace(tiling, layout="long", shards=1, shard=None, leave_one_out=False)


def _asked(config: DictConfig, base: Base, scenario: Scenario) -> Asked:
    """Return what a scenario is priced from; InputError where a change does not fit."""
    policy = changed_policy(base.sources.policy, scenario).on(date.fromisoformat(base.version.day))
    catalog = _with_columns(base, policy, Path(config.paths.catalog))
    files = [file for path in changed_events(scenario) for file in event_files(path)]
    if files:
        catalog = updated_catalog(catalog, read_events(files))
    return Asked(
        scenario, policy, catalog_of_base(base, catalog, policy), Path(config.paths.work) / FOLDER / scenario.name
    )


def _with_columns(base: Base, policy: Policy, path: Path) -> pl.DataFrame:
    """Return the base's catalog, with the columns of the file that only the changed policy reads."""
    catalog = base.sources.catalog
    missing = [name for name in policy.columns if name not in catalog.columns]
    if not missing or not path.is_file():
        return catalog
    found = read_catalog(path, missing)
    names = [name for name in missing if name in found.columns]
    if names:
        log.info("%s is read from %s", ", ".join(names), path)
    return catalog.join(found.select("product_id", *names), on="product_id", how="left", maintain_order="left")


def _price(base: Base, asked: Asked, tiling: Tiling, backend: str) -> None:
    """Price a scenario into its folder; a folder whose prices were not finished is removed."""
    folder = asked.folder
    shutil.rmtree(folder, ignore_errors=True)
    try:
        score(
            base.sources.artefact, asked.priced, asked.policy, tiling, folder, backend,
            Search(None, base.version.uncertainty), _completion(base, asked),
        )  # fmt: skip
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _completion(base: Base, asked: Asked) -> Callable[[PriceVersion], None]:
    def complete(version: PriceVersion) -> None:
        """Complete the scenario's version with its settings and the mark by which `publish` refuses it."""
        keep_settings(asked.folder, version, asked.priced.catalog, asked.policy)
        mark_whatif(asked.folder, base.version.run, asked.scenario.changes)

    return complete
