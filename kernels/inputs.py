"""The inputs of pricing for a tile of complete categories: the shelf, and the costs, weights and limits of prices."""

from dataclasses import dataclass

import numpy as np

from kernels.checks import require, require_array, require_each, require_offsets
from kernels.ladders import PRICE_LIMIT, Ladders

LEAST_DISSIMILARITY = 0.01
"""Below this limit float32 does not hold how a category's purchases answer its prices."""


@dataclass(frozen=True)
class Shelf:
    """P products in G categories, sorted by category.

    category_start int [G + 1]: category g holds the products category_start[g] to category_start[g + 1] - 1
    reference_price float [P]: r, in cents, positive
    on_shelf bool [P]: whether a visit can choose the product now
    has_outside_option: whether a visit may also buy nothing (the 1 in the denominator of the logit)
    dissimilarity float [G], or None for 1 everywhere: gamma of each category, above 0 and at most 1 (see nesting);
        without an outside option it changes nothing

    Raises ValueError unless types, shapes and ranges are these.
    """

    category_start: np.ndarray
    reference_price: np.ndarray
    on_shelf: np.ndarray
    has_outside_option: bool
    dissimilarity: np.ndarray | None = None

    def __post_init__(self) -> None:
        require_offsets("Shelf.category_start", self.category_start)
        products = (self.product_count,)
        require_array("Shelf.reference_price", self.reference_price, products, "f")
        require_each(self.reference_price > 0, "Shelf.reference_price must be positive", self.reference_price)
        require_array("Shelf.on_shelf", self.on_shelf, products, "b")
        require(
            isinstance(self.has_outside_option, bool),
            "Shelf.has_outside_option must be a bool",
            type(self.has_outside_option).__name__,
        )
        if self.dissimilarity is not None:
            require_array("Shelf.dissimilarity", self.dissimilarity, (self.category_count,), "f")
            is_valid = (self.dissimilarity >= LEAST_DISSIMILARITY) & (self.dissimilarity <= 1)
            must = f"Shelf.dissimilarity must lie in [{LEAST_DISSIMILARITY}, 1]"
            require_each(is_valid, must, self.dissimilarity)

    @property
    def product_count(self) -> int:
        """P, the number of products."""
        return int(self.category_start[-1])

    @property
    def category_count(self) -> int:
        """G, the number of categories."""
        return len(self.category_start) - 1


@dataclass(frozen=True)
class PricingInputs:
    """A shelf of P products with the costs, weights and price limits that pricing needs; money is in cents.

    unit_cost float [P]: the effective cost c_eff, of any sign
    weight float [P]: omega, the weight of the margin, of any sign
    low, high float [P]: the bounds of the price. Both are rungs of the product's ladder, or one of them is a further
        price off the ladder that may be set too; or they are equal, and this fixed price may lie off the ladder
    ladder int [P]: the product's row in `ladders`
    family int [P], or None without families: products with the same number >= 0 share one price; they lie in one
        category and have one ladder, which is not continuous, and the same bounds. -1: the product has its own price
    gap float [P, 3], or None without gaps: ascending; of the prices between the first and the last only the second is
        allowed, on or off the ladder. Three equal prices are no gap; a family has none

    Raises ValueError unless types, shapes and ranges are these.
    """

    shelf: Shelf
    unit_cost: np.ndarray
    weight: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ladder: np.ndarray
    ladders: Ladders
    family: np.ndarray | None = None
    gap: np.ndarray | None = None

    def __post_init__(self) -> None:
        products = (self.shelf.product_count,)
        for name in ("unit_cost", "weight", "low", "high"):
            require_array(f"PricingInputs.{name}", getattr(self, name), products, "f")
        require_each(self.low >= 0, "PricingInputs.low must not be negative", self.low)
        require_each(self.high < PRICE_LIMIT, f"PricingInputs.high must be below {PRICE_LIMIT} cents", self.high)
        require_each(self.low <= self.high, "PricingInputs.low must not exceed PricingInputs.high", self.low)
        require_array("PricingInputs.ladder", self.ladder, products, "i")
        ladders = len(self.ladders.period)
        require_each(
            (self.ladder >= 0) & (self.ladder < ladders),
            f"PricingInputs.ladder must lie in [0, {ladders})",
            self.ladder,
        )
        for name, bound in (("low", self.low), ("high", self.high)):
            if self.is_whole_cents:
                require_each(bound == np.floor(bound), f"PricingInputs.{name} must be whole cents", bound)
        has_rung = [self.ladders.has_rung(self.ladder, bound) for bound in (self.low, self.high)]
        is_allowed = (self.low == self.high) | has_rung[0] | has_rung[1]
        require_each(is_allowed, "PricingInputs.low or high must be a rung of its product's ladder", self.low)
        self._check_families()
        if self.gap is not None:
            require_array("PricingInputs.gap", self.gap, (*products, 3), "f")
            require_each(np.diff(self.gap) >= 0, "PricingInputs.gap must ascend", self.gap[:, 1:])

    def _check_families(self) -> None:
        """Raise ValueError unless the products of a family may take the same prices."""
        if self.family is None:
            return
        require_array("PricingInputs.family", self.family, (self.shelf.product_count,), "i")
        mates = np.flatnonzero(self.family >= 0)
        if not mates.size:
            return
        _, first, which = np.unique(self.family[mates], return_index=True, return_inverse=True)
        category = np.repeat(np.arange(self.shelf.category_count), np.diff(self.shelf.category_start))
        for name, values in (
            ("bounds", self.low),
            ("bounds", self.high),
            ("ladder", self.ladder),
            ("category", category),
        ):
            is_shared = values[mates] == values[mates][first][which]
            require_each(is_shared, f"the products of a PricingInputs.family must have the same {name}", values[mates])
        require_each(
            self.ladders.period[self.ladder[mates]] > 0, "a PricingInputs.family needs a ladder", self.ladder[mates]
        )

    @property
    def has_families(self) -> bool:
        """Whether some product belongs to a family."""
        return self.family is not None and bool((self.family >= 0).any())

    @property
    def is_whole_cents(self) -> bool:
        """Whether all prices are whole cents, int32, because no ladder is continuous."""
        return bool(np.all(self.ladders.period > 0))
