"""One scored version of the price table: what it was scored from and how, and the sums over its files."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from gpu_pricer.tables.version.tally import Moves, Tally

CONTRACT = "1.2"
"""The version of the price table's contract (tables.price_contract) that a table written now keeps."""
FILE_METADATA = (
    "run",
    "layout",
    "currency",
    "valid_from",
    "artefact",
    "policy",
    "catalog",
    "uncertainty",
    "contract",
)
"""The keys of the metadata of every file."""


@dataclass(frozen=True)
class PriceVersion:
    """What was scored, from what and how; the shards of one version differ only in files and tally.

    run: the id. created, day, valid_from: ISO time of scoring, the day on which the prices were set, and the first day
    of the demand that they are for. artefact, policy, catalog:
    fingerprints of the sources; code, warm_start: those of the program and of the multipliers that the search began
    with, "" for none. layout, details, backend, uncertainty: as configured or chosen. includes_vat: whether prices
    include VAT, so that profit is after it. segments, shards, unpriced:
    numbers of segments, of shards, and of products without a price. contract: the version of the table's contract, ""
    for a version from before there was one. files: names. origins: the run that wrote each
    file; one that is not `run` was carried over. file_tallies: the sums over each file, and tally over all of them.
    """

    run: str
    created: str
    day: str
    layout: str
    currency: str
    valid_from: str
    artefact: str
    policy: str
    catalog: str
    code: str
    warm_start: str
    details: list[str]
    backend: str
    uncertainty: str
    contract: str
    includes_vat: bool
    segments: int
    shards: int
    unpriced: int
    files: list[str]
    origins: list[str]
    file_tallies: list[Tally]
    tally: Tally

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata that every file of the version carries."""
        return {name: getattr(self, name) for name in FILE_METADATA if name != "contract" or self.contract}

    @property
    def common(self) -> dict[str, object]:
        """What all shards of one version have in common."""
        names = ("segments", "details", "code", "warm_start")
        return {**self.metadata, **{name: getattr(self, name) for name in names}}

    def with_files(
        self, tallies: Mapping[str, Tally], origins: Mapping[str, str] = MappingProxyType({})
    ) -> "PriceVersion":
        """Return the version with these files and their sums, by name; origins: the runs of those carried over."""
        return replace(
            self,
            files=[*tallies],
            origins=[origins.get(name, self.run) for name in tallies],
            file_tallies=[*tallies.values()],
            tally=Tally.sum(tallies.values()),
        )

    @property
    def moves(self) -> Moves:
        """What becomes of the prices of products on the shelf, which alone anybody sees."""
        shown, tally = self.tally.on_shelf * self.segments, self.tally
        moved, raised = tally.moved_on_shelf, tally.raised_on_shelf
        return Moves(shown, raised, moved - raised, shown - moved, tally.held_on_shelf)

    @property
    def profit_name(self) -> str:
        """What the version's profit is called."""
        return f"profit{self.after_vat}"

    @property
    def after_vat(self) -> str:
        """What follows the word profit or revenue where they are after VAT, else nothing."""
        return " after VAT" if self.includes_vat else ""

    @property
    def tallies(self) -> dict[str, Tally]:
        """The sums over each file by its name; empty for a version that was written before they were recorded."""
        return dict(zip(self.files, self.file_tallies, strict=False))

    def metadata_of(self, name: str) -> dict[str, str]:
        """The metadata that a file carries: a carried one has those of the run that wrote it, from another catalog.

        Of a carried file the contract may also be an earlier one.
        """
        origin = self.origins[self.files.index(name)]
        if origin == self.run:
            return self.metadata
        shared = {key: value for key, value in self.metadata.items() if key not in ("catalog", "contract")}
        return shared | {"run": origin}

    def totals(self) -> dict[str, object]:
        """Return the tally as shares and means, and units and profit at today's and the new prices."""
        tally, rows = self.tally, self.tally.rows or 1
        return {
            "share_moved": tally.moved / rows,
            "mean_move": tally.move / rows,
            "mean_absolute_move": tally.absolute_move / rows,
            "share_without_rung": tally.no_rung / (tally.on_shelf or 1),
            "profit_per_period": {"today": tally.profit_today, "new": tally.profit_new},
            "price_index": tally.price_index,
            "units_per_period": {"today": tally.units_today, "new": tally.units_new},
        }
