"""Gaps: periods in which a product was missing on the shelf although its earlier sales put it there.

A sales log does not record availability, and the earlier periods that define the shelf cannot foresee a gap (see
data/shelf/shelf.py). A product that was expected to sell ten units and sold none was not there. Counted as a zero at
the usual price, a gap widens the estimated shocks of all products, and the switch of its buyers to other products looks
random.

Whether periods without a sale are a gap follows from the frequency of gaps and from the probability of no sale if the
product was available (a zero-inflated count model: Lambert 1992). The unknown shocks of the product in a run of such
periods are integrated out, given those of the periods around the run that have sales: otherwise each period of a long
gap would find the others' zeros in its shock, and think its own likely. A run as a whole is no likelier than its
least likely period. A product may be missing when the log ends, sold out or delisted. How often missing products return
says how likely it is on the shelf in later periods, which its appeal there takes into account.

On synthetic markets (data=synthetic, seeds 101 to 107, true types) 1 in 40 product-periods is a gap. Learned
sensitivities are 4 to 5 % too low with them, 1 to 3 % without. On Complete Journey, one shelf for a chain, there
is none. In a simulated electronics shop, 217 of 4,959 periods are: products of old models, four weeks each after their
last sale.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.response.fitting.fit import Fit
from gpu_pricer.network.response.grid.grid import CELLS, FLOAT, Counts, Grid

FIRST_RATE, LEAST_RATE, STEPS = 0.01, 1e-9, 50  # of gaps; EM's, which settles in a few
PRIOR_RETURNS, PRIOR_PERIODS = 0.5, 1.0  # of missing products, before any is seen: half of them return in a period
AGES = 6  # of gaps, in periods; the last: or longer
ALIKE = 2.0  # periods of gaps of any age, by which the rate of return of each age is known beforehand
MOST_ABSENT = 0.999  # probability, so that a product that is gone keeps an appeal
NODES = 9  # of the quadrature over a shock


@dataclass(frozen=True)
class Gaps:
    """Which products are missing.

    missing: bool [P, W], likelier missing than not. at_end [P]: the probability that a product is missing in the last
    period that teaches, 0 where it is likelier there. last: number of that period. age [P]: periods without a sale
    until then. returning [AGES]: the probability that a product that is missing for 1, 2, … periods is back a period
    later: goods that sold out return soon, and what is missing for long has been delisted.
    """

    missing: Tensor
    at_end: Tensor
    last: int
    age: Tensor
    returning: Tensor

    def log_there(self, period: int) -> Tensor:
        """Return the log of the probability that a product is on the shelf in a period after the last, [P]."""
        absent = self.at_end.clone()
        for later in range(period - self.last):
            absent *= 1 - self.returning[_age_class(self.age + later)]
        return torch.log1p(-absent.clamp(max=MOST_ABSENT))


def find_gaps(fit: Fit) -> Gaps:
    """Return the gaps; fit: of all users as one segment, W: periods."""
    assert isinstance(fit.counts, Counts)
    sold = fit.counts.bought.sum(1)
    expected = (fit.counts.visits.sum(1)[fit.grid.category] * fit.grid.on_shelf) > 0
    is_zero, none = expected & (sold == 0), _chance_of_run(fit, sold > 0, expected)
    rate = FIRST_RATE
    for _ in range(STEPS):
        gap = torch.where(is_zero, rate / (rate + (1 - rate) * none), 0.0)
        rate = max(float(gap.sum() / expected.sum()), LEAST_RATE)
    missing, last = gap > 0.5, int(expected.any(0).nonzero().max())
    age = torch.arange(sold.shape[1]) - _last_sold(sold > 0)
    returning = _rates_of_return(missing[:, :last], sold[:, 1 : last + 1] > 0, age[:, :last])
    return Gaps(missing, gap[:, last] * missing[:, last], last, age[:, last], returning)


def without_gaps(grid: Grid, gaps: Gaps) -> Grid:
    """Return the grid with its products off the shelf in their gaps, and later as likely there as gaps say."""
    of_columns = grid.columns.period
    is_there = (~gaps.missing[:, of_columns]).to(FLOAT)
    parts = {name: getattr(grid, name) * is_there for name in CELLS}
    later = range(gaps.last + 1, grid.columns.periods)
    offset = torch.zeros(len(is_there), grid.columns.periods, dtype=FLOAT)
    for period in later:
        offset[:, period] = gaps.log_there(period)
    parts["offset"] += offset[:, of_columns] * grid.on_shelf
    next_offset = grid.next_offset + gaps.log_there(grid.columns.periods - 1 + grid.periods_ahead)
    return replace(grid, context=grid.context * is_there[:, :, None], next_offset=next_offset, **parts)


def _rates_of_return(missing: Tensor, is_back: Tensor, age: Tensor) -> Tensor:
    """Return the probabilities that products that are `missing` sell a period later, by their age, [AGES].

    missing, is_back, age [P, W]: of the periods before the last.
    """
    of_age = _age_class(age[missing])
    lost = torch.bincount(of_age, minlength=AGES).to(FLOAT)
    back = torch.bincount(of_age[is_back[missing]], minlength=AGES).to(FLOAT)
    rate = (PRIOR_RETURNS + back.sum()) / (PRIOR_PERIODS + lost.sum())
    return (ALIKE * rate + back) / (ALIKE + lost)


def _age_class(age: Tensor) -> Tensor:
    return age.clamp(1, AGES) - 1


def _last_sold(is_sold: Tensor) -> Tensor:
    """Return the last period with a sale until each period, [P, W]; −1 without."""
    return torch.where(is_sold, torch.arange(is_sold.shape[1]), -1).cummax(1).values


def _chance_of_run(fit: Fit, is_sold: Tensor, expected: Tensor) -> Tensor:
    """Return at most how likely the run of periods without a sale is that a period lies in, [P, W].

    is_sold, expected [P, W]: periods of a product with a sale, and those in which it could have had one.
    """
    periods, last = torch.arange(is_sold.shape[1]), _last_sold(is_sold)
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
