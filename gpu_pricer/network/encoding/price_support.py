"""The support: the range of prices that the log shows. A price outside it counts as the nearest one inside.

A response estimated from cuts of 10 % says little about half the price, and extrapolating the exponential that far
predicts many times the sales. A product's response is estimated together with its category's, so that prices of the
other products belong to the support too. The rarest prices are often errors in receipts: they count only if several
purchases confirm them.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.network.encoding.choice_data import ChoiceData


@dataclass(frozen=True)
class SupportConfig:
    """The support covers the product's own prices in training, 1 ± width, and of its category's prices those from the
    `quantile` to 1 − quantile and those at which a product was bought `purchases` times in a period.
    """

    quantile: float
    purchases: int
    width: float

    def __post_init__(self) -> None:
        require_number("export.support_quantile", self.quantile, least=0, below=0.5)
        require_integer("export.support_purchases", self.purchases, 1)
        require_number("export.support_width", self.width, least=0, below=1)


@dataclass(frozen=True)
class PriceSupport:
    """The least and the largest price over the reference price, of products [P, 2] and of categories [G, 2]."""

    product: Tensor
    category: Tensor


def price_support(data: ChoiceData, config: SupportConfig) -> PriceSupport:
    """Return the support of the trained periods' prices; a category without prices has 1 ± width."""
    trained = (data.sets.period_of_rows() < data.calendar.trained_periods).nonzero().squeeze(1)
    product = data.shelf.product[trained]
    rows = pl.DataFrame({
        "product": product.numpy(),
        "category": data.products.category[product].numpy(),
        "ratio": data.shelf.price_ratio[trained].numpy().astype(np.float64),
        "purchases": data.purchases_of_rows()[trained].numpy(),
    })  # fmt: skip
    confirmed = rows.filter(pl.col("purchases") >= config.purchases)
    low, high = (pl.col("ratio").quantile(*at) for at in ((config.quantile, "lower"), (1 - config.quantile, "higher")))
    least, most = pl.col("ratio").min(), pl.col("ratio").max()
    narrow = torch.tensor([1 - config.width, 1 + config.width])
    of_category = narrow.repeat(data.categories.count, 1)
    _widen(of_category, rows.group_by("category").agg(low=low, high=high))
    _widen(of_category, confirmed.group_by("category").agg(low=least, high=most))
    of_product = of_category[data.products.category]
    _widen(of_product, rows.group_by("product").agg(low=least, high=most))
    return PriceSupport(of_product, of_category)


def _widen(support: Tensor, found: pl.DataFrame) -> None:
    """Widen the support [n, 2] in place to what was found: row number, low and high."""
    place = torch.from_numpy(found.to_series(0).to_numpy(writable=True))
    low, high = (torch.from_numpy(found[name].to_numpy(writable=True)).float() for name in ("low", "high"))
    support[place, 0] = torch.minimum(support[place, 0], low)
    support[place, 1] = torch.maximum(support[place, 1], high)
