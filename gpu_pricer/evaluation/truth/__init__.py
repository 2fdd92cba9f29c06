"""Learned demand and prices against a known truth: the block truth of metrics.json.

`reference_prices` makes the price lists to compare with; `log_log` and `true_types` are further references.
"""

from gpu_pricer.evaluation.truth.under_truth import Learned, evaluate_under_truth

__all__ = ["Learned", "evaluate_under_truth"]
