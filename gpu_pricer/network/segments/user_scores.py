"""What each user's purchases say of the user's own price response and tastes, beside those of everybody.

With everybody's response as the start, the log likelihood of a user whose sensitivity to a group of products is
(1 + φ) times everybody's is close to score · φ − information · φ² / 2. A user's mean purchases of every product are
taken as they are, so that tastes do not pass for sensitivity. Sums are kept by fold of the periods: segments are
formed and judged on different ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, svds
from torch import Tensor

from gpu_pricer.network.response.fit import Fit, single_thread
from gpu_pricer.network.response.grid import Grid, UserLog
from gpu_pricer.network.response.model import cells_of
from gpu_pricer.network.segments.choice_scores import CELLS, PRIOR_PURCHASES, ChoiceBlock

FOLDS = 4
GROUPS = 64  # of categories; those about which the log says least share the last one
TASTE_PRODUCTS = 1000  # the best sellers, which tell tastes
TASTE_DIRECTIONS = 15
DENSE_SHARE, DENSE_CELLS = 1 / 8, 50_000_000  # of choices: products with a dense matrix of so many are faster
USERS, PRODUCTS = 4096, 512  # in a block, so that a [USERS, PRODUCTS] temporary has 16 MB


@dataclass(frozen=True)
class UserScores:
    """Sums over the periods of K folds for U users, H groups of categories and the J products that tell tastes.

    score, information [K, U, H]: of the price response. bought, visits: of every fold, choices [U, J], visits [U, W].
    share [W, J]: everybody's choice probabilities, so that visits @ share is what everybody would buy. Where J < W,
    visits are these expected purchases [U, J] themselves, and share is the unit matrix. fold [W]: the fold of every
    period.
    """

    score: np.ndarray
    information: np.ndarray
    bought: list[csr_array] | list[np.ndarray]
    visits: list[np.ndarray]
    share: np.ndarray
    fold: np.ndarray

    @property
    def users(self) -> int:
        """Return U."""
        return self.score.shape[1]

    @cached_property
    def taste_directions(self) -> np.ndarray:
        """Return the users' coordinates [U, D] in the directions of what they buy that stand out from noise.

        The scores are a single fold. Residuals of a Poisson count over the root of its mean have about unit variance,
        and noise alone has singular values up to √U + √J (Marchenko & Pastur 1967).
        """
        bought, visits, share = self.bought[0], self.visits[0], self.share
        scale = 1 / np.sqrt(np.maximum(visits.mean(axis=0) @ share, 1e-3))
        users, products = bought.shape
        directions = min(TASTE_DIRECTIONS, users - 1, products - 1)
        if directions < 1:
            return np.zeros((users, 0))
        residual = LinearOperator(
            (users, products),
            matvec=lambda v: bought @ (scale * v.ravel()) - visits @ (share @ (scale * v.ravel())),
            rmatvec=lambda v: scale * (bought.T @ v.ravel() - share.T @ (visits.T @ v.ravel())),
            dtype=np.float64,
        )
        left, values, _ = svds(residual, k=directions, v0=np.ones(min(users, products)))
        return np.asarray(left * np.sqrt(np.maximum(values**2 - (np.sqrt(users) + np.sqrt(products)) ** 2, 0.0)))

    def of_folds(self, folds: list[int]) -> "UserScores":
        """Return the sums over some of the folds, as a single one."""
        return replace(
            self,
            score=self.score[folds].sum(0, keepdims=True),
            information=self.information[folds].sum(0, keepdims=True),
            bought=[_fastest(sum((self.bought[k] for k in folds), start=csr_array(self.bought[0].shape)))],
            visits=[np.sum([self.visits[k] for k in folds], axis=0)],
        )

    def of_users(self, users: np.ndarray) -> "UserScores":
        """Return the scores of some users."""
        return replace(
            self,
            score=self.score[:, users],
            information=self.information[:, users],
            bought=[csr_array(rows[users]) for rows in self.bought],
            visits=[visits[users] for visits in self.visits],
        )


@single_thread()
def user_scores(pooled: Fit, log: UserLog) -> UserScores:
    """Return the scores of the users of the log; pooled: the response of all users as one segment."""
    grid, periods = pooled.grid, pooled.grid.periods
    cells = cells_of(grid, pooled.state, pooled.layout)
    share, slope = cells.share[:, 0], cells.slope[:, 0]
    fold = torch.arange(periods) % min(FOLDS, periods)
    folds = int(fold.max()) + 1
    score = torch.zeros(folds, len(log.visits), grid.categories, dtype=share.dtype)
    information = torch.zeros_like(score)
    for users, products in _blocks(len(log.visits), grid):
        given = log.visits[users], share[products], slope[products], fold
        of_category = grid.category[products]
        block = _Block(*given) if grid.has_outside_option else ChoiceBlock(*given, of_category - of_category[0])
        gained, known = block.sums(*_purchases(log, users, products, fold, slope))
        score[:, users] = score[:, users].index_add(2, of_category, gained)
        information[:, users] = information[:, users].index_add(2, of_category, known)
    merge = _groups(information.sum((0, 1)))
    best = torch.argsort(_sold(log, len(grid.row)), descending=True, stable=True)[:TASTE_PRODUCTS]
    inside = [fold == k for k in range(folds)]
    visits, rate = _visits(log.visits, share[best].T.contiguous(), inside)
    return UserScores(
        score=(score @ merge).numpy(),
        information=(information @ merge).numpy(),
        bought=[_bought(log, best, is_inside, len(grid.row)) for is_inside in inside],
        visits=[part.numpy() for part in visits],
        share=rate.numpy(),
        fold=fold.numpy(),
    )


def _visits(visits: Tensor, share: Tensor, inside: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Return visits and share of UserScores, whose product takes fewest numbers, for the periods inside every fold."""
    periods, products = share.shape
    if products < periods:
        expected = [visits[:, is_inside] @ share[is_inside] for is_inside in inside]
        return expected, torch.eye(products, dtype=share.dtype)
    return [visits * is_inside for is_inside in inside], share


