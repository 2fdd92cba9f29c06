"""The forecast season of each category in the priced period, and the share of its response that is from the log."""

from statistics import NormalDist

import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.response.fitting.equations import equations
from gpu_pricer.network.response.fitting.fit import Fit
from kernels import INTERVAL_ENDS

WIDE = NormalDist().inv_cdf(INTERVAL_ENDS[1])
"""Standard deviations of a Gaussian between its median and the upper end of its 90 % interval."""


def category_outlook(fit: Fit, category_id: list[str]) -> pl.DataFrame:
    """Return the artefact's table of the fit's categories [G], whose ids are given.

    season: what the period to price adds to the utility of all products of the category, against a mean period of the
    log; season_low, season_high: its 5 % and 95 % quantiles. The season is forecast by its autoregression, so that the
    interval includes the uncertainty about the last period and about the change since. sensitivity_from_log: the share
    by which the category's own log lowers the variance of its products' log sensitivities below their prior variance,
    the mean over products and segments, at least 0. At 0 the sensitivities come from all categories together and from
    published elasticities. prior_elasticity: the mean of the published elasticities, null where the log alone teaches.
    """
    grid, season, ahead = fit.grid, fit.widths.season, fit.grid.periods_ahead
    kept = season.persistence ** (2 * ahead)
    mean = season.forecast(fit.state.season[:, -1], ahead)
    reach = WIDE * (kept * _last_season_variance(fit) + (1 - kept) * season.spread**2).sqrt()
    beta = fit.layout.log_sensitivity
    _, of_category = fit.widths.category_prior(fit.state.mu, fit.layout)
    prior = (fit.widths.product + of_category)[beta, beta].diagonal()
    left = (fit.state.variance / prior).clamp(max=1).mean(1)
    from_log = 1 - grid.sum_by_category(left) / torch.bincount(grid.category)
    columns = {
        "season": mean,
        "season_low": mean - reach,
        "season_high": mean + reach,
        "sensitivity_from_log": from_log.clamp(0, 1),
        "dissimilarity": fit.state.dissimilarity,
    }
    known = fit.widths.elasticity
    published = pl.lit(None if known is None else known.mean, pl.Float64)
    ids = pl.Series(category_id, dtype=pl.String)
    table = pl.DataFrame({"category_id": ids} | {name: values.numpy() for name, values in columns.items()})
    return table.with_columns(prior_elasticity=published)


def _last_season_variance(fit: Fit) -> Tensor:
    """Return the posterior variance of each category's season in the last period, [G]."""
    grid, variances = fit.grid, []
    for products, categories in grid.blocks():
        part, block = grid.part(products, categories), fit.state.part(products, categories)
        solved = equations(part, fit.counts.part(products, categories), block, fit.widths, fit.layout)
        last = len(solved.prior) - 1
        variances.append(solved.covariance(fit.state.mu_variance)[:, last, last])
    return torch.cat(variances)
