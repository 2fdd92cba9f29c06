"""The memory that scores of categories take beside the log."""

from dataclasses import replace

import torch

from gpu_pricer.network.response.grid.grid import UserLog
from gpu_pricer.network.response.model import cells_of
from gpu_pricer.network.segments.category_scores import category_scores
from tests.network.peak_bytes import PeakBytes
from tests.network.segments.user_log import CATEGORIES, PRODUCTS, draw

COPIES = 128  # of the drawn products, each with its own categories
MOST_BYTES = 8


def test_scores_take_few_bytes_for_a_choice():
    """The order of all choices alone would take 8 bytes each, and sorting them takes as much again."""
    drawn, peaks = draw(sensitivity=(2.0,), users=25), []
    cells = cells_of(drawn.grid, drawn.pooled.state, drawn.pooled.layout)
    share, slope = (values[:, 0].repeat(COPIES, 1) for values in (cells.share, cells.slope))
    category = torch.cat([drawn.grid.category + k * CATEGORIES for k in range(COPIES)])
    grid = replace(drawn.grid, category=category, row=torch.arange(COPIES * PRODUCTS))
    parts = [torch.arange(grid.columns.periods) % 4 == fold for fold in range(4)]
    for times in (2, 6):
        log = _copied(drawn.log, times)
        with PeakBytes() as made:
            for _ in category_scores(grid, log, share, slope, parts):
                pass
        peaks.append((len(log.user), made.peak))

    (few, low), (many, high) = peaks
    assert (high - low) / (many - few) <= MOST_BYTES


def _copied(log: UserLog, times: int) -> UserLog:
    """Return the log with every choice so many times, for each copy of the products."""
    user, product, period = (values.int().repeat(times) for values in (log.user, log.product, log.column))
    product = (product + PRODUCTS * torch.arange(COPIES, dtype=torch.int32)[:, None]).flatten()
    return UserLog(
        user.repeat(COPIES), product, period.repeat(COPIES), torch.ones(len(product)), None, log.visits, None
    )