@dataclass(frozen=True)
class _Block:
    """Visits of n users [n, W], choice probabilities and slopes of k products [k, W], and the periods' folds [W]."""

    visits: Tensor
    share: Tensor
    slope: Tensor
    fold: Tensor

    def sums(self, count: Tensor, steep: Tensor) -> tuple[Tensor, Tensor]:
        """Return score and information [K, n, k]; count, steep [K, n, k]: choices, and sums of their slopes."""
        expected, first, second = (self._expected(self.share * self.slope**power) for power in range(3))
        total = expected.sum(0)
        mean = first.sum(0) / total.clamp(min=1e-9)  # centred slopes do not tell how much a user buys
        rate = (count.sum(0) + PRIOR_PURCHASES) / (total + PRIOR_PURCHASES)
        score = steep - mean * count - rate * (first - mean * expected)
        return score, (rate * (second - 2 * mean * first + mean**2 * expected)).clamp(min=0)

    def _expected(self, value: Tensor) -> Tensor:
        """Return the sums over the visits of each fold [K, n, k] of values [k, W]."""
        inside = [self.fold == k for k in range(int(self.fold.max()) + 1)]
        return torch.stack([self.visits[:, is_inside] @ value[:, is_inside].T for is_inside in inside])


def _purchases(log: UserLog, users: slice, products: slice, fold: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Return the block's choices and the sums of their slopes, [K, n, k] each."""
    inside = (log.user >= users.start) & (log.user < users.stop)
    inside &= (log.product >= products.start) & (log.product < products.stop)
    user, product, period, count = (values[inside] for values in (log.user, log.product, log.period, log.count))
    shape = int(fold.max()) + 1, users.stop - users.start, products.stop - products.start
    place = fold[period], user - users.start, product - products.start
    zeros = torch.zeros(shape, dtype=count.dtype)
    return (
        zeros.index_put(place, count, accumulate=True),
        zeros.index_put(place, count * slope[product, period], accumulate=True),
    )


def _blocks(users: int, grid: Grid) -> Iterator[tuple[slice, slice]]:
    """Yield slices of users and of products; where nobody can buy nothing, of complete categories."""
    if grid.has_outside_option:
        products = [(slice(start, start + PRODUCTS), USERS) for start in range(0, len(grid.row), PRODUCTS)]
    else:
        whole = [own for own, _ in grid.blocks()]
        products = [(own, max(CELLS // ((own.stop - own.start) * grid.periods), 1)) for own in whole]
    for own, at_once in products:
        for user in range(0, users, at_once):
            yield slice(user, min(user + at_once, users)), slice(own.start, min(own.stop, len(grid.row)))


def _groups(information: Tensor) -> Tensor:
    """Return [G, H], 1 where a category belongs to a group: those that the log says most of have one of their own."""
    rank = torch.argsort(torch.argsort(information, descending=True, stable=True))
    group = rank.clamp(max=GROUPS - 1)
    return torch.nn.functional.one_hot(group).to(information.dtype)


def _fastest(bought: csr_array) -> csr_array | np.ndarray:
    """Return the choices [U, J] dense where many of them are not 0 and memory allows it."""
    cells = bought.shape[0] * bought.shape[1]
    return bought.toarray() if DENSE_SHARE * cells <= bought.nnz and cells <= DENSE_CELLS else bought


def _sold(log: UserLog, products: int) -> Tensor:
    return torch.zeros(products, dtype=log.count.dtype).index_add(0, log.product, log.count)


def _bought(log: UserLog, products: Tensor, is_inside: Tensor, count: int) -> csr_array:
    """Return the choices [U, J] of the products in the periods that are inside [W]."""
    column = torch.full((count,), -1).index_put((products,), torch.arange(len(products)))[log.product]
    kept = (column >= 0) & is_inside[log.period]
    place = (log.user[kept].numpy(), column[kept].numpy())
    return csr_array((log.count[kept].numpy(), place), shape=(len(log.visits), len(products)))
