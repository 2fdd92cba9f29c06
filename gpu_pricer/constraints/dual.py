"""The dual of one problem with one objective: evaluated at scaled multipliers, it keeps every iterate."""

import numpy as np

from gpu_pricer.constraints.linear_constraints import LinearConstraints
from gpu_pricer.constraints.master import DualIterate, blocks_of
from gpu_pricer.constraints.solution import Valuation
from gpu_pricer.constraints.stock_search import StockSearch
from gpu_pricer.constraints.unit_value import UnitValue, unit_value_of
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights
from gpu_pricer.tables.price_table import CENTS

MARGIN = 2e-7
"""Relative slack that the kernel's float32 sums must show, so that the float64 sums meet the limit."""

LEAST_SCALE = 1e-9
"""The smallest scale of the dual, in currency, for an objective of 0 at today's prices."""


class Dual:
    """The dual of one problem with one objective, and its iterates; the variables z are scaled as in master.py.

    linear_constraints: the inequalities as they are now, relaxed ones with their eased right-hand sides.
    """

    def __init__(self, valuation: Valuation, linear_constraints: LinearConstraints) -> None:
        self.valuation, self.linear_constraints = valuation, linear_constraints
        self.subproblems, today = valuation.subproblems, valuation.sales_today
        self.scale = max(abs(float(today.total.sum(axis=0) @ valuation.objective)), LEAST_SCALE)
        self.stock = self.subproblems.stock
        self.search = StockSearch(self.stock, self.subproblems.problem.products.today / CENTS)
        self.block = blocks_of((today.covered != 0).any(axis=2))
        self.iterates: list[DualIterate] = []

    def scaled(self, multiplier: np.ndarray) -> np.ndarray:
        """Return the variables z [..., K] of multipliers [..., K] in currency per unit of each left-hand side."""
        return multiplier * self.linear_constraints.scale / self.scale

    def multiplier(self, z: np.ndarray) -> np.ndarray:
        """Return multipliers [..., K] in currency per unit of each left-hand side."""
        return z * self.scale / self.linear_constraints.scale

    def best(self) -> DualIterate:
        """Return the iterate with the lowest dual value."""
        required = self.required()
        return min(self.iterates, key=lambda iterate: iterate.dual_value(required))

    def required(self) -> np.ndarray:
        """Return what the left-hand sides must reach, as shares of their scales [K]."""
        return self.linear_constraints.required / self.linear_constraints.scale

    def evaluate(self, z: np.ndarray, discount: float = 0.0) -> DualIterate:
        """Return the dual's iterate at z [K] and the present shadow prices of stock, and keep it; one pass.

        discount: see StockSearch.shadow_price.
        """
        stock_price = self.stock_price(z, discount)
        sums, lagrangian_value = self.subproblems.solve(self.lagrangian(z[None], stock_price))
        achieved = self.linear_constraints.achieved(sums.covered)
        iterate = DualIterate(
            z=z.copy(),
            lagrangian=(lagrangian_value + self.stock.limit_value(stock_price)) / self.scale,
            objective=self._by_block(sums.total @ self.valuation.objective) / self.scale,
            achieved=self._by_block(achieved) / self.linear_constraints.scale,
            units=sums.units,
            stock_price=stock_price,
        )
        self.iterates.append(iterate)
        return iterate

    def stock_price(self, z: np.ndarray, discount: float) -> np.ndarray:
        """Return the present shadow prices of stock [P] in currency beside the multipliers z [K]."""
        if not self.stock.has_limits:
            return np.zeros(len(self.stock.limit))
        return self.search.shadow_price(self.unit_value(z), discount)

    def unit_value(self, z: np.ndarray) -> UnitValue:
        """Return what a unit of each product adds to the Lagrangian at z [K] before it pays for its stock."""
        return unit_value_of(self.subproblems.problem, self.lagrangian(z[None], np.zeros(len(self.stock.limit))))

    def advance_stock(self) -> bool:
        """Move the shadow prices of stock by what the last iterate sells; return whether any moved."""
        last = self.iterates[-1]
        return self.stock.has_limits and self.search.advance(last.units, last.stock_price, self.unit_value(last.z))

    def _by_block(self, values: np.ndarray) -> np.ndarray:
        """Return values of categories [G] or [G, K] summed over blocks, [B] or [B, K]."""
        summed = np.zeros((int(self.block.max(initial=-1)) + 1, *values.shape[1:]))
        np.add.at(summed, self.block, values)
        return summed

    def lagrangian(self, z: np.ndarray, stock_price: np.ndarray, taken: np.ndarray | None = None) -> LagrangianWeights:
        """Return the Lagrangian in which every block takes one of the multipliers z [I, K], the first unless `taken`.

        stock_price [P]: in currency. taken int64 [B]: which of the multipliers a block takes.
        """
        problem = self.subproblems.problem
        return LagrangianWeights(
            objective=self.valuation.objective,
            slices=self.subproblems.slices,
            coefficient=self.linear_constraints.coefficient,
            multiplier=self.multiplier(z),
            iterate=np.zeros(len(problem.products.cost), np.int64) if taken is None else self._of_products(taken),
            stock_price=stock_price,
            unit_limit=self.stock.limit,
        )

    def mixed(self, taken: np.ndarray) -> LagrangianWeights:
        """Return the Lagrangian in which every block takes the multipliers and stock prices of one iterate.

        taken int64 [B]: the number of the iterate.
        """
        used, of_block = np.unique(taken, return_inverse=True)
        of_block = of_block.reshape(-1)
        z, stock_price = (np.stack([getattr(self.iterates[i], name) for i in used]) for name in ("z", "stock_price"))
        of_products = self._of_products(of_block)
        return self.lagrangian(z, stock_price[of_products, np.arange(len(of_products))], of_block)

    def _of_products(self, values: np.ndarray) -> np.ndarray:
        """Return values of blocks [B] for every product, [P]."""
        return np.repeat(values[self.block], np.diff(self.subproblems.problem.products.category_start))

    def is_movable(self) -> np.ndarray:
        """Return which left-hand sides differ between the iterates, bool [K].

        The others are of fixed prices: what the kernel's rounding makes them lack, no multiplier can buy.
        """
        return np.ptp(np.stack([at.achieved.sum(axis=0) for at in self.iterates]), axis=0) > MARGIN
