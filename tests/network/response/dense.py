"""The response model's Gaussian system written out cell by cell, and its log posterior: slow, obvious oracles.

The information of nests has their movers in place: every product moves x by its share in them.
"""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Dense:
    """precision [K, K] and gradient [K] of all unknowns: of products (z, shock), of categories (θ, season), and μ."""

    precision: np.ndarray
    gradient: np.ndarray
    products: int
    categories: int
    width: int
    periods: int

    def product(self, j):
        """Return the places of z and shock of product j."""
        return (self.width + self.periods) * j + np.arange(self.width + self.periods)

    def category(self, g):
        """Return the places of θ and season of category g."""
        return self.product(self.products + g)

    @property
    def common(self):
        """Return the places of μ."""
        return np.arange(len(self.gradient) - self.width, len(self.gradient))

    def step(self, is_common_free=True):
        """Return the Newton step of all unknowns, [K]; 0 for μ where it is not free."""
        kept = np.arange(len(self.gradient) - (0 if is_common_free else self.width))
        step = np.zeros_like(self.gradient)
        step[kept] = np.linalg.solve(self.precision[np.ix_(kept, kept)], self.gradient[kept])
        return step

    def covariance(self, rows):
        """Return the posterior covariance of linear combinations [k, K] of the unknowns."""
        return rows @ np.linalg.inv(self.precision) @ rows.T

    def unit(self, places):
        """Return the rows [k, K] that pick the unknowns at these places."""
        return np.eye(len(self.gradient))[places]


@dataclass(frozen=True)
class Cell:
    """A product, segment and period: what the log says of it.

    lift: x, what prices and promotions add to log V. residual, weight: gradient and curvature by the utility.
    row, derivative [K]: the utility's derivatives by all unknowns, as the information has them and as they are.
    """

    product: int
    lift: float
    residual: float
    weight: float
    row: np.ndarray
    derivative: np.ndarray


def cells_of(market, state, dense):
    """Yield all cells of the shelf."""
    grid, segments, width = market.grid, market.layout.segments, dense.width
    shares = _mover_shares(market, state)
    for j, s, w in np.argwhere(np.broadcast_to(grid.on_shelf[:, None].numpy(), market.counts.bought.shape) > 0):
        g = int(grid.category[j])
        place, row = dense.product(j), np.zeros(len(dense.gradient))
        row[place[s]] = row[place[width + w]] = row[dense.category(g)[width + w]] = 1.0
        row[place[segments + s]] = -sensitivity_of(state, segments, j, s) * float(grid.move[j, w])
        row[place[2 * segments : width]] = grid.context[j, w].numpy()
        derivative, short = row.copy(), float(state.dissimilarity[g]) - 1
        lift, of_lift = lift_of(grid, state, segments, g, s, w)
        slope, context = (sum(part) for part in zip(*((q * x, q * c) for q, _, x, c in of_lift.values()), strict=True))
        for k in torch.where(grid.category == g)[0].tolist():
            row[dense.product(k)[segments + s]] += short * slope * shares[k, s]
            row[dense.product(k)[2 * segments : width]] += short * context * shares[k, segments:]
        for k, (share, usual, slope_k, context_k) in of_lift.items():
            place = dense.product(k)
            derivative[place[s]] += short * (share - usual)
            derivative[place[segments + s]] += short * share * slope_k
            derivative[place[2 * segments : width]] += short * share * context_k
        chosen, visits = _choice(market, state, j, s, w), float(market.counts.visits[g, s, w])
        residual = float(market.counts.bought[j, s, w]) - visits * chosen
        yield Cell(j, lift, residual, visits * chosen * (1 - chosen), row, derivative)


def _choice(market, state, j, s, w):
    """Return the choice probability of one cell."""
    grid, segments = market.grid, market.layout.segments
    rivals = torch.where((grid.category == grid.category[j]) & (grid.on_shelf[:, w] > 0))[0].tolist()
    weight = {k: np.exp(utility_of(grid, state, segments, k, s, w)) for k in rivals}
    return weight[j] / (grid.has_outside_option + sum(weight.values()))


