"""Why a price is what it is, and whether groups of users pay differently.

`derivation` works one published price out again, `text` prints it, `fairness` audits a version.
"""

from gpu_pricer.explain.derivation import Explanation, category_at, explanation
from gpu_pricer.explain.fairness import Fairness
from gpu_pricer.explain.text import change_lines, constraint_lines, lines_of

__all__ = [
    "Explanation",
    "Fairness",
    "category_at",
    "change_lines",
    "constraint_lines",
    "explanation",
    "lines_of",
]
