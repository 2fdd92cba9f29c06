"""The records that ChoiceData consists of: shelf rows, choice sets, choices, products, users, categories, calendar."""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.encoding.attributes import Attributes
from gpu_pricer.network.encoding.on_device import OnDevice


@dataclass(frozen=True)
class ShelfRows(OnDevice):
    """The R shelf rows, one per product and choice set, sorted by period, price group, category and product.

    product [R]: the product's row number.
    price_ratio [R]: price / reference price.
    context [R, C]: promotion and other context, on the scale of ContextScale.
    """

    product: Tensor
    price_ratio: Tensor
    context: Tensor

    @property
    def count(self) -> int:
        """Return R, the number of shelf rows."""
        return len(self.product)

    def price_move(self, row: Tensor) -> Tensor:
        """Return how far the prices of n rows are from the reference price, relative to it, [n]."""
        return self.price_ratio.index_select(0, row) - 1


@dataclass(frozen=True)
class ChoiceSets(OnDevice):
    """The G choice sets: what a category had on the shelf in a period, as a run of consecutive shelf rows.

    start [G + 1]: choice set g consists of the shelf rows from start[g] to start[g + 1] - 1.
    category [G], period [G]: row numbers. price_group [G]: 0 at the usual prices, which each category on the shelf of a
    period has; else a group of users who saw other prices of it.
    choices [G]: how many of the logged choices were made from the set, as float.
    outside [G]: the utility of buying nothing, 0; -inf where that is not an option.
    """

    start: Tensor
    category: Tensor
    period: Tensor
    price_group: Tensor
    choices: Tensor
    outside: Tensor

    @property
    def count(self) -> int:
        """Return G, the number of choice sets."""
        return len(self.category)

    def of_rows(self) -> Tensor:
        """Return the choice set of every shelf row, [R]."""
        return torch.repeat_interleave(self.start.diff())

    def period_of_rows(self) -> Tensor:
        """Return the period of every shelf row, [R]."""
        return self.period[self.of_rows()]

    def is_usual(self) -> Tensor:
        """Return whether every shelf row is at the usual price, bool [R]."""
        return (self.price_group == 0)[self.of_rows()]

    def rows_seen(self, period: int, price_group: int = 0) -> Tensor:
        """Return the shelf rows [r] of a period as users of a price group saw them, ascending."""
        is_own = (self.period == period) & (self.price_group == price_group)
        other = self.category[is_own] if price_group else self.category[:0]
        is_usual = (self.period == period) & (self.price_group == 0) & ~torch.isin(self.category, other)
        return (is_own | is_usual)[self.of_rows()].nonzero().squeeze(1)


@dataclass(frozen=True)
class LoggedChoices(OnDevice):
    """The N choices, by period and user. An occasion (user, choice set) with n > 1 products bought gives n choices.

    user [N], choice_set [N]: row numbers, int32.
    chosen [N]: the shelf row bought, -1 for nothing, int32.
    size [N]: n, 1 where nothing was bought, float16: exact up to 2,048.
    log_kept [N]: log of the share of the occasions without purchase like this one that the sample kept, float16.
    own_weight [N]: the occasion's weight, shared equally by its n choices, float32. None where every occasion weighs 1,
        as in a log of transactions: each of its choices then weighs 1 / n.
    """

    user: Tensor
    choice_set: Tensor
    chosen: Tensor
    size: Tensor
    log_kept: Tensor
    own_weight: Tensor | None

    @property
    def count(self) -> int:
        """Return N, the number of choices."""
        return len(self.user)

    def weight(self, index: Tensor) -> Tensor:
        """Return the weights of the choices `index` [n], float32 [n]."""
        return equal_share(self.size[index]) if self.own_weight is None else self.own_weight[index]


def equal_share(size: Tensor) -> Tensor:
    """Return the weight of each of n choices of an occasion that weighs 1, float32; size: n."""
    return 1 / size.float()


@dataclass(frozen=True)
class EncodedProducts(OnDevice):
    """The P products, sorted by category.

    table: product_id, category_id, reference_price, is_trained, is_seen, attribute columns, and from `prepare` price,
    availability and others.
    attributes: the attribute columns as tensors.
    category [P]: row number of the category.
    first_period [P]: the first period on the shelf, the number of periods for a product that was never there.
    teaches_price [P]: whether the product teaches price response, by its training periods (see TeachingRule).
    teaches_price_at_last [P]: the same for all periods.
    """

    table: pl.DataFrame
    attributes: Attributes
    category: Tensor
    first_period: Tensor
    teaches_price: Tensor
    teaches_price_at_last: Tensor

    @property
    def count(self) -> int:
        """Return P, the number of products."""
        return self.table.height

    @property
    def is_trained(self) -> Tensor:
        """Return whether each product was on the shelf in the periods trained on, bool [P]."""
        return torch.from_numpy(self.table["is_trained"].to_numpy(writable=True))


@dataclass(frozen=True)
class EncodedUsers:
    """The U users: the table (user_id and attribute columns), and the attribute columns as tensors."""

    table: pl.DataFrame
    attributes: Attributes

    @property
    def count(self) -> int:
        """Return U, the number of users."""
        return self.table.height


@dataclass(frozen=True)
class EncodedCategories(OnDevice):
    """The categories: category_id and rates as a table.

    choices_per_purchase [categories]: mean number of products in a purchase, over the training periods.
    """

    table: pl.DataFrame
    choices_per_purchase: Tensor

    @property
    def count(self) -> int:
        """Return the number of categories."""
        return self.table.height


@dataclass(frozen=True)
class Calendar:
    """The T periods of the log and what each is used for.

    periods: the first day of each. period_days: the length of each.
    The first history_periods periods only feed the users' histories. The periods from there up to trained_periods
    (exclusive) are trained on, those from there up to validated_periods are for validation, the rest for the test.
    begun: first day of the period after them, which has begun; None where none teaches. The average household and the
    price response learn from it once every period is trained on. begun_days: how many of its days have passed.
    """

    periods: list[date]
    period_days: int
    history_periods: int
    trained_periods: int
    validated_periods: int
    begun: date | None
    begun_days: int = 0

    @property
    def count(self) -> int:
        """Return T, which is also the row number of the period to price."""
        return len(self.periods)

    @property
    def with_begun(self) -> list[date]:
        """Return the first days of the periods, and of the begun one once every period is trained on."""
        if self.begun is None or self.trained_periods < self.count:
            return self.periods
        return [*self.periods, self.begun]

    @property
    def end(self) -> date:
        """Return the last day of the log, of the begun period if it teaches."""
        if self.begun is None:
            return self.periods[-1] + timedelta(days=self.period_days - 1)
        return self.begun + timedelta(days=self.begun_days - 1)

    @property
    def last_trained(self) -> date:
        """Return the first day of the last period that is trained on."""
        return self.periods[self.trained_periods - 1]
