"""The outcome of one gate for one version: what was found, what the limit is, and what to do where it is not kept."""

from dataclasses import dataclass
from pathlib import Path

APPROVAL = "approval"
"""The gate whose setting is no limit in publish.gates but publish.approval."""


@dataclass(frozen=True)
class Outcome:
    """One gate's outcome.

    gate: its name in publish.gates. rule: what must hold. found, limit: the number, or the text, of the version and of
    the gate. is_passed: whether the rule holds. detail: what else to know of what was found. remedy: what to do. cell:
    the price that a gate on single prices found, "" for other gates.
    """

    gate: str
    rule: str
    found: float | str
    limit: float | str
    is_passed: bool
    detail: str
    remedy: str
    cell: str = ""

    @property
    def setting(self) -> str:
        """The key of the gate in the configuration."""
        return "publish.approval" if self.gate == APPROVAL else f"publish.gates.{self.gate}"

    def refusal(self, folder: Path) -> str:
        """Return the line that refuses the version in a folder because of this gate."""
        found = self.found if isinstance(self.found, str) else f"{self.found:.4f}"
        return (
            f"{self.rule}, found {found}{self.detail} ({self.setting}): {self.remedy}, or accept this "
            f"version once with paths.shards={folder} publish.accept=[{self.gate}] publish.reason=WHY"
        )

    def preview(self) -> str:
        """Return the line of a dry run on this gate."""
        found, limit = (value if isinstance(value, str) else f"{value:.4g}" for value in (self.found, self.limit))
        cell = f" ({self.cell})" if self.cell else ""
        return f"  {self.gate}: found {found}{cell}, limit {limit}{'' if self.is_passed else ', accepted'}"


def limited(gate: str, what: str, found: float, limit: float, remedy: str, detail: str = "") -> Outcome:
    """Return the outcome of a gate on a number that must not exceed a limit."""
    rule = f"the {what} must be at most {limit:g}"
    return Outcome(gate, rule, found, limit, found <= limit, detail, remedy)


def unknown(gate: str, what: str, limit: float | str, missing: str) -> Outcome:
    """Return the outcome of a gate on what the version's record does not tell, which does not pass."""
    return Outcome(gate, f"the {what} must be known", f"no {missing}", limit, False, "", "score again")