def lift_of(grid, state, segments, g, s, w):
    """Return x, and by product its shares of V with and without moves, its slope, and its context but controls."""
    offered = [k for k in torch.where(grid.category == g)[0].tolist() if grid.on_shelf[k, w] > 0]
    kept = np.arange(grid.context.shape[2]) < grid.context.shape[2] - grid.controls
    level = np.array([float(state.z[k, s]) for k in offered])
    slope = np.array([-sensitivity_of(state, segments, k, s) * float(grid.move[k, w]) for k in offered])
    context = np.array([grid.context[k, w].numpy() * kept for k in offered])
    effect = np.array([float(context[i] @ state.z[k, 2 * segments :].numpy()) for i, k in enumerate(offered)])
    moved, usual = np.exp(level + slope + effect), np.exp(level)
    shares = zip(moved / moved.sum(), usual / usual.sum(), slope, context, strict=True)
    return np.log(moved.sum() / usual.sum()), dict(zip(offered, shares, strict=True))


def _mover_shares(market, state):
    """Return the share of every product in the movers of x, [P, S + C]."""
    grid, segments = market.grid, market.layout.segments
    own = np.zeros((len(grid.row), segments + grid.context.shape[2]))
    for g, s, w in np.ndindex(grid.categories, segments, grid.columns.periods):
        of_lift = lift_of(grid, state, segments, g, s, w)[1] if _is_open(grid, g, w) else {}
        chosen = {k: _choice(market, state, k, s, w) for k in of_lift}
        weight = sum(float(market.counts.visits[g, s, w]) * p * (1 - p) for p in chosen.values())
        slope, context = (sum(q * of_lift[k][i] for k, (q, *_) in of_lift.items()) for i in (2, 3))
        for k, (share, _, slope_k, context_k) in of_lift.items():
            own[k, s] += weight * share * (slope_k * slope + 1e-9)
            own[k, segments:] += weight * share * (context_k * context + 1e-9)
    total = np.zeros((grid.categories, own.shape[1]))
    np.add.at(total, grid.category.numpy(), own)
    return own / total[grid.category.numpy()]


def _is_open(grid, g, w):
    return bool((grid.on_shelf[grid.category == g, w] > 0).any())


def autoregressive_covariance(process, periods):
    """Return the covariance [W, W] of an Autoregression."""
    lag = np.abs(np.subtract.outer(np.arange(periods), np.arange(periods)))
    return process.spread**2 * process.persistence ** lag.astype(float)


def dense_system(market, state, widths, common_precision):
    """Return the system at a state, the information of the choices taken by its diagonal N p (1 − p)."""
    grid, layout = market.grid, market.layout
    products, categories, periods, width = len(grid.row), grid.categories, grid.columns.periods, layout.width
    size = (products + categories) * (width + periods) + width
    dense = Dense(np.zeros((size, size)), np.zeros(size), products, categories, width, periods)
    category, segments = grid.category.tolist(), layout.segments
    for cell in cells_of(market, state, dense):
        dense.precision[:] += cell.weight * np.outer(cell.row, cell.row)
        dense.gradient[:] += cell.residual * cell.derivative
    for j in range(products):
        of_product, of_category = dense.product(j), dense.category(category[j])
        dense.gradient[of_product[segments : 2 * segments]] -= state.pull[j].numpy()
        difference = dense.unit(of_product[:width]) - dense.unit(of_category[:width])
        _add_prior(dense, difference, state.z[j] - state.theta[category[j]], widths.product.numpy())
        covariance = float(state.shock_scale[category[j]]) ** 2 * autoregressive_covariance(widths.shock, periods)
        _add_prior(dense, dense.unit(of_product[width:]), state.shock[j], covariance)
    for g in range(categories):
        difference = dense.unit(dense.category(g)[:width]) - dense.unit(dense.common)
        _add_prior(dense, difference, state.theta[g] - state.mu, widths.category.numpy())
        covariance = autoregressive_covariance(widths.season, periods)
        _add_prior(dense, dense.unit(dense.category(g)[width:]), state.season[g], covariance)
        if widths.elasticity is not None:
            over_segments = dense.unit(dense.category(g)[segments : 2 * segments]).mean(0, keepdims=True)
            _add_prior(dense, over_segments, _from_published(state.theta[[g]], widths, segments), _published(widths))
    weak = np.diag(1 / common_precision.numpy())
    _add_prior(dense, dense.unit(dense.common), state.mu - state.mu_start, weak)
    return dense


