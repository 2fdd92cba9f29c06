"""The canonical tables as tensors: choice sets end to end, and the choices made from them."""

import hashlib
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.encoding.attributes import Attributes
from gpu_pricer.network.encoding.context_scale import ContextScale
from gpu_pricer.network.encoding.history import History
from gpu_pricer.network.encoding.on_device import OnDevice


@dataclass(frozen=True)
class ChoiceData(OnDevice):
    """Everything the network learns from, resident as tensors.

    Shelf rows [R], sorted by period, then category: product, price_ratio (price / reference price),
    recent_ratio (price / what the product cost lately), context [R, C].
    Choice sets [G]: set_start [G + 1] into the shelf rows, set_category, set_period, choices_of_set (float).
    Choices [N]: user, choice_set, chosen (shelf row, -1 for nothing), weight, size (how many products the user bought
    from the set), outside (log of the share of the occasions without purchase that the sample kept; -inf where buying
    nothing is no option).
    Products [P]: reference_over_recent (reference price / recent price, in the period to price), product_category,
    teaches_price (its price was seen often enough in training; teaches_price_at_last: in all periods); the table
    carries reference_price, is_trained and is_seen.
    choices_per_purchase [categories]: products bought when any is, in training. history: what users did before.
    context_scale: names and scale of the C columns of context; price_memory: how many prices the recent one is of.
    Of the periods the first history_periods only feed the history, those up to trained_periods are trained on, those up
    to validated_periods are for validation.
    """

    users: pl.DataFrame
    products: pl.DataFrame
    categories: pl.DataFrame
    periods: list[date]
    history_periods: int
    trained_periods: int
    validated_periods: int
    context_scale: ContextScale
    price_memory: int
    product_attributes: Attributes
    user_attributes: Attributes
    reference_over_recent: Tensor
    product_category: Tensor
    teaches_price: Tensor
    teaches_price_at_last: Tensor
    product: Tensor
    price_ratio: Tensor
    recent_ratio: Tensor
    context: Tensor
    set_start: Tensor
    set_category: Tensor
    set_period: Tensor
    choices_of_set: Tensor
    choices_per_purchase: Tensor
    user: Tensor
    choice_set: Tensor
    chosen: Tensor
    weight: Tensor
    size: Tensor
    outside: Tensor
    history: History
    period_days: int
    currency: str

    @property
    def has_outside_option(self) -> bool:
        """Whether buying nothing is one of the choices."""
        return bool(torch.isfinite(self.outside).any())

    def price_moves(self, row: Tensor) -> Tensor:
        """How far the prices of n shelf rows are from the reference price and from the recent one, [n, 2]."""
        return torch.stack([ratio.index_select(0, row) for ratio in (self.price_ratio, self.recent_ratio)], dim=1) - 1

    def trusted_moves(self, row: Tensor) -> Tensor:
        """The price moves that may teach price response, 0 where the price was seen too rarely, [n, 2]."""
        teaches = self.teaches_price.index_select(0, self.product.index_select(0, row))
        return self.price_moves(row) * teaches[:, None]

    def visits_before(self, period: int) -> np.ndarray:
        """In how many periods before this one each user came, [U]."""
        return self.history.visit_count[:, period].double().numpy()

    def expected_visits(self, period: int, recent: int) -> np.ndarray:
        """How often each user is expected to come in a period, [U]: as in so many recent ones before it.

        What it did in all periods before counts as one more of them, so that who left soon counts little. Where nobody
        joins or leaves it makes no difference: the artefacts of two times five grocery weeks lay 0.9 and 1.3 % of their
        deviance from the network's, 1.0 and 0.7 % with members weighed by all their visits.
        """
        before, lately = self.visits_before(period), self.visits_before(max(period - recent, 0))
        return np.asarray((before - lately + before / max(period, 1)) / (min(recent, period) + 1))

    def set_of_row(self) -> Tensor:
        """The choice set of every shelf row, [R]."""
        return torch.repeat_interleave(self.set_start.diff())

    def fingerprint(self) -> str:
        """A hash of everything that training sees: on other data or another split it differs."""
        tensors = self.tensors()
        for attributes in (self.product_attributes, self.user_attributes):
            tensors += [attributes.codes, attributes.numbers, torch.tensor(attributes.sizes)]
        tensors.append(torch.tensor([self.history_periods, self.trained_periods, self.validated_periods]))
        digest = hashlib.sha256()
        for tensor in tensors:
            digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode() + tensor.numpy().tobytes())
        return digest.hexdigest()

    def with_every_period(self) -> "ChoiceData":
        """The same data with no period kept from training, nor a product first seen there; reference prices stay."""
        return replace(
            self,
            trained_periods=len(self.periods),
            validated_periods=len(self.periods),
            products=self.products.with_columns(is_trained="is_seen"),
            teaches_price=self.teaches_price_at_last,
        )

    def split(self) -> tuple[Tensor, Tensor, Tensor]:
        """Indices of the choices for training, validation and test: by period, never by random rows."""
        period = self.set_period[self.choice_set]
        is_test = period >= self.validated_periods
        is_trained = (period >= self.history_periods) & (period < self.trained_periods)
        is_validated = (period >= self.trained_periods) & ~is_test
        return tuple(mask.nonzero().squeeze(1) for mask in (is_trained, is_validated, is_test))  # type: ignore[return-value]
