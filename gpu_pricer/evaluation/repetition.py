"""Metrics of repeated runs: what they are on average, and how far a seed moves them."""

from collections.abc import Callable

import numpy as np


def repeated_metrics(folds: dict[str, list[dict]]) -> dict[str, dict]:
    """mean and spread of every number in the metrics of the folds' runs, over all and, under folds, of each.

    spread is the standard deviation between the seeds of a fold; over all folds it is their root mean square, so
    that the folds' own difference is no part of it. A number that a run lacks is null; intervals are left out.
    """
    means = {name: _combined(runs, _mean) for name, runs in folds.items()}
    spreads = {name: _combined(runs, _deviation) for name, runs in folds.items()}
    return {
        "mean": _combined([*means.values()], _mean),
        "spread": _combined([*spreads.values()], _root_mean_square),
        "folds": {
            name: {"runs": len(runs), "mean": means[name], "spread": spreads[name]} for name, runs in folds.items()
        },
    }


def _combined(trees: list[dict], statistic: Callable[[list[float]], float | None]) -> dict:
    """One tree of the numbers that all trees could hold, each combined."""
    combined: dict = {}
    for name in dict.fromkeys(key for tree in trees for key in tree):
        values = [tree.get(name) for tree in trees]
        branches = [value for value in values if isinstance(value, dict)]
        if branches:
            combined[name] = _combined([value if isinstance(value, dict) else {} for value in values], statistic)
        elif not any(isinstance(value, list) for value in values):
            known = [float(value) for value in values if value is not None]
            combined[name] = statistic(known) if len(known) == len(values) else None
    return combined


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _deviation(values: list[float]) -> float | None:
    """None for a single run, which tells nothing of spread."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _root_mean_square(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
