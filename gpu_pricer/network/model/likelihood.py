"""The multinomial-logit likelihood over choice sets of unequal size, laid end to end without padding."""

from collections.abc import Callable

import torch
from torch import Tensor

from gpu_pricer.network.encoding.batches import Batch

MOST = 0.999  # the largest purchase probability: choices_per_purchase m is a mean, so that P · m may exceed 1


def log_denominator(utility: Tensor, occasion: Tensor, outside: Tensor) -> Tensor:
    """Return log(exp(outside) + Σ exp(utility)) of every occasion, [N].

    utility [A] and occasion [A] (0 … N-1) describe the alternatives; outside [N] is the utility of buying
    nothing, -inf where that is not an option. The sum is shifted by its largest term, so that no utility overflows.
    """
    top = outside.detach().scatter_reduce(0, occasion, utility.detach(), "amax")
    shifted = torch.exp(outside - top).index_add(0, occasion, torch.exp(utility - top[occasion]))
    return top + torch.log(shifted)


def log_probability(utility: Tensor, occasion: Tensor, chosen: Tensor, outside: Tensor) -> Tensor:
    """Return the log probability of every occasion's choice, [N] (McFadden 1974, eq. 12).

    chosen [N] is the position of the alternative bought, -1 for nothing; utility, occasion and outside are as in
    log_denominator.
    Under choice-based sampling that keeps a share ρ of the occasions without purchase, outside = log ρ makes
    this the exact conditional likelihood of the sample (McFadden 1978; Manski & Lerman 1977).
    """
    picked = torch.where(chosen >= 0, utility.index_select(0, chosen.clamp(min=0)), outside)
    return picked - log_denominator(utility, occasion, outside)


def purchase_probability(share: Tensor, choices_per_purchase: Tensor) -> Tensor:
    """Return the probability that a product is bought in the visit, below 1, from its choice probability `share`.

    share [n], choices_per_purchase [n]. An occasion on which n products are bought gives each the weight 1/n, so the
    choice probabilities P_j sum to the probability that anything is bought. With m = mean n (choices_per_purchase),
    product j is bought in the share P_j · m of the visits. If each of the n products had the weight 1, the odds of
    buying would be m times as high, and the purchase probability would be P m / (m − (m − 1) Σ P).
    """
    return (share * choices_per_purchase).clamp(max=MOST)


def choice_likelihood(utility: Tensor, batch: Batch, choices_per_purchase: Tensor) -> Tensor:
    """Return the weighted log probability of every choice [N], consistent under sampling of zeros and alternatives.

    utility [A]. choices_per_purchase is not read; all likelihoods take the same arguments.
    """
    return batch.weight * log_probability(utility + batch.correction, batch.occasion, batch.chosen, batch.outside)


def purchase_likelihood(utility: Tensor, batch: Batch, choices_per_purchase: Tensor) -> Tensor:
    """Return each choice's part of the log likelihood of what was bought in the visit and what was not, [N].

    Every product of the choice set counts as bought or not bought with its purchase_probability (a composite
    likelihood: Varin, Reid & Firth 2011); this is what `evaluate` scores. The n choices of an occasion share the
    products that were not bought. A sampled occasion without purchase counts for all that it stands for. The batch must
    hold complete choice sets. utility [A]; choices_per_purchase [N].
    """
    outside = torch.where(torch.isfinite(batch.outside), 0.0, batch.outside)
    share = torch.exp(utility - log_denominator(utility, batch.occasion, outside)[batch.occasion])
    bought = purchase_probability(share, choices_per_purchase[batch.occasion])
    not_bought = torch.log1p(-bought)
    nothing = torch.zeros_like(outside).index_add(0, batch.occasion, not_bought)
    picked = batch.chosen.clamp(min=0)
    surplus = torch.log(bought.index_select(0, picked)) - not_bought.index_select(0, picked)
    stands_for = torch.where(batch.chosen >= 0, batch.weight, batch.weight * torch.exp(outside - batch.outside))
    return stands_for * nothing + torch.where(batch.chosen >= 0, batch.weight * batch.size * surplus, 0.0)


LIKELIHOODS: dict[str, Callable[[Tensor, Batch, Tensor], Tensor]] = {
    "choices": choice_likelihood,
    "purchases": purchase_likelihood,
}
