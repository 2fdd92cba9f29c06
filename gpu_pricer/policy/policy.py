"""A whole pricing policy: one object per file of conf/policy/."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.constraint import Constraint, columns_read
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.objective import Objective
from gpu_pricer.policy.overrides import overrides_on

ON_INFEASIBLE = ("relax", "refuse")
WHOLE_CENTS = Ladder(endings=None, prices=None)


@dataclass(frozen=True)
class Policy:
    """The objective of prices, how far prices may go, and which prices exist.

    objective: what the prices maximise.
    bounds: how far a price may go.
    ladder: the prices that exist; null: every whole cent.
    category_ladders: other ladders, as endings or prices, by category_id.
    overrides: a file of prices set by hand, a folder of such files by day (see `on`), or null.
    constraints: the settings of a Constraint by name; null switches one off.
    on_infeasible: relax the constraints that cannot be met together, or refuse the run.
    """

    objective: Objective
    bounds: Bounds
    ladder: Ladder | None
    category_ladders: dict[str, dict[str, Any]]
    overrides: str | None
    constraints: dict[str, dict[str, Any]]
    on_infeasible: str

    def __post_init__(self) -> None:
        for name, kind in (("objective", Objective), ("bounds", Bounds)):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"policy.{name} must be a {kind.__name__}, found {getattr(self, name)!r}")
        if self.ladder is not None and not isinstance(self.ladder, Ladder):
            raise ValueError(f"policy.ladder must be a Ladder or null, found {self.ladder!r}")
        if not isinstance(self.category_ladders, dict):
            raise ValueError(f"policy.category_ladders must be a mapping, found {self.category_ladders!r}")
        for category, entry in self.category_ladders.items():
            _ladder_of(category, entry)
        if self.overrides is not None and not (isinstance(self.overrides, str) and self.overrides):
            raise ValueError(f"policy.overrides must be a file or null, found {self.overrides!r}")
        if self.on_infeasible not in ON_INFEASIBLE:
            raise ValueError(f"policy.on_infeasible must be relax or refuse, found {self.on_infeasible!r}")
        self._check_constraints()

    def _check_constraints(self) -> None:
        """Raise ValueError for invalid constraints, and for constraints together with rules that couple cells."""
        if not isinstance(self.constraints, dict):
            raise ValueError(f"policy.constraints must be a mapping, found {self.constraints!r}")
        if self.active_constraints and self.bounds.max_changes is not None:
            raise ValueError(
                "policy.constraints cannot stand beside bounds.max_changes: set it to null, or policy=profit"
            )

    @property
    def active_constraints(self) -> dict[str, Constraint]:
        """The constraints by name, without those that an experiment sets to null."""
        return {name: _constraint_of(name, entry) for name, entry in self.constraints.items() if entry is not None}

    @property
    def coupling_rules(self) -> list[str]:
        """The bounds in force that couple segments or categories, so that Lagrangian prices are not exact beside them.

        Lagrangian prices are exact because, given the multipliers, every category of every segment is priced alone.
        A segment ratio couples the segments of a product. Given the multipliers its ranges are searched again; the
        search is local, and the dual bound holds for prices without the ratio, so the gap contains what the ratio
        costs. A budget of changes couples all cells, and constraints are refused beside it. As one more multiplier, on
        every price that moves, the budget would need kernels that compare moving with staying; with moves chosen
        before, the dual bound would only hold for prices with those moves.
        """
        return [name for name in ("max_changes", "max_segment_ratio") if getattr(self.bounds, name) is not None]

    @property
    def whole_catalog_rules(self) -> list[str]:
        """The settings in force that are checked against, or read, all categories at once.

        Without any of them a category has the same prices whatever others are priced beside it.
        """
        settings = {
            "constraints": self.active_constraints,
            "category_ladders": self.category_ladders,
            "overrides": self.overrides,
            "bounds.max_changes": self.bounds.max_changes is not None,
            "bounds.family_column": self.bounds.family_column,
            "days of bounds": self.bounds.days_needed is not None,
        }
        return [name for name, value in settings.items() if value]

    @property
    def columns(self) -> list[str]:
        """The columns of the catalog or of the segments that rules and constraints read, sorted."""
        return sorted({*self.bounds.columns, *columns_read(self.active_constraints)})

    @property
    def ladders(self) -> list[Ladder]:
        """The ladders that products use: first the general one, then those of category_ladders in their order."""
        others = [_ladder_of(category, entry) for category, entry in self.category_ladders.items()]
        return [self.ladder or WHOLE_CENTS, *others]

    @property
    def overrides_file(self) -> Path | None:
        """The file of prices set by hand, if any."""
        return None if self.overrides is None else Path(self.overrides)

    def on(self, day: date) -> "Policy":
        """Return the policy for prices that are set on a day: of a folder of overrides, the file that holds then."""
        path = None if self.overrides is None else overrides_on(Path(self.overrides), day)
        return replace(self, overrides=None if path is None else str(path))

    def of_categories(self, category_id: pl.Series) -> "Policy":
        """Return the policy of a part of a catalog that has these categories; ladders of others would be refused."""
        present = {*category_id}
        ladders = {name: ladder for name, ladder in self.category_ladders.items() if name in present}
        return replace(self, category_ladders=ladders)

    def fingerprint(self) -> str:
        """Return a hash of every setting and of the overrides' file; equal policies hash alike on any machine.

        The content of that file counts, and not where it lies.
        """
        settings = asdict(self) | {"overrides": self.overrides and Path(self.overrides).suffix}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        if self.overrides is not None:
            digest.update(_bytes_of(Path(self.overrides)))
        return digest.hexdigest()[:16]


def _constraint_of(name: str, entry: object) -> Constraint:
    if not isinstance(entry, dict):
        raise ValueError(f"policy.constraints.{name} must be a mapping or null, found {entry!r}")
    known = [field.name for field in fields(Constraint)]
    unknown = sorted(set(entry) - set(known))
    if unknown or "measure" not in entry:
        found = ", ".join(unknown) if unknown else "no measure"
        raise ValueError(
            f"policy.constraints.{name} must have a measure and none but {', '.join(known)}, found {found}"
        )
    try:
        return Constraint(**entry)
    except ValueError as error:
        raise ValueError(f"policy.constraints.{name}: {error}") from error


def _ladder_of(category: str, entry: object) -> Ladder:
    names = {"endings", "prices"}
    if not isinstance(entry, dict) or not entry or set(entry) - names:
        raise ValueError(f"policy.category_ladders.{category} must hold endings or prices, found {entry!r}")
    try:
        return Ladder(**{name: entry.get(name) for name in names})
    except ValueError as error:
        raise ValueError(f"policy.category_ladders.{category}: {error}") from error


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"policy.overrides must be a file, found none at {path}: mend the path or set it to null")
    return path.read_bytes()
