"""The restricted master problem of column generation: a linear programme that mixes sales by block.

A pass prices all categories at some multipliers. The sales that it finds in a block of categories are a column. The
programme gives every block a mixture of its columns so that the limits hold and the objective is highest. Its shadow
prices are the multipliers of the next pass, which finds the columns that are still missing (Dantzig & Wolfe 1960). The
programme's optimum is never above the minimum of the Lagrangian dual, and every pass gives a value that is never below
it, so the difference of the two says how far the search may still be from its end.

The multipliers are scaled: z_k = multiplier_k · scale_k / |objective at today's prices|. z_k is the share of the
objective that moving limit k by its own scale would cost. Limits that cannot be met together would drive z to infinity.
So Σ z over the constraints of one priority has a cap: the price of violating all of them by the same share (an exact
penalty, Nocedal & Wright 2006, ch. 17.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

CAP, CAP_RATIO = 100.0, 30.0
"""The cap of the least important priority, at which a violation of 1 % costs as much as the whole objective; and how
many times larger each more important priority's cap is than the one before."""

MOST_BLOCKS = 400
"""Blocks of categories beyond the number of their patterns of limits. More blocks save passes, but programmes of 2,000
blocks took longer than all passes over 640,000 cells (measured on one core, November 2026)."""

TOLERANCE = 1e-9
"""Feasibility tolerance of the linear programme, in which the value of an average block is 1."""

GAP, NODES = 1e-4, 1
"""Share of the objective that the integer programme may leave, and the nodes of its tree after which it ends."""

LEAST_SHARE = 1e-9
"""The share of a block above which a column counts as taken."""


@dataclass(frozen=True)
class DualIterate:
    """The Lagrangian dual at some scaled multipliers, and the sales of the prices that are best for these, by block.

    z [K]; lagrangian: the objective plus z times the left-hand sides and the shadow prices times the stock left, as a
    share of the objective at today's prices.
    objective [B], achieved [B, K]: each block's part of the objective, as a share of the objective at today's prices,
    and its part of the left-hand sides, as shares of their scales, both of what the stock can serve.
    units [P]: the units asked for of every product. stock_price [P]: the shadow prices of stock, in currency.
    """

    z: np.ndarray
    lagrangian: float
    objective: np.ndarray
    achieved: np.ndarray
    units: np.ndarray
    stock_price: np.ndarray

    def dual_value(self, required: np.ndarray) -> float:
        """Return the dual's value for left-hand sides of at least required [K].

        required: as shares of the scales; the value is a share of the objective at today's prices.
        """
        return self.lagrangian - float(self.z @ required)


class Mixture(NamedTuple):
    """The optimum of the restricted master problem.

    value: as a share of the objective at today's prices; z [K]: the shadow prices of the limits; share [I, B]: what
    part of each block takes the sales of iterate i; violation [Q]: by which share of their scales the limits of each
    group are missed.
    """

    value: float
    z: np.ndarray
    share: np.ndarray
    violation: np.ndarray


class Caps(NamedTuple):
    """Upper bounds of sums of multipliers: the prices of violating limits.

    member bool [Q, K]: the constraints of each of Q groups, which may be violated by one common share; most [Q]: the
    most that Σ z over a group can be.
    """

    member: np.ndarray
    most: np.ndarray


def caps_of_priorities(priority: np.ndarray) -> Caps:
    """Return a cap for each priority, the least important first; priority int64 [K]."""
    ranks = np.unique(priority)[::-1]
    return Caps(priority == ranks[:, None], CAP * CAP_RATIO ** np.arange(len(ranks)))


def caps_of_constraints(priority: np.ndarray) -> Caps:
    """Return a cap for each constraint, that of its priority, so that no limit gives way because another one does."""
    of_priorities = caps_of_priorities(priority)
    return Caps(np.eye(len(priority), dtype=np.bool_), of_priorities.most @ of_priorities.member)


