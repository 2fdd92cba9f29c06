"""What the log leaves open about the sensitivities: draws from the Gaussian approximation of their posterior."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.heartbeat import beat
from gpu_pricer.network.response.fitting.dissimilarity import LEAST, Coupling
from gpu_pricer.network.response.fitting.equations import Equations, equations
from gpu_pricer.network.response.fitting.fit import Fit
from gpu_pricer.network.response.grid.grid import FLOAT, Grid
from gpu_pricer.network.response.model import Layout, State
from gpu_pricer.network.response.threads import threads_of_one

SEEDS = 2**32  # as many as a generator of PyTorch tells apart
SILENT_CELLS = 1 << 19  # draws × products that taught nothing × segments at once, in 4 MB
STAND_INS = 100  # draws of their own for categories that taught nothing, which share them
MOST_ALIKE = 8  # products of such a category whose sensitivities are drawn one by one
LARGEST = 20.0  # log deviation that an artefact may hold; where the log shows no response, b has no lower end


@dataclass(frozen=True)
class Deviations:
    """Deviations of the log of a segment's mean sensitivity in a category from that of the artefact.

    taught [draws, S, G]: of the categories that taught. others [draws, S, K]: of K categories that taught nothing.
    """

    taught: np.ndarray
    others: np.ndarray


def draw_deviations(
    fit: Fit, untaught: list[Tensor], draws: int, seed: int, quantities: Fit | None = None, size: float = 1.0
) -> Deviations:
    """Return deviations of log sensitivities by draws from the posterior.

    The mean is over the category's products, taught or not, all counted alike, and is compared with that of the
    posterior means. untaught: of each category what attributes say of the log sensitivities of the products that taught
    nothing, [n]; their own coefficients are drawn from the category's. The artefact computes their sensitivities at the
    posterior mean of the category's coefficients. Their draws are divided by their mean over the draws of these, and so
    are centred on the artefact's values. What all categories share is drawn once; the prior widths, and what attributes
    say, are taken as known. Sensitivities go along with the dissimilarity of their category, which is drawn between its
    bounds.
    quantities: the response of the segments' units per choice, which adds to their sensitivities. Units given choices
    have a likelihood of their own, so that the two are drawn independently.
    size: how many products a category that taught nothing has on average. The sensitivities of such categories are
    drawn from the prior around what all categories share (prior predictive draws), and divided by their mean.
    """
    generator = torch.Generator().manual_seed(seed)
    with threads_of_one() as run:
        total, settled, common = _draw_totals(fit, untaught, draws, generator, run)
        if quantities is None:
            others = _draw_others(fit, common, size, generator)
        else:
            silent = [torch.zeros_like(told) for told in untaught]
            further, settled_further, common_further = _draw_totals(quantities, silent, draws, generator, run)
            total, settled = total + further, settled + settled_further
            others = _draw_others(fit, common, size, generator)
            others = others + _draw_others(quantities, common_further, size, generator)
        return Deviations(
            torch.log(total / settled).transpose(1, 2).numpy(),
            torch.log(others / others.mean((0, 1))).transpose(1, 2).numpy(),
        )


def _draw_totals(
    fit: Fit,
    untaught: list[Tensor],
    draws: int,
    generator: torch.Generator,
    run: Callable[..., Iterable[tuple[Tensor, Tensor]]],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return draws [draws, G, S] of the sums of the sensitivities in a category, and the sums at the posterior means.

    The third result is the draws [draws, D] of how far what all categories share lies from its mean.

    untaught: as in draw_deviations. run: a map over blocks, each of which has random numbers of its own, so that draws
    are the same with any number of threads.
    """
    grid, layout, state = fit.grid, fit.layout, fit.state
    beta = layout.log_sensitivity
    common = _drawn(state.mu_variance[None], draws, generator)[:, 0]
    prior = torch.linalg.cholesky(fit.widths.product[beta, beta])

    def draw(where: tuple[slice, slice], seed: int) -> tuple[Tensor, Tensor]:
        """Return the draws of a block, and its sums at the posterior means."""
        products, categories = where
        chance = torch.Generator().manual_seed(seed)
        part, block = grid.part(products, categories), state.part(products, categories)
        solved = equations(
            part, fit.counts.part(products, categories), block, fit.widths, layout, part.price_information
        )
        own, of_category = _drawn_unknowns(part, solved, common, layout, chance)
        if bool(block.nest_variance.any()):
            nested, coupling = _drawn_nests(block, draws, chance), Coupling.of(part, block, solved, layout)
            own += nested[:, part.category, None] * coupling.product[:, beta]
            of_category += nested[:, :, None] * coupling.category
        total = _by_category(torch.exp(block.z[:, beta] + block.beside[:, None] + own), part.category, part.categories)
        settled = part.sum_by_category(block.sensitivity(layout))
        theta = block.theta[:, beta] + of_category[:, :, beta]
        expected = fit.category_sensitivity().T[categories] * of_category[:, :, beta].exp().mean(0)
        for category, told in enumerate(untaught[categories]):
            for some in told.split(max(SILENT_CELLS // (draws * layout.segments), 1)):
                noise = torch.randn(draws, len(some), layout.segments, generator=chance, dtype=FLOAT) @ prior.T
                total[:, category] += torch.exp(theta[:, category, None] + some[:, None] + noise).sum(1)
            settled[category] += told.exp().sum() * expected[category]
        return total, settled

    blocks, found = list(grid.blocks()), []
    seeds = torch.randint(SEEDS, (len(blocks),), generator=generator).tolist()
    for (_, categories), sums in zip(blocks, run(draw, blocks, seeds), strict=True):
        beat("draws of the posterior: category %d of %d", categories.stop, grid.categories)
        found.append(sums)
    totals, settled = zip(*found, strict=True)
    return torch.cat(totals, dim=1), torch.cat(settled), common


def _draw_others(fit: Fit, common: Tensor, size: float, generator: torch.Generator) -> Tensor:
    """Return draws [draws, K, S] of the mean sensitivity in categories that taught nothing; see draw_deviations.

    common [draws, D]: drawn distances of what all categories share from its mean.
    """
    beta, draws, products = fit.layout.log_sensitivity, len(common), round(min(max(size, 1), MOST_ALIKE))
    mean, prior = fit.widths.category_prior(fit.state.mu, fit.layout)
    follows = prior @ torch.linalg.inv(fit.widths.category)  # how the coefficients of a category follow μ
    of_category, of_product = _root(prior[beta, beta]), _root(fit.widths.product[beta, beta])
    shape = draws, STAND_INS, fit.layout.segments
    theta = torch.randn(*shape, generator=generator, dtype=FLOAT) @ of_category
    theta += mean[beta] + (common @ follows.T)[:, None, beta]
    total = torch.zeros_like(theta)
    for _ in range(products):
        total += torch.exp(theta + torch.randn(*shape, generator=generator, dtype=FLOAT) @ of_product)
    return total / products


def posterior_table(segment_id: pl.Series, category_id: list[str], drawn: Deviations) -> pl.DataFrame:
    """Return the artefact's posterior: category_id of the categories that taught; see tables/artefact/demand_tables.py.

    Rows of the others have no category_id, and the number of a stand-in.
    """
    kinds = (
        (drawn.taught, pl.Series(category_id, dtype=pl.String), pl.repeat(None, len(category_id), dtype=pl.Int64)),
        (drawn.others, pl.repeat(None, STAND_INS, dtype=pl.String), pl.int_range(STAND_INS)),
    )
    return pl.concat(
        [
            _rows(segment_id, pl.select(category_id=category, stand_in=stand_in), values)
            for values, category, stand_in in kinds
        ]
    )


def _rows(segment_id: pl.Series, names: pl.DataFrame, drawn: np.ndarray) -> pl.DataFrame:
    """Return deviations [draws, S, n] as rows, with the names of the n columns."""
    draw, segment, column = (index.ravel() for index in np.indices(drawn.shape))
    return names[column].select(
        pl.Series("segment_id", segment_id.gather(segment)),
        "category_id",
        "stand_in",
        draw=pl.Series(draw),
        log_deviation=pl.Series(drawn.ravel().clip(-LARGEST, LARGEST).astype(np.float32)),
    )


def _drawn_unknowns(
    grid: Grid, solved: Equations, common: Tensor, layout: Layout, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return draws of how far log sensitivities [draws, n, S] and a block's categories' unknowns [draws, m, E] lie off.

    common [draws, D]: drawn distances of μ. The categories' unknowns are drawn first, all but the multipliers, which
    are such that the drawn products have the drawn movers (conditioning by kriging).
    """
    draws, until = len(common), solved.movers.stop
    taught = layout.log_sensitivity if until == len(solved.prior) else slice(layout.segments, layout.width)
    of_category = _drawn(solved.category_inverse[:, :until, :until], draws, generator)
    of_category += torch.einsum("mfd,rd->rmf", solved.follows[:, :until], common)
    own = _drawn(solved.inverse[:, taught, taught], draws, generator)
    moved = of_category[:, grid.category]
    if until > len(solved.prior):
        share = solved.nest[:, taught, until - len(solved.prior) :].diagonal(dim1=1, dim2=2)
        drawn = own + torch.einsum("nue,rne->rnu", solved.reach[:, taught, :until], moved)
        missing = of_category[:, :, solved.movers] - _by_category(share * drawn, grid.category, grid.categories)
        left = grid.sum_by_category(share[:, :, None] * solved.inverse[:, taught, taught] * share[:, None])
        multiplier = torch.linalg.solve(left, missing[..., None])[..., 0]
        of_category = torch.cat([of_category, multiplier], dim=2)
        moved = of_category[:, grid.category]
    beta = layout.log_sensitivity
    return own[:, :, : layout.segments] + solved.follow(moved, beta), of_category


def _drawn_nests(block: State, draws: int, generator: torch.Generator) -> Tensor:
    """Return draws [draws, m] of how far dissimilarities lie from their means: Gaussians cut at LEAST and at 1."""
    spread = block.nest_variance.sqrt().clamp(min=1e-9)
    low, high = (torch.special.ndtr((end - block.dissimilarity) / spread) for end in (LEAST, 1.0))
    place = low + (high - low) * torch.rand(draws, len(spread), generator=generator, dtype=FLOAT)
    drawn = torch.special.ndtri(place).clamp(-LARGEST, LARGEST) * spread
    return torch.where(block.nest_variance > 0, drawn, 0.0)


def _drawn(covariance: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """Return draws [draws, n, k] of n zero-mean Gaussians with the covariances [n, k, k]."""
    noise = torch.randn(draws, *covariance.shape[:2], generator=generator, dtype=FLOAT)
    return (_root(covariance) @ noise[..., None])[..., 0]


def _root(covariance: Tensor) -> Tensor:
    """Return the symmetric roots of covariances [..., k, k].

    The symmetric root is unique. Eigenvectors are not where eigenvalues are equal, as those of segments that the log
    cannot tell apart: rounding, and so the number of threads, turns them.
    """
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()[..., None, :]) @ vectors.mT


def _by_category(values: Tensor, category: Tensor, categories: int) -> Tensor:
    """Return the sums [draws, G, S] of values [draws, n, S] over the products of each category."""
    shape = values.shape[0], categories, values.shape[2]
    return torch.zeros(shape, dtype=values.dtype).index_add(1, category, values)
