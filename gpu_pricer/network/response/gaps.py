"""Gaps: periods in which a product was missing on the shelf although its earlier sales put it there.

A sales log does not record availability, and the earlier periods that define the shelf cannot foresee a gap (see
data/shelf.py). A product that was expected to sell ten units and sold none was not there. Counted as a zero at the
usual price, a gap widens the estimated shocks of all products, and the switch of its buyers to other products looks
random.

Whether periods without a sale are a gap follows from the frequency of gaps and from the probability of no sale if the
product was available (a zero-inflated count model: Lambert 1992). The unknown shocks of the product in a run of such
periods are integrated out, given those of the periods around the run that have sales: otherwise each period of a long
gap would find the others' zeros in its shock, and think its own likely. A run as a whole is no likelier than its
least likely period. The last periods of a product that stopped selling are no gaps if it is on the shelf at the end: it
may have been delisted, and its shock must carry this to the priced period.

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

FIRST_RATE, LEAST_RATE, STEPS = 0.01, 1e-9, 50  # of gaps; EM's, which settles in a few
NODES = 9  # of the quadrature over a shock


def find_gaps(fit: Fit) -> Tensor:
    """Return the periods that are likelier gaps than not, bool [P, W]; fit: of all users as one segment, W: periods."""
    assert isinstance(fit.counts, Counts)
    sold = fit.counts.bought.sum(1)
    expected = (fit.counts.visits.sum(1)[fit.grid.category] * fit.grid.on_shelf) > 0
    is_zero, none = expected & (sold == 0), _chance_of_run(fit, sold > 0, expected)
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


def _chance_of_run(fit: Fit, is_sold: Tensor, expected: Tensor) -> Tensor:
    """Return at most how likely the run of periods without a sale is that a period lies in, [P, W].

    is_sold, expected [P, W]: periods of a product with a sale, and those in which it could have had one.
    """
    periods = torch.arange(is_sold.shape[1])
    last = torch.where(is_sold, periods, -1).cummax(1).values
    following = torch.where(is_sold, periods, len(periods)).flip(1).cummin(1).values.flip(1)
    none = torch.where(expected, _chance_of_no_sale(fit, last, following), 1.0)
    of_run = torch.ones(len(none), len(periods) + 1, dtype=FLOAT)
    return of_run.scatter_reduce(1, last + 1, torch.where(is_sold, 1.0, none), "amin").gather(1, last + 1)


def _chance_of_no_sale(fit: Fit, last: Tensor, following: Tensor) -> Tensor:
    """Return the probability that nobody chooses a product that is on the shelf, [P, W].

    last, following [P, W]: the last period with a sale and the next one; −1 and W without. Shocks between them are
    unknown.
    """
    assert isinstance(fit.counts, Counts)
    shock, spread = _shock_between(fit, last, following)
    shares = fit.grid.shares(fit.utility())
    moved = shares * (shock - fit.state.shock[:, fit.grid.columns.spans_of()]).exp()[:, None]
    expected = (moved / (1 - shares + moved) * fit.counts.visits[fit.grid.category]).sum(1)
    spread = spread * fit.state.shock_scale[fit.grid.category, None]
    node, weight = np.polynomial.hermite_e.hermegauss(NODES)
    none = torch.zeros_like(expected)
    for place, share in zip(node, weight / weight.sum(), strict=True):
        none += share * torch.exp(-expected * torch.exp(place * spread))
    return none


def _shock_between(fit: Fit, last: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation, before shock_scale, of the shocks given those with sales, [P, W]."""
    span = fit.grid.columns.spans_of()
    ends = len(span) - 1
    since, until = ((span - span[at.clamp(0, ends)]).abs().to(FLOAT) for at in (last, following))
    before, after = (fit.state.shock.gather(1, span[at.clamp(0, ends)]) for at in (last, following))
    since, until = torch.where(last < 0, torch.inf, since), torch.where(following > ends, torch.inf, until)
    return fit.widths.shock.between(before, since, after, until)
