"""Why a price is what it is.

`derivation` computes the parts of one published price again, `text` prints them, and `limit_text` prints what the
limits on the assortment add to the cost.
"""

from gpu_pricer.explain.derivation import Explanation, PriceOutcome, best_other_price, category_at, explain_price
from gpu_pricer.explain.limit_effects import limit_effects
from gpu_pricer.explain.limit_text import limit_lines
from gpu_pricer.explain.text import change_lines, explanation_lines

__all__ = [
    "Explanation",
    "PriceOutcome",
    "best_other_price",
    "category_at",
    "change_lines",
    "explain_price",
    "explanation_lines",
    "limit_effects",
    "limit_lines",
]
