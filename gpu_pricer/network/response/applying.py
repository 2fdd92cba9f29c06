"""The learned price response in a demand artefact."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.errors import InputError
from gpu_pricer.network.response.controls import EndogeneityConfig
from gpu_pricer.network.response.fit import Fit, FitConfig, fit_response
from gpu_pricer.network.response.grid import FLOAT, Grid
from gpu_pricer.network.response.posterior import draw_deviations, posterior_table
from gpu_pricer.tables.artefact import DemandArtefact


@dataclass(frozen=True)
class ResponseConfig:
    """How the segments' price response is learned from what they bought.

    min_price_coverage: products whose price was seen less often teach nothing; carry_periods: the pricing period takes
    the mean promotion of so many last ones; draws: of the posterior, 0 for none.
    """

    endogeneity: EndogeneityConfig
    fit: FitConfig
    min_price_coverage: float
    carry_periods: int
    draws: int

    def __post_init__(self) -> None:
        require_number("response.min_price_coverage", self.min_price_coverage, least=0, most=1)
        require_integer("response.carry_periods", self.carry_periods, 1)
        require_integer("response.draws", self.draws, 0)


def with_response(artefact: DemandArtefact, fit: Fit, config: ResponseConfig, seed: int) -> DemandArtefact:
    """Return the artefact with the sensitivities of the fit, levels to go with them, and draws of their posterior.

    A product that taught nothing takes its category's sensitivity, or where none of the category taught the one that
    is expected of any product, and keeps its appeal at the reference price. InputError where the artefact is not
    dense.
    """
    require_dense(artefact.info.form)
    row = fit.grid.row.numpy()
    appeal, sensitivity = artefact.factors["appeal"].copy(), artefact.factors["sensitivity"].copy()
    sensitivity[:] = fit.common_sensitivity()[:, None].numpy()
    names = artefact.products["category_id"].to_list()
    taught = [names[row[first]] for first in np.flatnonzero(np.diff(fit.grid.category.numpy(), prepend=-1))]
    of_category = dict(zip(taught, fit.category_sensitivity().numpy().T, strict=True))
    for place, name in enumerate(names):
        if name in of_category:
            sensitivity[:, place] = of_category[name]
    sensitivity[:, row] = fit.sensitivity.numpy()
    appeal[:, row] = fit.next_appeal(recent_context(fit.grid, config.carry_periods)).numpy()
    posterior = None
    if config.draws:
        untaught = pl.DataFrame({"category_id": names, "is_known": artefact.products["product_id"].is_not_null()})
        size = dict(untaught.group_by("category_id").agg(pl.col("is_known").sum()).iter_rows())
        left = torch.tensor([size[name] for name in taught]) - torch.bincount(fit.grid.category)
        drawn = draw_deviations(fit, left, config.draws, seed)
        posterior = posterior_table(artefact.segments["segment_id"], taught, drawn)
    return replace(artefact, factors={"appeal": appeal, "sensitivity": sensitivity}, posterior=posterior)


def require_dense(form: str) -> None:
    """Raise InputError unless the form of an artefact can hold a response for every segment and product."""
    if form != "dense":
        raise InputError(
            "train.export.form must be dense, since factors cannot hold the learned price response, found "
            f"{form!r}: set train.export.form=dense"
        )


def without_controls(fit: Fit, config: FitConfig) -> Fit:
    """Return the fit of the same counts that takes prices as they are."""
    grid = fit.grid
    kept = grid.context.shape[2] - grid.controls
    context = grid.context[:, :, :kept] if kept else torch.zeros_like(grid.context[:, :, :1])
    return fit_response(replace(grid, context=context, controls=0), fit.counts, config)


def recent_context(grid: Grid, periods: int) -> torch.Tensor:
    """Return each product's mean context over the last periods on the shelf, 0 for controls, [P, C]."""
    shelf, context = grid.on_shelf[:, -periods:], grid.context[:, -periods:]
    mean = context.sum(1) / shelf.sum(1).clamp(min=1)[:, None]
    is_context = torch.arange(context.shape[2]) < context.shape[2] - grid.controls
    return mean * is_context.to(FLOAT)
