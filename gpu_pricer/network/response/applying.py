"""The learned price response in a demand artefact."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch

from gpu_pricer.checks import require_flag, require_integer
from gpu_pricer.errors import InputError
from gpu_pricer.network.model.price_bend import bent, steepness
from gpu_pricer.network.response.category_outlook import category_outlook
from gpu_pricer.network.response.fitting.fit import Fit, FitConfig, fit_response
from gpu_pricer.network.response.grid.controls import EndogeneityConfig
from gpu_pricer.network.response.grid.grid import FLOAT, Grid
from gpu_pricer.network.response.posterior import draw_deviations, posterior_table
from gpu_pricer.network.response.quantities import Quantities
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.artefact.demand_of_units import (
    at_reference_prices,
    demand_of_units,
    logit_of_units,
    most_units,
    with_nests,
)


@dataclass(frozen=True)
class ResponseConfig:
    """How the segments' price response is learned from what they bought.

    nested: whether how far prices move buyers into and out of a category is learned too (see fitting/dissimilarity.py).
    carry_periods: the pricing period takes the mean promotion of so many last ones. draws: of the posterior, 0 for
    none.
    """

    endogeneity: EndogeneityConfig
    fit: FitConfig
    nested: bool
    carry_periods: int
    draws: int

    def __post_init__(self) -> None:
        require_flag("response.nested", self.nested)
        require_integer("response.carry_periods", self.carry_periods, 1)
        require_integer("response.draws", self.draws, 0)


def with_response(
    artefact: DemandArtefact,
    fit: Fit,
    quantities: Fit | None,
    config: ResponseConfig,
    seed: int,
    price_ratio: np.ndarray,
) -> DemandArtefact:
    """Return the artefact with the sensitivities of the fits, levels to go with them, and draws of their posterior.

    It also says of each category what season the levels hold, and how far its own sales told its sensitivities.

    quantities: the response of the segments' units per choice, None where all purchases are of one unit. The artefact's
    demand is then that of units, see tables/artefact/demand_of_units.py; its units_per_choice and quantity_sensitivity
    are means over the segments, by their choices.
    price_ratio [P]: today's prices over the reference prices. The utility of an artefact is linear in the price. If the
    response is bent (see model/price_bend.py), or units per choice respond to prices, it is the tangent at today's
    price. A product that taught nothing gets the sensitivity of its category or, if no product of the category taught,
    the one expected of any product, times the effect of its attributes. It keeps its appeal and its units per choice at
    the reference price. InputError where the artefact is not dense.
    """
    require_dense(artefact.info.form)
    row, names = fit.grid.row.numpy(), artefact.products["category_id"]
    taught = _taught(fit, artefact.products)
    context = recent_context(fit.grid, config.carry_periods)
    appeal, sensitivity = artefact.factors["appeal"].copy(), _sensitivities(fit, names, taught)
    appeal[:, row] = fit.next_appeal(context).numpy()
    posterior = None
    if config.draws:
        silent, size = _untaught(fit, artefact.products, taught), _size_of_others(artefact.products, taught)
        drawn = draw_deviations(fit, silent, config.draws, seed, quantities, size)
        posterior = posterior_table(artefact.segments["segment_id"], taught, drawn)
    categories = category_outlook(fit, taught)
    learned = replace(artefact, factors={"appeal": appeal, "sensitivity": sensitivity}, posterior=posterior)
    ratio = _touched_at(price_ratio, fit.grid.bend, quantities)
    choices = _bent_at_prices(learned, fit.grid.bend, ratio)
    if quantities is None:
        return at_reference_prices(with_nests(choices, categories), ratio)
    elasticity, share = _sensitivities(quantities, names, taught), _shares_of_choices(quantities)
    fallen = ratio**-elasticity
    units = artefact.products["units_per_choice"].to_numpy() * (share @ fallen)
    units[row] = share @ (quantities.next_appeal(context).exp().numpy() * fallen[:, row])
    choices = replace(choices, products=artefact.products.with_columns(units_per_choice=pl.Series(units)))
    slope = (elasticity / ratio).astype(np.float32)
    return at_reference_prices(demand_of_units(choices, categories, slope, share), ratio)


def with_units_of(
    artefact: DemandArtefact,
    members: DemandArtefact,
    bend: float,
    quantities: Fit | None,
    segment: np.ndarray,
    price_ratio: np.ndarray,
) -> DemandArtefact:
    """Return the dense members, whose demand is of choices, with the units per choice of their segments and the nests.

    artefact, quantities, price_ratio: as with_response returns and takes them. bend: of the members' response. segment
    [U]: of the members.
    """
    units = artefact.products.select("product_id", "units_per_choice", "quantity_sensitivity").with_row_index("row")
    products = members.products.drop("units_per_choice", "quantity_sensitivity")
    products = products.join(units, on="product_id", how="left", maintain_order="left")
    rows = products["row"].to_numpy()
    ratio = _touched_at(price_ratio[rows], bend, quantities)
    found = _bent_at_prices(members, bend, ratio)
    if quantities is not None:
        taught = _taught(quantities, artefact.products)
        elasticity = _sensitivities(quantities, artefact.products["category_id"], taught)
        slope, share = (elasticity / price_ratio).astype(np.float32), _shares_of_choices(quantities)
        most = most_units(share @ (artefact.factors["sensitivity"] - slope), share @ slope)
        found = logit_of_units(found, slope[:, rows][segment], most[rows])
    found = replace(found, products=products.select(members.products.columns))
    return at_reference_prices(found if artefact.categories is None else with_nests(found, artefact.categories), ratio)


def _touched_at(price_ratio: np.ndarray, bend: float, quantities: Fit | None) -> np.ndarray:
    """Return the prices over the reference at which the artefact touches the response; 1 where both are straight."""
    return price_ratio if bend or quantities is not None else np.ones_like(price_ratio)


def _bent_at_prices(logit: DemandArtefact, bend: float, price_ratio: np.ndarray) -> DemandArtefact:
    """Return the dense logit with the appeals and slopes that a bent response has at prices [P] over the reference."""
    move, b = torch.from_numpy(price_ratio - 1), logit.factors["sensitivity"]
    fallen, steep = (function(move, bend).numpy() for function in (bent, steepness))
    factors = {"appeal": logit.factors["appeal"] - b * fallen, "sensitivity": b * steep}
    factors = {name: factor.astype(np.float32) for name, factor in factors.items()}
    return replace(logit, info=replace(logit.info, bend=float(bend)), factors=factors)


def _taught(fit: Fit, products: pl.DataFrame) -> list[str]:
    """Return the names of the fit's categories, [G]; products: of the artefact."""
    first = np.diff(fit.grid.category.numpy(), prepend=-1) > 0
    return products["category_id"].gather(fit.grid.row.numpy()[first]).to_list()


