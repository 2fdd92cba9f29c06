"""What users of known types buy, drawn from a multinomial logit, as the response model counts it."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from gpu_pricer.network.response.fitting.fit import Fit, FitConfig, fit_response
from gpu_pricer.network.response.grid.grid import Grid, UserLog
from gpu_pricer.network.response.grid.grid_columns import GridColumns

CATEGORIES, SIZE, PERIODS, OCCASIONS = 3, 4, 24, 4
PRODUCTS = CATEGORIES * SIZE


@dataclass(frozen=True)
class Drawn:
    """The log of users of known types [U], its grid, and the response of all users as one segment."""

    grid: Grid
    log: UserLog
    type: np.ndarray
    pooled: Fit

    @property
    def visits(self) -> np.ndarray:
        """Each user's visits, [U]."""
        return self.log.visits.sum(1).numpy()


def draw(
    sensitivity: tuple[float, ...],
    taste: float = 0.0,
    users: int = 300,
    periods: int = PERIODS,
    seed: int = 0,
    bend: float = 0.0,
    moves: np.ndarray | None = None,
    steepness: np.ndarray | float = 1.0,
) -> Drawn:
    """Draw the log of as many types of equal size as there are sensitivities; taste: spread of their appeals.

    bend: of utility by prices, 0: it falls with the price, 1: with its log. moves [P, periods]: of prices, None for
    random ones. steepness: what sensitivities are multiplied by, of all products or [P].
    """
    rng = np.random.default_rng(seed)
    category = np.repeat(np.arange(CATEGORIES), SIZE)
    move = rng.normal(0, 0.15, (PRODUCTS, periods)).clip(-0.6) if moves is None else moves
    on_shelf = (rng.random((PRODUCTS, periods)) < 0.95).astype(float)
    appeal = rng.normal(-1.5, 0.4, PRODUCTS) + taste * rng.normal(size=(len(sensitivity), PRODUCTS))
    falls = (((1 - bend) * move + bend * np.log(1 + move)).T * steepness).T
    utility = appeal[:, :, None] - np.array(sensitivity)[:, None, None] * falls
    weight = np.exp(utility) * on_shelf
    kind = rng.permutation(np.arange(users) % len(sensitivity))
    visits = rng.binomial(OCCASIONS, 0.7, (users, periods))
    found = []
    for g in range(CATEGORIES):
        products = np.flatnonzero(category == g)
        chance = weight[:, products] / (1 + weight[:, products].sum(axis=1, keepdims=True))
        chance = np.concatenate([chance, 1 - chance.sum(axis=1, keepdims=True)], axis=1).transpose(0, 2, 1)
        bought = rng.multinomial(visits, chance[kind])[:, :, :-1]
        user, period, place = np.nonzero(bought)
        found.append((user, products[place], period, bought[user, period, place]))
    user, product, period, count = (torch.from_numpy(np.concatenate(part)) for part in zip(*found, strict=True))
    log = UserLog(user, product, period, count.double(), None, torch.from_numpy(visits).double(), None)
    grid = Grid(
        columns=GridColumns.of_periods(periods),
        row=torch.arange(PRODUCTS),
        category=torch.from_numpy(category),
        on_shelf=torch.from_numpy(on_shelf),
        move=torch.from_numpy(move * on_shelf),
        context=torch.zeros(PRODUCTS, periods, 1, dtype=torch.float64),
        controls=0,
        offset=torch.zeros(PRODUCTS, periods, dtype=torch.float64),
        unit_offset=torch.zeros(PRODUCTS, periods, dtype=torch.float64),
        next_offset=torch.zeros(PRODUCTS, dtype=torch.float64),
        next_ages=torch.zeros(PRODUCTS, 0),
        price_information=torch.ones(PRODUCTS, dtype=torch.float64),
        has_outside_option=True,
        periods_ahead=1,
    )
    return Drawn(grid, log, kind, fit_response(grid, log.pooled(grid), FitConfig(20, 0.02, None)))


def of_users(log: UserLog, order: np.ndarray) -> UserLog:
    """Return the log with its users in another order."""
    place = torch.from_numpy(np.argsort(order))
    return replace(log, user=place[log.user], visits=log.visits[torch.from_numpy(order)])


def agreement(found: np.ndarray, kind: np.ndarray) -> float:
    """Return the share of users whose type is the most frequent one of their segment."""
    return sum(np.bincount(kind[found == segment]).max() for segment in np.unique(found)) / len(kind)


def expected_beyond(
    bought: np.ndarray, visits: np.ndarray, share: np.ndarray, slope: np.ndarray, phi: float, has_outside_option: bool
) -> float:
    """Return how far a user's choices [k, W] in some periods go beyond what (1 + φ) times everybody's b lets expect.

    It is the sum over choices of the slopes [k, W] around each product's mean, and minus its derivative in φ is the
    information. Expected are the choices of a multinomial logit whose rates are the user's own: at φ = 0 those of each
    product sum to what the user bought, and the mean of the slopes is the one that a change of its rate has. With m
    visits [W], weights have the power m / (m - 1), see purchase_scores.py. share [k, W]: everybody's.
    """
    is_bought = bought.sum(axis=1) > 0
    n, s, own = bought[is_bought], slope[is_bought], share[is_bought]
    power, others = visits.sum() / max(visits.sum() - 1, 1), visits.sum() - n.sum()
    rest = (1 - own.sum(axis=0)).clip(0) ** power * (has_outside_option and others > 0)
    own = own**power
    for _ in range(100):
        chance = visits / np.maximum(own.sum(axis=0) + rest, 1e-300)
        own = own * (n.sum(axis=1) / (own * chance).sum(axis=1))[:, None]
        rest = rest * (others / max((rest * chance).sum(), 1e-300))
    expected = own * visits / np.maximum(own.sum(axis=0) + rest, 1e-300)
    moved = expected * (1 - expected / np.maximum(visits, 1e-300))
    apart = s - ((moved * s).sum(axis=1) / np.maximum(moved.sum(axis=1), 1e-300))[:, None]
    tilted = own * np.exp(power * phi * apart)
    expected = tilted * visits / np.maximum(tilted.sum(axis=0) + rest, 1e-300)
    return float(((n - expected) * apart).sum())
