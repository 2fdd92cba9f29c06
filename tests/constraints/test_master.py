"""The restricted master problem: bounds, multipliers and mixtures, on functions whose optimum is known."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.constraints.master import (
    CAP,
    MOST_BLOCKS,
    DualIterate,
    blocks_of,
    caps_of_constraints,
    caps_of_priorities,
    round_best,
    round_up,
    solve_master,
)

CLOSE = 1e-7


def random_menu(seed: int, blocks: int, limits: int, choices: int) -> tuple[np.ndarray, np.ndarray]:
    """Return objective [B, C] and achieved [B, C, K] of C choices in every block."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 1, (blocks, choices)) / blocks, rng.uniform(-1, 1, (blocks, choices, limits)) / blocks


def iterate_at(z: np.ndarray, menu: tuple[np.ndarray, np.ndarray]) -> DualIterate:
    """Return the iterate at z, by the best choice of every block."""
    objective, achieved = menu
    value = objective + achieved @ z
    best = value.argmax(axis=1)
    rows = np.arange(len(best))
    none = np.zeros(0)
    return DualIterate(z, float(value.max(axis=1).sum()), objective[rows, best], achieved[rows, best], none, none)


def converged(menu, required, caps) -> list[DualIterate]:
    """Return the iterates of a search that ends where the programme and the dual agree."""
    iterates = [iterate_at(np.zeros(len(required)), menu)]
    for _ in range(200):
        found = solve_master(iterates, required, caps)
        lowest = min(iterate.dual_value(required) for iterate in iterates)
        assert found.value <= lowest + CLOSE, "the programme is never above the dual"
        if lowest - found.value < CLOSE:
            return iterates
        iterates.append(iterate_at(found.z, menu))
    raise AssertionError("the search must end: there are finitely many choices")


@settings(deadline=None)  # the first example imports SciPy
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_the_programme_and_the_dual_meet_above_the_best_choice_by_at_most_the_split_blocks(seed, limits):
    menu = random_menu(seed, 5, limits, 3)
    every = np.array(list(product(range(3), repeat=5)))
    earned, reached = (menu[k][np.arange(5), every].sum(axis=1) for k in range(2))
    required = np.quantile(reached, 0.6, axis=0)
    is_feasible = (reached >= required).all(axis=1)
    if not is_feasible.any():
        return

    iterates = converged(menu, required, caps_of_priorities(np.ones(limits, np.int64)))

    found = solve_master(iterates, required, caps_of_priorities(np.ones(limits, np.int64)))
    best = earned[is_feasible].max()
    assert found.value >= best - CLOSE
    assert found.share.sum(axis=0) == pytest.approx(np.ones(5))
    assert ((found.share > 1e-6).sum(axis=0) > 1).sum() <= limits + 1
    assert found.violation == pytest.approx(0, abs=1e-6)


@settings(deadline=None)  # the first example imports SciPy
@given(st.integers(0, 10**6))
def test_rounding_takes_the_column_that_does_most_for_the_limits(seed):
    menu, required = random_menu(seed, 12, 1, 6), np.array([0.1])
    caps = caps_of_priorities(np.ones(1, np.int64))
    iterates = converged(menu, required, caps)

    found = solve_master(iterates, required, caps)
    taken = round_up(iterates, found)

    reached = sum(iterates[i].achieved[b] for b, i in enumerate(taken))
    earned = sum(iterates[i].objective[b] for b, i in enumerate(taken))
    assert reached >= required - found.violation - 1e-9
    assert earned >= found.value - 2 / 12, "one block is split"


@pytest.mark.parametrize("seed", range(5))
def test_best_rounding_meets_the_limits_and_earns_no_less_than_rounding_up(seed):
    menu, required = random_menu(seed, 12, 2, 6), np.full(2, 0.05)
    caps = caps_of_constraints(np.ones(2, np.int64))
    iterates = converged(menu, required, caps)
    found = solve_master(iterates, required, caps)

    best, up = round_best(iterates, required, found), round_up(iterates, found)

    def sums(taken):
        rows = [iterates[i] for i in taken]
        achieved = sum(row.achieved[b] for b, row in enumerate(rows))
        return achieved, sum(row.objective[b] for b, row in enumerate(rows))

    assert (sums(best)[0] >= required - found.violation - 1e-6).all()
    assert sums(best)[1] <= found.value + 1e-6
    if (sums(up)[0] >= required - found.violation).all():
        assert sums(best)[1] >= sums(up)[1] * (1 - 2e-4)


def test_limits_of_one_priority_that_cannot_be_met_give_way_by_one_share():
    never = (np.zeros((1, 1)), np.array([[[-0.1, -0.2]]]))
    iterates = [iterate_at(np.zeros(2), never)]

    together = solve_master(iterates, np.zeros(2), caps_of_priorities(np.array([1, 1])))
    ranked = solve_master(iterates, np.zeros(2), caps_of_priorities(np.array([1, 2])))
    alone = solve_master(iterates, np.zeros(2), caps_of_constraints(np.array([1, 2])))

    assert together.violation == pytest.approx([0.2])
    assert together.z == pytest.approx([0, CAP])
    assert ranked.violation == pytest.approx([0.2, 0.1]), "the least important priority first"
    assert alone.violation == pytest.approx([0.1, 0.2]), "by constraint"
    assert alone.z == pytest.approx([30 * CAP, CAP])


def test_a_block_holds_categories_of_the_same_limits():
    rng = np.random.default_rng(3)
    covers = rng.uniform(size=(5000, 4)) < 0.3

    block = blocks_of(covers)

    assert np.unique(block).tolist() == list(range(block.max() + 1))
    assert MOST_BLOCKS <= block.max() + 1 <= MOST_BLOCKS + 2**4
    assert all((covers[block == b] == covers[block == b][0]).all() for b in range(block.max() + 1))
    assert blocks_of(np.zeros((0, 2), np.bool_)).tolist() == []
