"""What users' purchases say of their price response, by a conditional logit (Chamberlain 1980).

The likelihood is conditional on how often a user bought each product in a part of the periods: only the choice of the
periods within the part shows the response. So tastes are not taken for sensitivity, nor is a part with low prices in
which a user happens to buy more. A product that was not bought in a part tells nothing there, and time grows with the
purchases.

Who buys milk every week can hardly buy it more often: a purchase of probability p has variance and price response in
proportion to p (1 − p), and the products of a category are substitutes. Independent counts with the same means would
have a larger variance, so that fewer differences between users would be distinguishable from chance.

Compiled loops over users, which leave out periods without visits, take half the time of tensor operations, which make
arrays of pairs × periods (Complete Journey, one core, December 2026).
"""

from dataclasses import dataclass

import numba
import numpy as np
import torch
from torch import Tensor

import kernels  # noqa: F401  numba keeps the processor's features of the first function, which are for kernels to choose
from gpu_pricer.network.response.grid.grid import UserLog

ROUNDS = 50  # at most, of proportional fitting (Deming & Stephan 1940), which finds a user's own rates
SETTLED = 1e-4  # relative difference of the expected choices of a product from the user's
LEAST = 1e-30  # expected choices, and weight of all that can be chosen
ROUNDING = 1e-12  # a smaller probability of choosing anything else is none
AT_ONCE = 100_000  # choices, about: a signal waits until these are done


@dataclass(frozen=True)
class BlockDemand:
    """Everybody's demand for a block of k products, in order of their categories.

    category [k]: of the products, numbers from 0. share, slope [k, W]: choice probabilities, and the derivatives of
    utility in φ, where a sensitivity is 1 + φ times everybody's.
    """

    category: Tensor
    share: Tensor
    slope: Tensor

    def sums(self, log: UserLog, rows: Tensor, first: int, visits: Tensor, inside: Tensor) -> Tensor:
        """Return score and information, float64 [2, J, G, U], of the G categories in J parts of the periods.

        rows [n]: of the log, sorted by product, which hold all choices of the block's products. first: the number of
        the first product there. visits [U, W]: of the users. inside [J, W]: which periods are in each part.
        """
        rows = rows[torch.argsort(log.user[rows], stable=True)]
        user, product, period = (values[rows].long() for values in (log.user, log.product, log.column))
        choices = _arrays(user, product - first, period, log.count[rows].double())
        demand, start = _arrays(self.category, self.share, self.slope), 0
        sums = torch.zeros(2, len(inside), int(self.category[-1]) + 1, len(visits), dtype=torch.float64)
        while start < len(user):
            until = user[min(start + AT_ONCE, len(user)) - 1]  # the user with whom these choices end
            stop = int(torch.searchsorted(user, until, right=True))
            _sum_up(tuple(values[start:stop] for values in choices), demand, *_arrays(visits, inside, sums))
            start = stop
        return sums


def _arrays(*tensors: Tensor) -> tuple[np.ndarray, ...]:
    return tuple(values.numpy() for values in tensors)


@numba.njit(nogil=True, cache=True)
def _sum_up(choices, demand, visits, inside, sums):  # type: ignore[no-untyped-def]
    """Set the sums [2, J, G, U].

    choices: user, product, period and count [n], sorted by user and then by product. demand: as in BlockDemand.
    """
    user, product, period, count = choices
    category, share, slope = demand
    start = 0
    while start < len(user):
        stop, products = start + 1, 1
        while stop < len(user) and user[stop] == user[start] and category[product[stop]] == category[product[start]]:
            products += 1 if product[stop] != product[stop - 1] else 0
            stop += 1
        bought, number, steep = np.empty(products, np.int64), np.empty(products), np.empty(products)
        here = slice(start, stop)
        for part in range(len(inside)):
            kept = _purchases(product[here], period[here], count[here], slope, inside[part], bought, number, steep)
            if kept:
                came = visits[user[start]]
                periods = np.flatnonzero(inside[part] & (came > 0))
                found = score_purchases(bought[:kept], number[:kept], steep[:kept], share, slope, came, periods)
                sums[0, part, category[product[start]], user[start]] = found[0]
                sums[1, part, category[product[start]], user[start]] = found[1]
        start = stop


