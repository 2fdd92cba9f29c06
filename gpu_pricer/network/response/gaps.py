"""Gaps: periods in which a product was missing on the shelf although its earlier sales put it there.

A sales log does not record availability, and the earlier periods that define the shelf cannot foresee a gap (see
data/shelf.py). A product that was expected to sell ten units and sold none was not there. Counted as a zero at the
usual price, a gap widens the estimated shocks of all products, and the switch of its buyers to other products looks
random.

Whether a period without a sale is a gap follows from the frequency of gaps and from the probability of no sale if the
product was available (a zero-inflated count model: Lambert 1992). The unknown shock of the product in that period is
integrated out, given the neighbouring periods. The last periods of a product that stopped selling are no gaps: it may
have been delisted, and its shock must carry this to the priced period.

On synthetic markets (data=synthetic, seeds 101 to 107, true types) 1 in 40 product-periods is a gap. Learned
sensitivities are 4 to 5 % too low with them, 1 to 3 % without. On Complete Journey, one shelf for a chain, 17 of 65,739
periods are gaps (2026-11).
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.response.fit import Fit
from gpu_pricer.network.response.grid import CELLS, FLOAT, Counts, Grid
from gpu_pricer.network.response.model import utility

FIRST_RATE, LEAST_RATE, STEPS = 0.01, 1e-9, 50  # of gaps; EM's, which settles in a few
NODES = 9  # of the quadrature over a shock


def find_gaps(fit: Fit) -> Tensor:
    """Return the periods that are likelier gaps than not, bool [P, W]; fit: of all users as one segment, W: periods."""
    assert isinstance(fit.counts, Counts)
    sold = fit.counts.bought.sum(1)
    expected = (fit.counts.visits.sum(1)[fit.grid.category] * fit.grid.on_shelf) > 0
    is_zero, none = expected & (sold == 0), _chance_of_no_sale(fit, fit.counts.visits)
    rate = FIRST_RATE
    for _ in range(STEPS):
        gap = torch.where(is_zero, rate / (rate + (1 - rate) * none), 0.0)
        rate = max(float(gap.sum() / expected.sum()), LEAST_RATE)
    last = int(expected.any(0).nonzero().max())
    sells_later = sold.flip(1).cumsum(1).flip(1) > 0
    return (gap > 0.5) & (sells_later | ~expected[:, last, None])


def without_gaps(grid: Grid, gaps: Tensor) -> Grid:
    """Return the grid with its products off the shelf in their gaps, bool [P, W]."""
    is_there = (~gaps).to(FLOAT)
    parts = {name: getattr(grid, name) * is_there for name in CELLS}
    return replace(grid, context=grid.context * is_there[:, :, None], **parts)


def _chance_of_no_sale(fit: Fit, visits: Tensor) -> Tensor:
    """Return the probability that nobody chooses a product that is on the shelf, [P, W]; visits [G, S, W]."""
    grid = fit.grid
    shock, spread = fit.widths.shock.given_others(fit.state.shock)
    spread = (fit.state.shock_scale[grid.category, None] * spread)[:, grid.columns.spans_of()]
    beside = replace(fit.state, shock=shock)
    expected = (grid.shares(utility(grid, beside, fit.layout)) * visits[grid.category]).sum(1)
    node, weight = np.polynomial.hermite_e.hermegauss(NODES)
    none = torch.zeros_like(expected)
    for place, share in zip(node, weight / weight.sum(), strict=True):
        none += share * torch.exp(-expected * torch.exp(place * spread))
    return none
