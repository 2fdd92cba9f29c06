"""The gates that a scored version must pass before it replaces the published one.

`settings` has the limits; `judging` measures a version against all of them; the outcomes become part of its record.
`fairness` audits the prices of a version as it is scored; the gate `audit` reads what it found.
"""

from gpu_pricer.gates.approval import Approval, approval_outcome, has_earlier_decisions, told_of
from gpu_pricer.gates.evidence import Evidence, known_metrics
from gpu_pricer.gates.judging import judge_version
from gpu_pricer.gates.outcome import Outcome
from gpu_pricer.gates.record import keep_outcomes, last_gates, publisher
from gpu_pricer.gates.settings import GATES, Gates

__all__ = [
    "GATES",
    "Approval",
    "Evidence",
    "Gates",
    "Outcome",
    "approval_outcome",
    "has_earlier_decisions",
    "judge_version",
    "keep_outcomes",
    "known_metrics",
    "last_gates",
    "publisher",
    "told_of",
]