@numba.njit(nogil=True, cache=True)
def _purchases(product, period, count, slope, is_inside, bought, number, steep):  # type: ignore[no-untyped-def]
    """Set which products were bought in the periods inside [W], how often, and the sums of their slopes; return k."""
    kept = -1
    for choice in range(len(product)):
        if is_inside[period[choice]]:
            if kept < 0 or bought[kept] != product[choice]:
                kept += 1
                bought[kept], number[kept], steep[kept] = product[choice], 0.0, 0.0
            number[kept] += count[choice]
            steep[kept] += count[choice] * slope[product[choice], period[choice]]
    return kept + 1


@numba.njit(nogil=True, cache=True)
def score_purchases(bought, number, steep, share, slope, visits, periods):  # type: ignore[no-untyped-def]
    """Return score and information of one user's purchases of a category.

    bought [k]: the products that the user bought, number [k] how often, and steep [k] the sums of their slopes in these
    choices. share, slope [products, W]: as in BlockDemand. visits [W]: the user's; periods [t]: those with visits.
    Both are 0 where the products were on no shelf when the user came.

    Choices expected from rates that are fitted to the user's own purchases would overstate the response. So choice
    probabilities are raised to the power m / (m − 1), with m occasions: the expected choices are then about those given
    the sums. For two occasions they are exact: the odds that a purchase was on the first are the ratio of the two
    probabilities, of which fitted rates alone would give the square root. The information is multiplied by m / (m − 1).
    """
    occasions = visits[periods].sum()
    power = occasions / max(occasions - 1, 1)
    expected = _expected_choices(bought, number, share, visits, periods, power)
    score, information = 0.0, 0.0
    apart, together = np.empty((len(bought), len(periods))), np.zeros(len(periods))
    for i in range(len(bought)):
        all_choices, all_steep, all_moved, all_moved_steep = 0.0, 0.0, 0.0, 0.0
        for t in range(len(periods)):
            here, steepness = expected[i, t], slope[bought[i], periods[t]]
            moved = here * max(1 - here / visits[periods[t]], 0)  # if the product's rate moves
            all_choices += here
            all_steep += here * steepness
            all_moved += moved
            all_moved_steep += moved * steepness
        if all_choices > 0:
            score += steep[i] - all_steep / all_choices * number[i]
        for t in range(len(periods)):
            apart[i, t] = slope[bought[i], periods[t]] - all_moved_steep / max(all_moved, LEAST)
            together[t] += expected[i, t] / visits[periods[t]] * apart[i, t]
    for i in range(len(bought)):
        for t in range(len(periods)):
            information += expected[i, t] * apart[i, t] * (apart[i, t] - together[t])
    return score, power * information


@numba.njit(nogil=True, cache=True)
def _expected_choices(bought, number, share, visits, periods, power):  # type: ignore[no-untyped-def]
    """Return the choices [k, t] of products that rates let expect which fit how often, number [k], each was bought."""
    own, rest = np.empty((len(bought), len(periods))), np.empty(len(periods))
    for t in range(len(periods)):
        left = 1.0
        for i in range(len(bought)):
            left -= share[bought[i], periods[t]]
            own[i, t] = share[bought[i], periods[t]] ** power
        rest[t] = left**power if left > ROUNDING else 0.0
    others, chance = max(visits[periods].sum() - number.sum(), 0.0), np.empty(len(periods))
    for _ in range(ROUNDS):
        _fill_chances(own, rest, visits, periods, chance)
        is_settled = True
        for i in range(len(bought)):
            expected = 0.0
            for t in range(len(periods)):
                expected += own[i, t] * chance[t]
            own[i] *= number[i] / max(expected, LEAST)
            is_settled &= abs(expected - number[i]) < SETTLED * number[i]
        expected = 0.0
        for t in range(len(periods)):
            expected += rest[t] * chance[t]
        rest *= others / max(expected, LEAST)
        if is_settled:
            break
    _fill_chances(own, rest, visits, periods, chance)
    return own * chance


@numba.njit(nogil=True, cache=True)
def _fill_chances(own, rest, visits, periods, chance):  # type: ignore[no-untyped-def]
    """Set the chances [t], by which weights own [k, t] and rest [t] become the choices of the visits."""
    for t in range(len(periods)):
        weight = rest[t]
        for i in range(len(own)):
            weight += own[i, t]
        chance[t] = visits[periods[t]] / max(weight, LEAST)
