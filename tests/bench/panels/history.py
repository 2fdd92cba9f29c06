"""What a household's earlier choices tell: the same for every rival, and never of the choice itself."""

from dataclasses import dataclass

import numpy as np

from tests.bench.panels.panel import TRAINING, Panel

PRIOR_CHOICES = 2.0  # choices by which a household's frequencies are shrunk towards the products' shares


@dataclass(frozen=True)
class History:
    """The past of N choices among J products, strictly before each choice's period.

    log_frequency [N, J]: log of the household's share of choices, shrunk towards the training choices' shares.
    since [N, J]: choices since the household last chose the product, and age [N, J]: periods since, NaN if never.
    is_last [N, J]: 1 for the product chosen last. count [N]: the household's earlier choices.
    """

    log_frequency: np.ndarray
    since: np.ndarray
    age: np.ndarray
    is_last: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, panel: Panel) -> "History":
        """Return the histories of all choices of a panel."""
        number = choice_number(panel.user)
        before = _counts_before(panel, number)
        last_number, last_period = _last_before(panel, number)
        shrunk = before + PRIOR_CHOICES * training_shares(panel)
        return cls(
            log_frequency=np.log(shrunk / shrunk.sum(axis=1, keepdims=True)),
            since=number[:, None] - last_number,
            age=panel.period[:, None] - last_period,
            is_last=(number[:, None] - last_number == 1).astype(np.float64),
            count=number.astype(np.float64),
        )


def choice_number(user: np.ndarray) -> np.ndarray:
    """Return how many rows of the same user precede each row, [N]; rows are sorted by user."""
    start = np.flatnonzero(np.diff(user, prepend=user[0] - 1))
    return np.arange(len(user)) - np.repeat(start, np.diff(start, append=len(user)))


def training_shares(panel: Panel) -> np.ndarray:
    """Return the products' shares of the training choices, [J]; one choice more of each keeps them above 0."""
    counts = np.bincount(panel.chosen[panel.stage == TRAINING], minlength=len(panel.products)) + 1.0
    return counts / counts.sum()


def loyalty(panel: Panel, smoothing: float) -> np.ndarray:
    """Return the exponentially smoothed shares of the household's earlier choices, [N, J] (Guadagni & Little 1983).

    smoothing: the weight of the past, between 0 and 1; a household starts with the training choices' shares.
    """
    number, own = choice_number(panel.user), one_hot(panel)
    smoothed = np.tile(training_shares(panel), (len(own), 1))
    for step in range(1, int(number.max()) + 1):
        now = np.flatnonzero(number == step)
        smoothed[now] = smoothing * smoothed[now - 1] + (1 - smoothing) * own[now - 1]
    return smoothed


def one_hot(panel: Panel) -> np.ndarray:
    """Return 1 for the chosen product, [N, J]."""
    return np.eye(len(panel.products))[panel.chosen]


def _counts_before(panel: Panel, number: np.ndarray) -> np.ndarray:
    """Return how often the household chose each product before, [N, J]."""
    total = np.vstack([np.zeros(len(panel.products)), np.cumsum(one_hot(panel), axis=0)])
    rows = np.arange(len(number))
    return total[rows] - total[rows - number]


def _last_before(panel: Panel, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return number and period of the household's last earlier choice of each product, [N, J] each; NaN if none."""
    last_number = np.full((len(number), len(panel.products)), np.nan)
    last_period = last_number.copy()
    for step in range(1, int(number.max()) + 1):
        now = np.flatnonzero(number == step)
        before = now - 1
        last_number[now], last_period[now] = last_number[before], last_period[before]
        last_number[now, panel.chosen[before]] = number[before]
        last_period[now, panel.chosen[before]] = panel.period[before]
    return last_number, last_period
