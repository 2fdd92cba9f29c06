"""Metrics of repeated runs: their means, and their spread between seeds."""

from collections.abc import Callable

import numpy as np


def repeated_metrics(folds: dict[str, list[dict]]) -> dict[str, dict]:
    """Return the mean and the spread of every number in the runs' metrics: over all folds, and under folds per fold.

    The spread of a fold is the standard deviation between its seeds. The spread over all folds is the root mean square
    of the folds' spreads, so differences between folds do not enter. A number that one run lacks is null; intervals
    and names are left out.
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
    """Return one tree: every number of the trees, combined by the statistic; None where a tree lacks the number."""
    combined: dict = {}
    for name in dict.fromkeys(key for tree in trees for key in tree):
        values = [tree.get(name) for tree in trees]
        branches = [value for value in values if isinstance(value, dict)]
        if branches:
            combined[name] = _combined([value if isinstance(value, dict) else {} for value in values], statistic)
        elif not any(isinstance(value, list | str) for value in values):
            known = [float(value) for value in values if value is not None]
            combined[name] = statistic(known) if len(known) == len(values) else None
    return combined


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _deviation(values: list[float]) -> float | None:
    """Return the standard deviation, or None for a single run."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _root_mean_square(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