def _shares_of_choices(quantities: Fit) -> np.ndarray:
    """Return the share of each segment in the choices whose units are known, [S]."""
    counts = quantities.counts
    assert isinstance(counts, Quantities)
    choices = counts.choices.sum((0, 2))
    return (choices / choices.sum()).numpy()


def _sensitivities(fit: Fit, names: pl.Series, taught: list[str]) -> np.ndarray:
    """Return float32 sensitivities [S, P] of products of these categories [P]; taught [G]: names of the fit's own."""
    beside = fit.common_sensitivity()[:, None]
    known = torch.cat([fit.category_sensitivity(), beside], dim=1).float().numpy()
    category = names.replace_strict(taught, range(len(taught)), default=len(taught), return_dtype=pl.Int64).to_numpy()
    sensitivity = known[:, category] * fit.told_by_attributes(len(names)).exp().float().numpy()
    sensitivity[:, fit.grid.row.numpy()] = fit.sensitivity.float().numpy()
    return sensitivity


def _untaught(fit: Fit, products: pl.DataFrame, taught: list[str]) -> list[torch.Tensor]:
    """Return what attributes say of the known products of each taught category that taught nothing, [n] each."""
    told = pl.Series("told", fit.told_by_attributes(products.height).numpy())
    rows = products.select("category_id", told, is_known=pl.col("product_id").is_not_null()).with_row_index("row")
    silent = rows.filter("is_known", ~pl.col("row").is_in(fit.grid.row.numpy()))
    of_category = silent.group_by("category_id", maintain_order=True).agg("told")
    found = dict(of_category.iter_rows())
    return [torch.tensor(found.get(name, []), dtype=FLOAT) for name in taught]


def _size_of_others(products: pl.DataFrame, taught: list[str]) -> float:
    """Return how many products the categories that taught nothing have on average; 0 without any."""
    others = products.filter(pl.col("product_id").is_not_null(), ~pl.col("category_id").is_in(taught))
    return others.height / max(others["category_id"].n_unique(), 1)


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
    return fit_response(replace(grid, context=context, controls=0, next_ages=grid.next_ages[:, :0]), fit.counts, config)


def recent_context(grid: Grid, periods: int) -> torch.Tensor:
    """Return the context of the priced period, [P, C]: each product's mean over the last periods on the shelf.

    Controls are the same for all products, the mean over them: where all prices rose and demand did not fall, as with
    inflation, this stays. What moved the prices of one product or category is taken for demand that passes. Those of
    ages are known.
    """
    columns = grid.columns
    recent = (columns.period >= columns.periods - periods) & columns.is_usual()  # each period counts once
    shelf, context = grid.on_shelf[:, recent], grid.context[:, recent]
    known = shelf.sum(1)
    mean = context.sum(1) / known.clamp(min=1)[:, None]
    if grid.controls and bool(known.any()):
        mean[:, -grid.controls :] = mean[known > 0, -grid.controls :].mean(0)
    kept = mean.shape[1] - grid.next_ages.shape[1]
    return torch.cat([mean[:, :kept], grid.next_ages], dim=1)
