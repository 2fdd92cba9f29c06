"""A whole pricing policy: one object per file of conf/policy/."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpu_pricer.errors import InputError
from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.objective import Objective

WHOLE_CENTS = Ladder(endings=None, prices=None)


@dataclass(frozen=True)
class Policy:
    """What is maximised, how far prices may go and which prices exist; a null ladder is every whole cent.

    category_ladders: other ladders, as endings or prices, by category_id; overrides: a file of prices set by hand.
    """

    objective: Objective
    bounds: Bounds
    ladder: Ladder | None
    category_ladders: dict[str, dict[str, Any]]
    overrides: str | None

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

    @property
    def ladders(self) -> list[Ladder]:
        """The ladder of most products, whole cents where there is none, then those of category_ladders, in order."""
        others = [_ladder_of(category, entry) for category, entry in self.category_ladders.items()]
        return [self.ladder or WHOLE_CENTS, *others]

    @property
    def overrides_file(self) -> Path | None:
        """The file of prices set by hand, if any."""
        return None if self.overrides is None else Path(self.overrides)

    def fingerprint(self) -> str:
        """A hash of every setting, and of the overrides' file: the same policy has the same one on any machine."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode())
        if self.overrides is not None:
            digest.update(_bytes_of(Path(self.overrides)))
        return digest.hexdigest()[:16]


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
