"""What each user's purchases say of the user's own price response and tastes, beside those of everybody.

With everybody's response as the start, the log likelihood of a user whose sensitivity to a group of products is
(1 + φ) times everybody's is close to score · φ − information · φ² / 2. Sums are kept by parts of the periods: segments
are formed and judged on different ones.
"""

from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, svds
from torch import Tensor

from gpu_pricer.network.response.fitting.fit import Fit
from gpu_pricer.network.response.grid.grid import UserLog
from gpu_pricer.network.response.model import cells_of
from gpu_pricer.network.response.threads import single_thread
from gpu_pricer.network.segments.category_groups import CategoryGroups
from gpu_pricer.network.segments.category_scores import category_scores

FOLDS = 4
GROUPS = 64  # of categories; those about which the log says least share the last one
TASTE_PRODUCTS = 1000  # the best sellers, which tell tastes
TASTE_DIRECTIONS = 15
LEAST_INFORMATION = 1e-9
DENSE_SHARE, DENSE_CELLS = 1 / 8, 50_000_000  # of choices: products with a dense matrix of so many are faster


@dataclass(frozen=True)
class UserScores:
    """Sums over the periods of K folds for U users, H groups of categories and the J products that tell tastes.

    score, information [2 K + 1, U, H]: of the price response beside that of all users, in every fold, in all periods
    but each fold's, and in all; [1, U, H] where there is one fold. They do not add up, see purchase_scores.py.
    bought, visits: of every fold, choices [U, J], visits [U, W]. share [W, J]: everybody's choice probabilities, so
    that visits @ share is what everybody would buy. Where J < W, visits are these expected purchases [U, J] themselves,
    and share is the unit matrix. fold [W]: the fold of every period. products: how many teach price response.
    """

    score: np.ndarray
    information: np.ndarray
    bought: list[csr_array] | list[np.ndarray]
    visits: list[np.ndarray]
    share: np.ndarray
    fold: np.ndarray
    products: int

    @property
    def users(self) -> int:
        """Return U."""
        return self.score.shape[1]

    @property
    def folds(self) -> int:
        """Return K."""
        return len(self.bought)

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

    @property
    def whole(self) -> "UserScores":
        """The scores in all periods, and what was bought in them, as a single fold."""
        return self._single(-1, list(range(self.folds)))

    def without(self, fold: int) -> "UserScores":
        """Return the scores in all periods but those of a fold, as a single fold. With one fold, they are its own."""
        others = [other for other in range(self.folds) if other != fold]
        return self._single(self.folds + fold, others) if others else self

    def _single(self, part: int, folds: list[int]) -> "UserScores":
        return replace(
            self,
            score=self.score[part][None].astype(np.float64),
            information=self.information[part][None].astype(np.float64),
            bought=[_fastest(sum((self.bought[k] for k in folds), start=csr_array(self.bought[0].shape)))],
            visits=[reduce(np.add, (self.visits[k] for k in folds))],
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
def user_scores(pooled: Fit, log: UserLog, folds: int = FOLDS) -> UserScores:
    """Return the scores of the users of the log; pooled: the response of all users as one segment.

    folds: of the periods, at most as many as there are periods.
    """
    grid, periods = pooled.grid, pooled.grid.columns.periods
    cells = cells_of(grid, pooled.state, pooled.layout)
    share, slope = cells.share[:, 0], cells.slope[:, 0]
    folds = min(folds, periods)
    fold = grid.columns.period % folds
    inside = [fold == k for k in range(folds)]
    parts = [*inside, *(~of_fold for of_fold in inside), fold >= 0] if folds > 1 else inside
    groups = CategoryGroups(len(parts), len(log.visits), min(grid.categories, GROUPS))
    for found in category_scores(grid, log, share, slope, parts):
        groups.add(found.category, found.score, found.information)
    score, information = groups.sums()
    _centre(score, information)
    best = torch.argsort(log.sold(len(grid.row)), descending=True, stable=True)[:TASTE_PRODUCTS]
    visits, rate = _visits(log, share[best].T.contiguous(), grid.category[best], inside)
    return UserScores(
        score=score.numpy(),
        information=information.numpy(),
        bought=[_bought(log, best, is_inside, len(grid.row)) for is_inside in inside],
        visits=[part.numpy() for part in visits],
        share=rate.numpy(),
        fold=fold.numpy(),
        products=len(grid.row),
    )


def _centre(score: Tensor, information: Tensor) -> None:
    """Make the scores [J, U, H] relative to the response of all users in each part and group, in place.

    Users are told apart by their own response only, not by what the pooled response misses of all of them.
    """
    for own, known in zip(score, information, strict=True):
        own -= known * (own.sum(0) / known.sum(0).clamp(min=LEAST_INFORMATION))


def _visits(log: UserLog, share: Tensor, category: Tensor, inside: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Return visits and share of UserScores, whose product takes fewest numbers, for the periods inside every fold.

    share [W, J]; category [J]: of the products. Where users saw some categories only, their visits differ by category,
    and what everybody would buy of a product comes from those of its category.
    """
    periods, products = share.shape
    if log.seen is None and products >= periods:
        return [log.visits * is_inside for is_inside in inside], share
    expected = [torch.empty(len(log.visits), products, dtype=share.dtype) for _ in inside]
    alike = torch.zeros_like(category) if log.seen is None else category
    for number in alike.unique().tolist():
        visits, own = log.visits_of(number), alike == number
        for sums, is_inside in zip(expected, inside, strict=True):
            sums[:, own] = visits[:, is_inside] @ share[is_inside][:, own]
    return expected, torch.eye(products, dtype=share.dtype)


def _fastest(bought: csr_array) -> csr_array | np.ndarray:
    """Return the choices [U, J] dense where many of them are not 0 and memory allows it."""
    cells = bought.shape[0] * bought.shape[1]
    return bought.toarray() if DENSE_SHARE * cells <= bought.nnz and cells <= DENSE_CELLS else bought


def _bought(log: UserLog, products: Tensor, is_inside: Tensor, count: int) -> csr_array:
    """Return the choices [U, J] of the products in the periods that are inside [W]."""
    numbers = torch.arange(len(products), dtype=torch.int32)
    column = torch.full((count,), -1, dtype=torch.int32).index_put((products,), numbers).index_select(0, log.product)
    kept = (column >= 0) & is_inside.index_select(0, log.column)
    place = (log.user[kept].numpy(), column[kept].numpy())
    return csr_array((log.count[kept].double().numpy(), place), shape=(len(log.visits), len(products)))