def blocks_of(covers: np.ndarray) -> np.ndarray:
    """Return the block int64 [G] of every category; the categories of a block are covered by the same constraints.

    covers bool [G, K]: which constraints cover products of a category.
    """
    pattern = np.unique(covers, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.argsort(pattern, kind="stable")
    part = np.empty(len(covers), np.int64)
    part[order] = np.arange(len(covers)) * min(MOST_BLOCKS, len(covers)) // max(len(covers), 1)
    return np.unique(np.column_stack([pattern, part]), axis=0, return_inverse=True)[1].reshape(-1)


def solve_master(iterates: Sequence[DualIterate], required: np.ndarray, caps: Caps) -> Mixture:
    """Return the best mixture of the iterates' columns.

    required [K]: what the left-hand sides must reach, as shares of their scales. RuntimeError where HiGHS fails. The
    programme is solved for z and the blocks' values, scaled so that an average block has the value 1.
    """
    from scipy.optimize import linprog  # half a second of every start, for those who price under constraints alone
    from scipy.sparse import csr_matrix, hstack, vstack

    iterate, block = np.nonzero(_is_new(iterates))
    blocks = iterates[0].objective.shape[0]
    objective = np.stack([at.objective for at in iterates])[iterate, block]
    achieved = np.stack([at.achieved for at in iterates])[iterate, block]
    columns = csr_matrix((np.full(len(block), -1.0), (np.arange(len(block)), block)), (len(block), blocks))
    found = linprog(
        np.concatenate([-required, np.full(blocks, 1 / blocks)]),
        A_ub=vstack([
            hstack([csr_matrix(blocks * achieved), columns]),
            hstack([csr_matrix(caps.member.astype(float)), csr_matrix((len(caps.most), blocks))]),
        ]).tocsr(),
        b_ub=np.concatenate([-blocks * objective, caps.most]),
        bounds=[(0.0, None)] * len(required) + [(None, None)] * blocks,
        method="highs",
        options={"primal_feasibility_tolerance": TOLERANCE, "dual_feasibility_tolerance": TOLERANCE},
    )  # fmt: skip
    if not found.success:
        raise RuntimeError(f"the restricted master problem must have an optimum, found: {found.message}")
    share = np.zeros((len(iterates), blocks))
    share[iterate, block] = -blocks * found.ineqlin.marginals[: len(block)]
    return Mixture(float(found.fun), found.x[: len(required)], share, -found.ineqlin.marginals[len(block) :])


def round_up(iterates: Sequence[DualIterate], mixture: Mixture) -> np.ndarray:
    """Return which iterate's prices each block takes, int64 [B].

    At most as many blocks are split as there are limits and priorities. The columns that a split block takes have
    the same value at the mixture's shadow prices; of them the block takes the one that does most for the limits.
    """
    achieved = np.stack([at.achieved @ mixture.z for at in iterates])
    return np.where(mixture.share > LEAST_SHARE, achieved, -np.inf).argmax(axis=0)


def round_best(iterates: Sequence[DualIterate], required: np.ndarray, mixture: Mixture) -> np.ndarray | None:
    """Return which iterate's prices each block takes for the most objective, int64 [B]; None where none is found.

    The limits hold as far as in the mixture, which bounds the objective: columns that are worth less at its shadow
    prices than the rounded mixture loses in all cannot be taken. An integer programme, ended at NODES or GAP.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # see solve_master
    from scipy.sparse import csr_matrix

    objective, achieved = (np.stack([getattr(at, name) for at in iterates]) for name in ("objective", "achieved"))
    value = objective + achieved @ mixture.z
    rounded = round_up(iterates, mixture)
    at = rounded, np.arange(len(rounded))
    least = (
        value.max(axis=0)
        - float((value.max(axis=0) - objective[at] - achieved[at] @ mixture.z).sum())
        - float(mixture.z @ np.maximum(achieved[at].sum(axis=0) - required, 0.0))
    )
    iterate, block = np.nonzero(_is_new(iterates) & (value >= least))
    count = len(block)
    one_each = csr_matrix((np.ones(count), (block, np.arange(count))), (len(rounded), count))
    slack = required - mixture.violation
    found = milp(
        -objective[iterate, block],
        integrality=np.ones(count),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(csr_matrix(achieved[iterate, block].T), slack, np.inf),
        ],
        options={"mip_rel_gap": GAP, "node_limit": NODES},
    )
    if found.x is None:
        return None
    taken = np.full(len(rounded), -1)
    chosen = found.x > 0.5
    taken[block[chosen]] = iterate[chosen]
    return taken


def _is_new(iterates: Sequence[DualIterate]) -> np.ndarray:
    """Return for which blocks the sales of an iterate are not those of an earlier one, bool [I, B]."""
    is_new = np.ones((len(iterates), len(iterates[0].objective)), np.bool_)
    for i, iterate in enumerate(iterates):
        for earlier in iterates[:i]:
            is_same = (iterate.achieved == earlier.achieved).all(axis=1) & (iterate.objective == earlier.objective)
            is_new[i] &= ~is_same
    return is_new
