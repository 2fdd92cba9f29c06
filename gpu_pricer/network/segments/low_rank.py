"""Appeal and sensitivity of very many segments as products of thin matrices."""

import logging

import torch
from torch import Tensor

log = logging.getLogger(__name__)


def low_rank(appeal: Tensor, sensitivity: Tensor, rank: int) -> dict[str, Tensor]:
    """Return the artefact's factors of appeal and sensitivity [S, P], and log how far they are off.

    Each is a mean per product and the best rank factors of what is left, by truncated singular value decomposition
    (Eckart & Young 1936); of the sensitivity b the raw value is approximated, b = softplus(raw), so b stays positive.
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
    """Factors [S, rank + 1] and [P, rank + 1] whose product is near the matrix [S, P]."""
    mean = matrix.mean(dim=0)
    left, scale, right = torch.linalg.svd(matrix - mean, full_matrices=False)
    root = scale[:rank].sqrt()
    segment, product = left[:, :rank] * root, right[:rank].T * root
    ones = torch.ones(len(matrix), 1)
    return torch.cat([segment, ones], dim=1), torch.cat([product, mean[:, None]], dim=1)
