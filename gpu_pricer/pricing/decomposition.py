"""A price as the sum of its parts, for the price table and for `explain`.

With m_k = ω_k (x_k − c_k), P the choice probabilities, R = Σ m_k P_k and β the slope of utility, a stationary price is

    x_j = unit cost + effect of the limits + 1 / (β_j (1 − P_j)) + (R − m_j P_j) / (ω_j (1 − P_j))

which is the equal adjusted mark-up of Gallego & Wang (2014) with R expanded. The third term is the sensitivity mark-up,
the fourth the opportunity value. The fifth part, the adjustment, is what bounds, ladder and rounding to cents add.
Where prices include VAT, these parts are what is left of them after it, and the sixth part is the VAT in the price.
"""

from typing import NamedTuple

import numba
import numpy as np

from gpu_pricer.tables.price_table import part_names
from kernels import LEAST_OTHERS, PRICE_LIMIT

ROUNDING = 1e-6
"""Cents by which rounding may move a cost that is counted with VAT and again without."""


class ObjectiveTerms(NamedTuple):
    """The costs and weights of the objective that prices maximise, for C classes of segments.

    effective_cost float64 cents [P, C]; weight float64 [P, C]: ω of a choice; class_of int64 [S]: each segment's class.
    """

    effective_cost: np.ndarray
    weight: np.ndarray
    class_of: np.ndarray


class UnitCosts(NamedTuple):
    """What of a price of P products goes to others: cost float64 cents [P], without VAT; net_share [P]: after VAT."""

    cost: np.ndarray
    net_share: np.ndarray


class PricedChoices(NamedTuple):
    """Prices of P products of G categories for S segments, and the choices that they lead to.

    price int [P, S], cents; probability [P, S]: that a visit chooses the product; slope [P, S]: how much utility one
    more cent takes off; category_value [G, S]: R, the category's expected weighted profit in cents per visit;
    category int64 [P]: each product's row of category_value. In a nested category probability and category_value are
    multiplied with kernels.switching_factors, after which its stationary price has the formula of a logit.
    """

    price: np.ndarray
    probability: np.ndarray
    slope: np.ndarray
    category_value: np.ndarray
    category: np.ndarray


def price_parts(choices: PricedChoices, terms: ObjectiveTerms, unit: UnitCosts, rows: np.ndarray) -> np.ndarray:
    """Return the parts int64 cents [6, n, S] of the prices of n products, in the order of PARTS, and then the VAT.

    The parts add up to the price; without VAT the last is 0. rows int64 [n]: the products' positions.
    """
    parts = np.empty((len(part_names(includes_vat=True)), len(rows), choices.price.shape[1]), np.int64)
    _fill(choices, terms, unit, rows, parts)
    return parts


def expected_price_parts(
    price: np.ndarray,
    markup: np.ndarray,
    opportunity: np.ndarray,
    effective_cost: np.ndarray,
    unit: UnitCosts,
    rows: np.ndarray,
) -> np.ndarray:
    """Return the parts int64 cents [6, n, S], as price_parts does, for prices over posterior draws of the sensitivity.

    price int cents [P, S]; markup, opportunity float64 cents [P, S]: see kernels.Outcomes; effective_cost float64
    cents [P]; rows int64 [n]: the products' positions.
    """
    parts = np.empty((len(part_names(includes_vat=True)), len(rows), price.shape[1]), np.int64)
    _fill_expected(price, markup, opportunity, effective_cost, unit, rows, parts)
    return parts


@numba.njit(nogil=True, cache=True)
def _fill(choices, terms, unit, rows, parts):  # type: ignore[no-untyped-def]
    """Fill parts [6, n, S] of the prices of PricedChoices under ObjectiveTerms."""
    price, probability, value = choices.price, choices.probability, choices.category_value
    for i in range(len(rows)):
        p = rows[i]
        for s in range(price.shape[1]):
            c = terms.class_of[s]
            effective_cost, weight = terms.effective_cost[p, c], terms.weight[p, c]
            others = max(1.0 - np.float64(probability[p, s]), LEAST_OTHERS)
            earned = weight * (price[p, s] - effective_cost)
            of_category = np.float64(value[choices.category[p], s])
            opportunity = (of_category - earned * probability[p, s]) / others / weight
            markup = 1 / (np.float64(choices.slope[p, s]) * others)
            kept = unit.net_share[p]
            net = (kept * effective_cost, kept * markup, kept * opportunity)
            _fill_cell(price[p, s], kept * price[p, s], unit.cost[p], net, parts[:, i, s])


@numba.njit(nogil=True, cache=True)
def _fill_expected(price, markup, opportunity, effective_cost, unit, rows, parts):  # type: ignore[no-untyped-def]
    """Fill parts [6, n, S] from mark-ups and opportunity values over draws."""
    for i in range(len(rows)):
        p = rows[i]
        for s in range(price.shape[1]):
            kept = unit.net_share[p]
            net = (kept * effective_cost[p], kept * markup[p, s], kept * opportunity[p, s])
            _fill_cell(price[p, s], kept * price[p, s], unit.cost[p], net, parts[:, i, s])


@numba.njit(nogil=True, cache=True)
def _fill_cell(price, kept, cost, net, parts):  # type: ignore[no-untyped-def]
    """Fill the parts [6] of one price; all arguments are in cents, and the adjustment takes up rounding.

    kept: what is left of the price after VAT; net: effective cost, mark-up and opportunity value after VAT.
    """
    effective_cost, markup, opportunity = net
    if abs(effective_cost - cost) < ROUNDING:  # after VAT it is the cost only nearly, and half a cent could round apart
        effective_cost = cost
    parts[0] = _cents(cost)
    parts[1] = _cents(effective_cost) - parts[0]
    parts[2] = _cents(markup)
    parts[3] = _cents(opportunity)
    parts[5] = price - _cents(kept)
    parts[4] = price - parts[5] - parts[:4].sum()


@numba.njit(nogil=True, cache=True)
def _cents(amount: float) -> int:
    """Return whole cents within ± PRICE_LIMIT, because a share of 1 or a slope of 0 makes a part huge or infinite."""
    return int(np.round(min(max(amount, -PRICE_LIMIT), PRICE_LIMIT)))
