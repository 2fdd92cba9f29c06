"""Moving levels of products without a price response of their own: the process, and the present levels.

Products whose price response is estimated have shocks instead, which are estimated with it (network/response).
"""

import logging
import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor

from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.level_process import LevelProcess, PeriodSales
from gpu_pricer.network.training.sales import Sales

log = logging.getLogger(__name__)

LEARNED_FROM = 20_000  # products at most
CENTRE, WIDTH = np.array([2.2, 0.0, 1.0, -2.0, 0.0]), np.array([1.0, 1.0, 1.5, 1.5, 0.5])  # prior of what is searched
STEP = 0.4  # of the first simplex
TOLERANCE = {"xatol": 0.02, "fatol": 0.5, "maxfev": 300}
NEW_PRODUCTS = 10.0  # expected purchases of new products as which those of all products count


class LocalLevels(NamedTuple):
    """Levels of products relative to what attributes say, in logs: now [P], and how far from it before [R].

    before [R]: by shelf row, what the periods before the row's say of the level, less what is known now; 0 from the end
    of the trained periods on. Both are 0 for the other products.
    """

    now: Tensor
    before: Tensor


class LearnedProcess(NamedTuple):
    """A process, and logs of what is bought over what attributes say: of all products, and of new ones at first."""

    process: LevelProcess
    usual: float
    entering: float


def learn_process(purchases: PeriodSales, new: tuple[float, float]) -> LearnedProcess:
    """Return the most likely process, and how products sell compared with their attributes.

    It is learned from LEARNED_FROM products (search: Nelder & Mead 1965). purchases: of the products whose levels move.
    new: how often new products of any kind were bought in their first periods, and how often attributes said.
    """
    some = purchases.some(LEARNED_FROM)

    def loss(parameters: np.ndarray) -> float:
        unlikely = 0.5 * (((parameters - CENTRE) / WIDTH) ** 2).sum()
        return float(unlikely - _process(parameters).log_evidence(some.expecting(np.exp(parameters[-1]))))

    simplex = np.concatenate([CENTRE[None], CENTRE + STEP * np.eye(len(CENTRE))])
    found = minimize(loss, CENTRE, method="Nelder-Mead", options={**TOLERANCE, "initial_simplex": simplex}).x
    process, usual = _process(found), float(np.exp(found[-1]))
    bought, expected = new
    entering = (usual * NEW_PRODUCTS + bought) / (NEW_PRODUCTS + expected)
    log.info(
        "levels of products without a price response of their own: a purchase keeps %.2f of its weight per period, the "
        "long-run level counts as %.1f purchases, attributes count as %.1f of it; products sell %.2f times what "
        "attributes say, new ones %.2f times; sales of a period scatter by %.0f%% beyond chance",
        process.discount, process.reversion, process.prior, usual, entering, 100 * process.scatter**0.5,
    )  # fmt: skip
    return LearnedProcess(process, math.log(usual), math.log(entering))


def _process(parameters: np.ndarray) -> LevelProcess:
    """Return the process of the log odds of its discount, then of the logs of its other parameters, [4 or more]."""
    prior, reversion, scatter = np.exp(parameters[1:4]).tolist()
    return LevelProcess(float(expit(parameters[0])), prior, reversion, scatter)


def period_sales(data: ChoiceData, sales: Sales, expected: Tensor, is_moving: Tensor) -> PeriodSales:
    """Return the purchases of the moving products, numbered in order; expected [r]: of the rows of the sales."""
    number = torch.cumsum(is_moving, 0) - 1
    kept = is_moving[sales.products]
    cell = data.sets.period[sales.sets[kept]] * len(is_moving) + number[sales.products[kept]]
    cell, place = torch.unique(cell, return_inverse=True)  # a product has a row for each price group of a period
    sums = (
        torch.zeros(len(cell), dtype=of.dtype).index_add(0, place, of) for of in (expected[kept], sales.bought[kept])
    )
    columns = ((cell % len(is_moving)).numpy(), *(of.numpy() for of in sums))
    ends = np.searchsorted((cell // len(is_moving)).numpy(), np.arange(1, data.calendar.trained_periods))
    return PeriodSales(list(zip(*(np.split(column, ends) for column in columns), strict=True)), int(is_moving.sum()))


def local_levels(data: ChoiceData, process: LevelProcess, purchases: PeriodSales, is_moving: Tensor) -> LocalLevels:
    """Return the levels of the moving products bool [P]; purchases: theirs."""
    now, before = torch.zeros(data.products.count, dtype=torch.float64), torch.zeros(data.shelf.count)
    period = data.sets.period_of_rows()
    for number, level in enumerate(process.levels(purchases)):
        now[is_moving] = torch.from_numpy(np.log(level))
        rows = slice(*torch.searchsorted(period, torch.tensor([number, number + 1])).tolist())
        before[rows] = now[data.shelf.product[rows]].float()
    before -= now[data.shelf.product].float()
    before[period >= data.calendar.trained_periods] = 0.0
    return LocalLevels(now, before)
