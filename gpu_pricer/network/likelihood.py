"""The multinomial-logit likelihood over choice sets of unequal size, laid end to end (no padding)."""

import torch
from torch import Tensor


def log_denominator(utility: Tensor, occasion: Tensor, outside: Tensor) -> Tensor:
    """Return log(exp(outside) + Σ exp(utility)) of every occasion, [N].

    utility [R] and occasion [R] (0 … N-1) describe the alternatives; outside [N] is the utility of buying
    nothing, -inf where that is not an option. Shifted by the maximum, so that no utility overflows.
    """
    top = outside.detach().scatter_reduce(0, occasion, utility.detach(), "amax")
    shifted = torch.exp(outside - top).index_add(0, occasion, torch.exp(utility - top[occasion]))
    return top + torch.log(shifted)


def log_probability(utility: Tensor, occasion: Tensor, chosen: Tensor, outside: Tensor) -> Tensor:
    """Return the log probability of every occasion's choice, [N] (McFadden 1974, eq. 12).

    chosen [N] is the row of the alternative bought, -1 for nothing; the other arguments as in log_denominator.
    Under choice-based sampling that keeps a share ρ of the occasions without purchase, outside = log ρ makes
    this the exact conditional likelihood of the sample (McFadden 1978; Manski & Lerman 1977).
    """
    picked = torch.where(chosen >= 0, utility.index_select(0, chosen.clamp(min=0)), outside)
    return picked - log_denominator(utility, occasion, outside)
