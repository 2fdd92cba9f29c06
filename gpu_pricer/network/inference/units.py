"""The units that a choice of each offer takes, for predictions of the units that are bought."""

import torch
from torch import Tensor

from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.network.response.fitting.fit import Fit


def units_per_choice(data: ChoiceData, quantities: Fit | None, segments: int, support: Tensor, first: int) -> Tensor:
    """Return the expected units of a choice of the product of shelf rows, at the row's price, by segment, [r, S].

    quantities: the response of the units per choice of the segments; products that it does not know, and all where it
    is None, take their category's mean. support [P, 2]: a price outside this range, relative to the reference, counts
    as the nearest. first: number of the first of the r rows, which are the last ones.
    """
    product = data.shelf.product[first:]
    rates = torch.from_numpy(data.categories.table["units_per_choice"].to_numpy(writable=True)).float()
    units = rates[data.products.category[product]][:, None].repeat(1, segments)
    if quantities is None:
        return units
    place = torch.full((data.products.count,), -1)
    place[quantities.grid.row] = torch.arange(len(quantities.grid.row))
    is_known = place[product] >= 0
    known, choice_set = place[product][is_known], data.sets.of_rows()[first:][is_known]
    column = quantities.grid.columns.of_sets(data.sets)[choice_set]
    move = data.shelf.price_move(first + is_known.nonzero().squeeze(1)).double()
    low, high = (support[product[is_known]] - 1).double().T
    beyond = quantities.grid.bent_move[known, column] - bent(move.clamp(low, high), quantities.grid.bend)
    log_units = quantities.utility()[known, :, column] + quantities.sensitivity[:, known].T * beyond[:, None]
    units[is_known] = log_units.exp().float()
    return units
