"""How often every product was bought in the trained periods, and out of how many occasions."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.encoding.choice_data import AT_ONCE, ChoiceData


@dataclass(frozen=True)
class Sales:
    """What was chosen in the trained periods: occasions [sets] of every choice set, bought [r] of its shelf rows.

    rows [r], sets [r], products [r]: the shelf rows of the trained periods, their choice sets and products.
    product_events [P], category_events [categories]: how often users bought of each, at most once in a period, before
    the trained periods end.
    """

    occasions: Tensor
    bought: Tensor
    rows: Tensor
    sets: Tensor
    products: Tensor
    product_events: Tensor
    category_events: Tensor

    @classmethod
    def of(cls, data: ChoiceData) -> "Sales":
        """Return the sales of the trained periods; a sampled occasion without purchase counts for all it stands for."""
        choices, of_rows, end = data.choices, data.sets.of_rows(), data.calendar.trained_periods
        occasions = torch.zeros(data.sets.count, dtype=torch.float64)
        bought = torch.zeros(data.shelf.count, dtype=torch.float64)
        for index in data.split()[0].split(AT_ONCE):
            chosen, weight, choice_set = (
                choices.chosen[index],
                choices.weight(index).double(),
                choices.choice_set[index],
            )
            is_bought = chosen >= 0
            stands_for = torch.where(is_bought, weight, weight * torch.exp(-choices.log_kept[index].double()))
            occasions.index_add_(0, choice_set, stands_for)
            bought.index_add_(0, chosen[is_bought], weight[is_bought])
        rows = (occasions[of_rows] > 0).nonzero().squeeze(1)
        return cls(
            occasions=occasions,
            bought=bought[rows],
            rows=rows,
            sets=of_rows[rows],
            products=data.shelf.product[rows],
            product_events=data.history.products.events_before(end, data.products.count),
            category_events=data.history.categories.events_before(end, data.categories.count),
        )

    def of_products(self, of_rows: Tensor, count: int) -> Tensor:
        """Return the sums of the rows' values [r] of each of `count` products."""
        return torch.zeros(count, dtype=torch.float64).index_add(0, self.products, of_rows)
