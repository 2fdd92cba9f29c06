"""Gaps: periods in which a product was missing on the shelf although its earlier sales put it there.

A log does not say what was on the shelf, and the periods before a gap know nothing of it (see data/shelf.py). A product
that would have sold ten units and sold none was not there. Taken for a zero at the usual price, a gap widens the shocks
of all products and sends the buyers of the product to its rivals for no reason that the model knows of.

Whether a period without a sale is a gap follows from how often that happens and from how rare it would be on the shelf
(a mixture, as zero-inflated counts: Lambert 1992). The shock of the product in that period is unknown: what the periods
beside it let expect is integrated out. A product that is on the shelf at the end and sells no more may have left: these
last periods are no gaps, because its shock says so to the periods to come.

On synthetic markets (data=synthetic, seeds 101 to 107, true types) a fortieth of the shelf is gaps. Learned
sensitivities are 4 to 5 % too low with them, 1 to 3 % without. On Complete Journey, one shelf for a chain, 17 of 65,739
periods are gaps (2026-11).
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.response.fit import Fit
from gpu_pricer.network.response.grid import FLOAT, Counts, Grid
from gpu_pricer.network.response.model import utility

FIRST_RATE, LEAST_RATE, STEPS = 0.01, 1e-9, 50  # of gaps; EM's, which settles in a few
NODES = 9  # of the quadrature over a shock


def find_gaps(fit: Fit) -> Tensor:
    """Return the periods that are likelier gaps than not, bool [P, W]; fit: of all users as one segment."""
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
    cut = ("on_shelf", "move", "offset", "unit_offset")
    parts = {name: getattr(grid, name) * is_there for name in cut}
    return replace(grid, context=grid.context * is_there[:, :, None], **parts)


def _chance_of_no_sale(fit: Fit, visits: Tensor) -> Tensor:
    """Return the probability that nobody chooses a product that is on the shelf, [P, W]; visits [G, S, W]."""
    grid = fit.grid
    shock, spread = fit.widths.shock.given_others(fit.state.shock)
    beside = replace(fit.state, shock=shock)
    expected = (grid.shares(utility(grid, beside, fit.layout)) * visits[grid.category]).sum(1)
    node, weight = np.polynomial.hermite_e.hermegauss(NODES)
    none = torch.zeros_like(expected)
    for place, share in zip(node, weight / weight.sum(), strict=True):
        none += share * torch.exp(-expected * torch.exp(place * spread[grid.span_of_periods()]))
    return none
