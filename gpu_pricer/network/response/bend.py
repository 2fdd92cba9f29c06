"""The bend of the market's price response: 0 if utility is linear in the price, 1 if in its log (see price_bend.py).

A mixture of users of different sensitivity looks bent even if every single response is linear, because the buyers left
at high prices are the less sensitive ones. So users are divided into GROUPS by their own slopes, and the bend is
estimated within the groups, as one number for the whole market: by a Poisson regression of a group's purchases of a
product in a period. The regression has fixed effects of group × product and of group × category × period, which absorb
seasons, visits and nests, and takes the effects of promotions and controls as given. Its two coefficients are on

    −b (x − 1)  and  b (x − 1 − ln x),      b: the learned sensitivity of the product times the slope of the group,

and the bend is the second over the first. Errors are clustered by product, because its periods may share shocks (Liang
& Zeger 1986). The bend is 0 unless the estimate lies TOLD standard errors above 0.

Estimates in the market families of the zoo (November 2026): linear demands −.47 to .43 with standard errors of .06 to
.15; demands of constant elasticity or of remembered prices .33 to .73 (.11 to .14). Pooled over users, linear demands
would have .5. On seed 1 three linear demands lie 2.6 to 3.1 standard errors above 0; in 15 runs with seeds 102 to 104
none lies 1.5 above. A threshold of three standard errors would reject two of the three, but also the .33 (.14) of a
market whose bend is 1. The regression ignores the spread of slopes inside a group; with it linear demands have −.63 to
.18, but bends of .70 and .64 become .50 and .43.
"""

import logging

import torch
from torch import Tensor

from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.network.response.fit import Fit
from gpu_pricer.network.response.grid import FLOAT, LARGEST_UTILITY, Grid, UserLog
from gpu_pricer.network.response.threads import threads_of_one

log = logging.getLogger(__name__)

GROUPS = 8  # of users
TOLD = 2.0
STEPS, ROUNDS = 6, 15  # of Newton's method, at most; of levels of products and of categories' periods in turn
SETTLED = 1e-6  # about twice what the last step gained of log likelihood
START = (1.0, 0.0)  # around which both coefficients have a weak prior, of standard deviation 1


def learned_bend(fit: Fit, users: UserLog, slope: Tensor) -> float:
    """Return the bend of users' responses to prices, from 0 to 1, and say in a line of the log how it was found.

    fit: of all users as one segment, without a bend. slope [U]: every user's sensitivity relative to everybody's.
    """
    grid = fit.grid
    group = slope.argsort().argsort() * GROUPS // len(slope)
    size = torch.bincount(group, minlength=GROUPS).clamp(min=1)
    relative = torch.zeros(GROUPS, dtype=FLOAT).index_add(0, group, slope.double()) / size
    bought = users.counts(grid, group[:, None].expand(users.visits.shape), GROUPS).bought
    offset = (grid.context * fit.state.z[:, None, fit.layout.effect]).sum(2) + grid.offset
    own = fit.sensitivity[0][:, None] * relative
    coefficient = torch.tensor(START, dtype=FLOAT)

    def regressed(block: tuple[slice, slice]) -> tuple[Tensor, Tensor]:
        """Return score and information of a block at the coefficients found so far."""
        products, _ = block
        return _regressed(grid.part(*block), bought[products], own[products], offset[products], coefficient)

    with threads_of_one() as run:
        for _ in range(STEPS):
            gradient, information = torch.tensor(START, dtype=FLOAT) - coefficient, torch.eye(2, dtype=FLOAT)
            spread = torch.zeros(2, 2, dtype=FLOAT)
            for score, told in run(regressed, grid.blocks()):
                gradient, information, spread = gradient + score.sum(0), information + told, spread + score.T @ score
            inverse = torch.linalg.inv(information)
            step = inverse @ gradient
            coefficient = coefficient + step
            if step @ gradient < SETTLED:
                break
    even, curved = coefficient.tolist()
    bend, error = curved / even, float((inverse @ spread @ inverse)[1, 1].sqrt()) / abs(even)
    kept = min(bend, 1.0) if even > 0 and bend > TOLD * error else 0.0
    log.info(
        "bend of the price response (0: linear in the price, 1: in its log): %.2f ± %.2f, taken as %.2f",
        bend,
        error,
        kept,
    )
    return kept


def _regressed(
    grid: Grid, bought: Tensor, sensitivity: Tensor, offset: Tensor, coefficient: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the score of each product of a block [n, 2], and the information [2, 2], beside all levels.

    bought [n, K, W]; sensitivity [n, K]; offset [n, W].
    """
    falls, bends = -grid.move, grid.move - bent(grid.move, 1.0)
    columns = torch.stack([sensitivity[:, :, None] * values[:, None] for values in (falls, bends)])
    utility = torch.einsum("c,cnkw->nkw", coefficient, columns) + offset[:, None]
    expected = utility.clamp(max=LARGEST_UTILITY).exp() * grid.on_shelf[:, None]
    of_products, of_periods = bought.sum(2, keepdim=True), grid.sum_by_category(bought)
    for _ in range(ROUNDS):
        expected = expected * (of_periods / grid.sum_by_category(expected).clamp(min=1e-300))[grid.category]
        expected = expected * (of_products / expected.sum(2, keepdim=True).clamp(min=1e-300))
    left = torch.stack([_beside_levels(grid, column, expected) for column in columns])
    score = torch.einsum("cnkw,nkw->nc", left, bought - expected)
    return score, torch.einsum("cnkw,dnkw,nkw->cd", left, left, expected)


def _beside_levels(grid: Grid, column: Tensor, expected: Tensor) -> Tensor:
    """Return a column [n, K, W] less its means by product and by period of a category, weighted by the expected."""
    of_products = expected.sum(2, keepdim=True).clamp(min=1e-300)
    of_periods = grid.sum_by_category(expected).clamp(min=1e-300)
    for _ in range(ROUNDS):
        column = column - (expected * column).sum(2, keepdim=True) / of_products
        column = column - (grid.sum_by_category(expected * column) / of_periods)[grid.category]
    return column
