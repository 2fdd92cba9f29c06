"""How much purchases of a user vary by chance, relative to independent counts.

Scores take purchases for Poisson counts, or for choices at the user's mean rates. Who buys milk every week can hardly
buy it more often: bought with probability p, it varies by p (1 − p) and answers prices by as much, which is less than
its information says. A score varies by chance as much as its information (Bartlett's second identity), so that the
information is to be multiplied by the dispersion. It is .64 on the grocery benchmark, .90 on all of Complete Journey
(November 2026).
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
