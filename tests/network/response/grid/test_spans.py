"""Many periods share the season and shock of a span, so that a pass costs no more than so many spans."""

from dataclasses import replace

import torch

from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.grid import grid_columns as module
from gpu_pricer.network.response.grid.grid import Counts
from tests.network.segments.user_log import draw


def test_periods_of_a_span_that_are_alike_count_like_one(monkeypatch):
    drawn = draw(sensitivity=(2.5,), periods=8)
    counts = drawn.log.pooled(drawn.grid)
    cut = Counts(*(part.repeat_interleave(3, dim=2) / 3 for part in (counts.bought, counts.visits)))
    cells = {name: getattr(drawn.grid, name).repeat_interleave(3, dim=1) for name in ("on_shelf", "move", "offset")}
    longer = replace(
        drawn.grid,
        columns=module.GridColumns.of_periods(24),
        context=drawn.grid.context.repeat_interleave(3, dim=1),
        **cells,
    )
    expected = fit_response(drawn.grid, counts, FitConfig(10, 0.01, None))

    monkeypatch.setattr(module, "MOST_SPANS", 8)
    found = fit_response(longer, cut, FitConfig(10, 0.01, None))

    assert found.state.shock.shape == (len(longer.row), 8)
    torch.testing.assert_close(found.sensitivity, expected.sensitivity)
    torch.testing.assert_close(found.state.shock, expected.state.shock)
    torch.testing.assert_close(found.utility()[:, :, ::3], expected.utility())


def test_spans_have_as_equally_many_periods_as_can_be(monkeypatch):
    monkeypatch.setattr(module, "MOST_SPANS", 7)
    grid = draw(sensitivity=(2.5,), periods=24).grid

    span = grid.columns.span_of_periods()

    assert span.unique().tolist() == list(range(7))
    assert sorted(span.bincount().unique().tolist()) == [3, 4]
    assert (span.diff() >= 0).all()
