"""How much purchases of a user vary by chance, relative to independent counts.

Who buys milk every week spreads purchases over the weeks more evenly than chance would; who stocks up buys in bunches.
So scores of users vary less or more than their information says. They are those of a quasi-likelihood, in which both
are divided by the dispersion (McCullagh & Nelder 1989). On the grocery benchmark it is .64 (November 2026).
"""

import logging

from torch import Tensor

log = logging.getLogger(__name__)

LEAST, MOST = 0.25, 4.0
LEAST_INFORMATION = 1e-9


def dispersion_of(score: Tensor, information: Tensor) -> float:
    """Return the variance that chance gives to scores over their information, and say it in a line of the log.

    score, information [K, U, H]: of U users and H groups of categories in K folds of the periods. With τ² the variance
    of users' responses, a score has the variance dispersion · I + τ² I², and those of a user in two folds a and b have
    the covariance τ² I_a I_b. It is 1 where a single fold does not tell one from the other, or prices never moved.
    """
    if len(score) == 1 or not information.any():
        return 1.0
    within = [float(values.flatten().dot(values.flatten())) for values in (score, information)]
    whole = [float(values.sum(0).square().sum()) for values in (score, information)]
    variance = max((whole[0] - within[0]) / max(whole[1] - within[1], LEAST_INFORMATION), 0.0)
    by_chance = within[0] - variance * within[1]
    found = min(max(by_chance / float(information.sum()), LEAST), MOST)
    log.info("users' purchases vary %.2f times as much as chance would let them", found)
    return found
