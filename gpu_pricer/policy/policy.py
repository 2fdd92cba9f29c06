"""A whole pricing policy: one object per file of conf/policy/."""

import hashlib
import json
from dataclasses import asdict, dataclass

from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.objective import Objective


@dataclass(frozen=True)
class Policy:
    """What is maximised, how far prices may go and which prices exist; a null ladder is every whole cent."""

    objective: Objective
    bounds: Bounds
    ladder: Ladder | None

    def __post_init__(self) -> None:
        for name, kind in (("objective", Objective), ("bounds", Bounds)):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"policy.{name} must be a {kind.__name__}, found {getattr(self, name)!r}")
        if self.ladder is not None and not isinstance(self.ladder, Ladder):
            raise ValueError(f"policy.ladder must be a Ladder or null, found {self.ladder!r}")

    @property
    def rungs(self) -> Ladder:
        """The ladder, whole cents where there is none."""
        return self.ladder or Ladder(endings=None, prices=None)

    def fingerprint(self) -> str:
        """A hash of every setting: the same policy has the same one on any machine."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]
