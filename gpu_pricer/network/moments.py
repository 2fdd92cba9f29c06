"""Segments that behave like their members: purchase shares and own-price slopes are the members' averages."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gpu_pricer.network.choice_data import ChoiceData
from gpu_pricer.network.factors import Factors

BLOCK = 2048  # products per block: [U, BLOCK] temporaries of a few tens of MB for thousands of users


def segment_moments(data: ChoiceData, factors: Factors, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return appeal and sensitivity [S, P] whose logit has the members' mean shares and slopes at today's prices.

    weight [S, U] sums to 1 over each segment's members. With P_uj the member's choice probability and P_u0 that
    of buying nothing, a_sj = log E[P_uj] − log E[P_u0] + b_sj (x / r − 1) and b_sj = E[b_uj P_uj (1 − P_uj)] /
    (E[P_uj] (1 − E[P_uj])). A centroid of the members' appeals would predict far too few purchases, since the
    exponential is convex. Products off the shelf take the share they would add to the choice set.
    """
    shape = weight.shape[0], data.products.height
    appeal, sensitivity = torch.empty(shape), torch.empty(shape)
    ratio = torch.from_numpy((data.products["price"] / data.products["reference_price"]).to_numpy().copy()).float()
    availability = torch.from_numpy(data.products["availability"].to_numpy().copy()).float()
    for block in _category_blocks(data.product_category):
        response = softplus(factors.user_sensitivity @ factors.product_sensitivity[block].T)
        drive = factors.user_appeal @ factors.product_appeal[block].T - response * (ratio[block] - 1)
        expected = torch.exp(drive.clamp(max=60))
        category = data.product_category[block] - data.product_category[block.start]
        on_shelf = expected * availability[block]
        total = torch.zeros(len(drive), int(category[-1]) + 1).index_add(1, category, on_shelf)
        nothing = 1 / (data.has_outside_option + total).clamp(min=1e-30)
        own = expected * nothing[:, category]
        share = torch.where(availability[block] > 0, own, own / (1 + own))
        mean_share = weight @ share
        mean_nothing = (weight @ nothing)[:, category] if data.has_outside_option else torch.ones(())
        slope = weight @ (response * share * (1 - share))
        block_sensitivity = slope / (mean_share * (1 - mean_share)).clamp(min=1e-12)
        sensitivity[:, block] = block_sensitivity
        appeal[:, block] = torch.log(mean_share / mean_nothing) + block_sensitivity * (ratio[block] - 1)
    return appeal, sensitivity


def _category_blocks(category: Tensor) -> Iterator[slice]:
    """Slices of whole categories, of about BLOCK products; category [P] is sorted."""
    ends = torch.cat([(category.diff() != 0).nonzero().squeeze(1) + 1, torch.tensor([len(category)])]).tolist()
    start = 0
    for end, following in zip(ends, [*ends[1:], None], strict=True):
        if following is None or following - start > BLOCK:
            yield slice(start, end)
            start = end
