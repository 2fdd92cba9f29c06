"""The network's demand in the pricing period as plain factor matrices of users and products."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.demand_network import DemandNetwork


@dataclass(frozen=True)
class Factors:
    """a = user_appeal · product_appeal and b = softplus(user_sensitivity · product_sensitivity), biases folded in.

    user_appeal [U, K + 2], product_appeal [P, K + 2], user_sensitivity [U, Kb + 2], product_sensitivity [P, Kb + 2].
    """

    user_appeal: Tensor
    product_appeal: Tensor
    user_sensitivity: Tensor
    product_sensitivity: Tensor


def pricing_factors(network: DemandNetwork) -> Factors:
    """Return the factors for the period after the last: its season carried on, promotion as in the last periods."""
    data = network.data
    level = network.product_level.all_rows()
    season = network.carried_season()[data.product_category].detach()
    effect = level[:, 1:] + network.mean_effect.detach()
    own = level[:, 0] + network.mean_level.detach() + season + (effect * _recent_context(network)).sum(1)
    response = network.product_sensitivity.all_rows()
    mean = network.mean_sensitivity.detach()
    return Factors(
        user_appeal=_append(network.user_taste.all_rows(), 1.0),
        product_appeal=torch.cat([_append(network.product_taste.all_rows(), 1.0), own[:, None]], dim=1),
        user_sensitivity=_append(network.user_sensitivity.all_rows(), 1.0),
        product_sensitivity=torch.cat([_append(response[:, :-1], 1.0), response[:, -1:] + mean], dim=1),
    )


def _append(rows: Tensor, value: float) -> Tensor:
    return torch.cat([rows, torch.full((len(rows), 1), value)], dim=1)


def _recent_context(network: DemandNetwork) -> Tensor:
    """Mean promotion of every product over the last periods it was on the shelf in, 0 for the others, [P, C]."""
    data = network.data
    period = data.set_period[data.set_of_row()]
    recent = period >= len(data.periods) - network.config.carry_periods
    product = data.product[recent]
    total = torch.zeros(data.products.height, data.context.shape[1]).index_add(0, product, data.context[recent])
    count = torch.zeros(data.products.height, 1).index_add(0, product, torch.ones(len(product), 1))
    return total / count.clamp(min=1)
