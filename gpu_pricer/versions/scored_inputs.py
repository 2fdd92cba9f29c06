"""The files that a version is priced from, read whole or as the part of one shard."""

import functools
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy import Policy
from gpu_pricer.process.run_record import fingerprints
from gpu_pricer.tables.artefact import DemandArtefact, read_artefact
from gpu_pricer.tables.canonical import read_summary
from gpu_pricer.tables.priced_products import catalog_fingerprint
from gpu_pricer.tables.schemas import category_key
from gpu_pricer.tables.vat import require_vat_told
from gpu_pricer.versions.priced_catalog import PricedCatalog, ShardPart, read_priced_catalog


@dataclass(frozen=True)
class ScoredInputs:
    """A demand artefact and a catalog, for a policy whose prices are set on a day.

    prices: the published table, for rules that count days; price_includes_vat: as configured, null for not told.
    """

    demand: Path
    catalog: Path
    prices: Path
    policy: Policy
    day: date
    price_includes_vat: bool | None

    @functools.cached_property
    def files(self) -> dict[str, str]:
        """The SHA-256 of every file of the artefact and the catalog by path, when it was first asked for."""
        return self._files_now()

    def read_catalog(self, part: ShardPart | None = None) -> PricedCatalog:
        """Return the catalog, the products of a shard alone if its part is given."""
        where = None
        if part is not None:
            first, last = map(pl.lit, part.categories)
            where = category_key().is_between(first, last)
        priced = read_priced_catalog(self.catalog, self.policy, self.prices, self.day, where)
        require_vat_told(priced.catalog, self.catalog, self.price_includes_vat)
        return priced._replace(part=part)

    def read_whole_catalog(self, fingerprint: str) -> pl.DataFrame:
        """Return the whole catalog; raise InputError unless it has the fingerprint."""
        catalog = self.read_catalog().catalog
        found = catalog_fingerprint(catalog)
        if found != fingerprint:
            raise InputError(
                f"{self.catalog} must stay as it is while it is priced ({fingerprint}), found another catalog "
                f"({found}): score again"
            )
        return catalog

    def read_demand(self, part: ShardPart | None = None) -> DemandArtefact:
        """Return the artefact, with the products that a shard needs alone if its part is given.

        Raise InputError for an artefact of another currency, and if a file has changed since the part was found.
        """
        artefact = read_artefact(self.demand, slice(None) if part is None else slice(*part.demand_rows))
        self._require_currency_of(artefact)
        if part is not None:
            self.require_unchanged()
        return artefact

    def _require_currency_of(self, artefact: DemandArtefact) -> None:
        """Raise InputError where `prepare`, which wrote the catalog, says another currency than the artefact."""
        prepared = (read_summary(self.catalog.parent) or {}).get("currency")
        if prepared not in (None, artefact.info.currency):
            raise InputError(
                f"{self.demand} must be of the catalog's currency {prepared}, found {artefact.info.currency}: "
                "run `gpu-pricer train` again"
            )

    def require_unchanged(self) -> None:
        """Raise InputError unless the files are still those of `files`."""
        now = self._files_now()
        changed = sorted(path for path in {*self.files, *now} if self.files.get(path) != now.get(path))
        if changed:
            raise InputError(f"{changed[0]} must stay as it is while it is priced, found it changed: score again")

    def _files_now(self) -> dict[str, str]:
        return fingerprints([self.demand, self.catalog])
