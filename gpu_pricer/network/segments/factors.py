"""The arrays of the artefact: segments' appeal and sensitivity, dense or as products of thin matrices."""

import logging

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.segments.moments import Moments

log = logging.getLogger(__name__)


def segment_factors(data: ChoiceData, moments: Moments, form: str, rank: int) -> dict[str, np.ndarray]:
    """Return the artefact's arrays by name for every product and then every fallback, in the form dense or factors.

    rank: the number of factors of each matrix in the form factors; the form dense does not use it.
    """
    appeal, sensitivity = (_with_fallbacks(data, m.T).T for m in (moments.appeal, moments.sensitivity))
    dense = {"appeal": appeal, "sensitivity": sensitivity}
    arrays = dense if form == "dense" else _low_rank(appeal, sensitivity, rank)
    return {name: np.ascontiguousarray(array.numpy()) for name, array in arrays.items()}


def _with_fallbacks(data: ChoiceData, rows: Tensor) -> Tensor:
    """Return the rows [P, K], then the mean row of each category of more than one product.

    The mean is over the category's trained products, or over all of them where none is trained.
    """
    trained = data.products.is_trained
    category, categories = data.products.category, data.categories.count
    has_trained = torch.zeros(categories).index_add(0, category, trained.float()) > 0
    counted = (trained | ~has_trained[category]).float()[:, None]
    total = torch.zeros(categories, rows.shape[1]).index_add(0, category, rows * counted)
    count = torch.zeros(categories, 1).index_add(0, category, counted)
    shared = torch.bincount(category, minlength=categories) > 1
    return torch.cat([rows, (total / count)[shared]])


def _low_rank(appeal: Tensor, sensitivity: Tensor, rank: int) -> dict[str, Tensor]:
    """Return the artefact's factors of appeal and sensitivity [S, P], and log their errors.

    Each matrix is approximated by its mean per product and the best `rank` factors of the rest, from a truncated
    singular value decomposition (Eckart & Young 1936). For the sensitivity b the matrix is raw, where
    b = softplus(raw), so that b stays positive.
    """
    raw = sensitivity + torch.log(-torch.expm1(-sensitivity.clamp(min=1e-6)))
    (segment_appeal, product_appeal), (segment_raw, product_raw) = (_truncated(m, rank) for m in (appeal, raw))
    errors = (
        (segment_appeal @ product_appeal.T - appeal).square().mean().sqrt(),
        (torch.nn.functional.softplus(segment_raw @ product_raw.T) / sensitivity - 1).square().mean().sqrt(),
    )
    log.info(
        "rank %d: root mean square error of the appeal %.4f, of the sensitivity %.2f %%",
        rank,
        errors[0],
        100 * errors[1],
    )
    return {
        "segment_appeal": segment_appeal,
        "product_appeal": product_appeal,
        "segment_sensitivity": segment_raw,
        "product_sensitivity": product_raw,
    }


def _truncated(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return factors [S, rank + 1] and [P, rank + 1] whose product approximates the matrix [S, P]."""
    mean = matrix.mean(dim=0)
    left, scale, right = torch.linalg.svd(matrix - mean, full_matrices=False)
    root = scale[:rank].sqrt()
    segment, product = left[:, :rank] * root, right[:rank].T * root
    ones = torch.ones(len(matrix), 1)
    return torch.cat([segment, ones], dim=1), torch.cat([product, mean[:, None]], dim=1)