def _from_published(theta, widths, segments):
    """Return by how much the mean log sensitivities of categories exceed what published elasticities say, [G]."""
    prior = widths.elasticity
    expected = np.log(prior.mean * prior.of_choices) - prior.spread**2 / 2
    return theta[:, segments : 2 * segments].mean(1) - expected


def _published(widths):
    return np.array([[widths.elasticity.spread**2]])


def _add_prior(dense, rows, value, covariance):
    precision = np.linalg.inv(covariance)
    dense.precision[:] += rows.T @ precision @ rows
    dense.gradient[:] -= rows.T @ precision @ value.numpy()


def sensitivity_of(state, segments, j, s):
    """Return E exp(β) of one product and segment."""
    return np.exp(float(state.z[j, segments + s] + state.variance[j, s] / 2))


def utility_of(grid, state, segments, j, s, w):
    """Return the utility of one cell."""
    g = int(grid.category[j])
    common = grid.context[j, w] @ state.z[j, 2 * segments :] + state.season[g, w] + state.shock[j, w]
    shortfall = float(state.dissimilarity[g]) - 1
    lift = shortfall * lift_of(grid, state, segments, g, s, w)[0] if shortfall else 0.0
    return (
        float(state.z[j, s] - sensitivity_of(state, segments, j, s) * grid.move[j, w] + common + grid.offset[j, w])
        + lift
    )


def log_posterior(market, state, widths, common_precision):
    """Return the log of likelihood × priors of the unknowns, which autograd can derive."""
    grid, counts, segments = market.grid, market.counts, market.layout.segments
    total = torch.zeros((), dtype=torch.float64)
    level, slope, effect = state.z.split([segments, segments, state.z.shape[1] - 2 * segments], dim=1)
    for g in range(grid.categories):
        members = torch.nonzero(grid.category == g)[:, 0]
        shared = (grid.context[members] * effect[members, None]).sum(2) + state.season[g] + state.shock[members]
        u = level[members, :, None] - slope[members, :, None].exp() * grid.move[members, None] + shared[:, None]
        u = u + grid.offset[members, None]
        total = total + (counts.bought[members] * u).sum()
        weight = (u.exp() * grid.on_shelf[members, None]).sum(0)
        is_open = grid.on_shelf[members].sum(0) > 0
        total = total - (counts.visits[g] * torch.log(grid.has_outside_option + weight))[:, is_open].sum()
    priors = (
        (state.z - state.theta[grid.category], widths.product.numpy()),
        (state.theta - state.mu, widths.category.numpy()),
        (state.season, autoregressive_covariance(widths.season, grid.columns.periods)),
        (
            state.shock / state.shock_scale[grid.category, None],
            autoregressive_covariance(widths.shock, grid.columns.periods),
        ),
        ((state.mu - state.mu_start)[None], np.diag(1 / common_precision.numpy())),
    )
    if widths.elasticity is not None:
        priors += ((_from_published(state.theta, widths, segments)[:, None], _published(widths)),)
    for value, covariance in priors:
        precision = torch.from_numpy(np.linalg.inv(covariance))
        total = total - 0.5 * ((value @ precision) * value).sum()
    return total
