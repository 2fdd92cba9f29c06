"""The goods of a market: categories, brands, attributes, costs and usual prices."""

from dataclasses import dataclass

import numpy as np
import polars as pl

LEAST_PER_CATEGORY = 3
FIRST_PRODUCT = 7_001


@dataclass(frozen=True)
class Assortment:
    """P products of G categories, sorted by category; prices in cents.

    start [G + 1]: the first product of each category, and P. category, brand [P]: numbers. tier [P]: the brand's price
    level, about −1 to 1. size [P]: standardised. is_organic [P]: 0 or 1. cost, base [P]: unit cost and usual price.
    """

    start: np.ndarray
    category: np.ndarray
    brand: np.ndarray
    tier: np.ndarray
    size: np.ndarray
    is_organic: np.ndarray
    cost: np.ndarray
    base: np.ndarray

    @property
    def categories(self) -> int:
        """G, the number of categories."""
        return len(self.start) - 1

    @property
    def products(self) -> int:
        """P, the number of products."""
        return len(self.category)

    @property
    def product_id(self) -> np.ndarray:
        """Return the ids [P], ascending."""
        return FIRST_PRODUCT + np.arange(self.products)

    @property
    def traits(self) -> np.ndarray:
        """Return tier, size and is_organic as columns [P, 3]."""
        return np.column_stack([self.tier, self.size, self.is_organic])

    def table(self, price: np.ndarray, cost: np.ndarray) -> pl.DataFrame:
        """Return the raw table products, in which price [P] and cost [P], in cents, are those of the priced day."""
        return pl.DataFrame(
            {
                "product_id": self.product_id,
                "category_id": [f"C{category:02d}" for category in self.category],
                "price": price / 100,
                "list_price": price / 100,
                "cost": cost / 100,
                "availability": 1.0,
                "brand": [f"brand {brand}" for brand in self.brand],
                "pack_size": np.round(500 * np.exp(0.4 * self.size)),
                "organic": np.where(self.is_organic > 0, "yes", "no"),
            }
        )


def draw_assortment(
    rng: np.random.Generator,
    categories: int,
    products: int,
    margin: tuple[float, float] = (0.42, 0.56),
    brands: int = 9,
) -> Assortment:
    """Return drawn goods; margin: range of the rates at which categories are marked up, whatever their demand."""
    spare = products - LEAST_PER_CATEGORY * categories
    sizes = LEAST_PER_CATEGORY + rng.multinomial(spare, rng.dirichlet(np.full(categories, 5.0)))
    category = np.repeat(np.arange(categories), sizes)
    brand = rng.integers(0, brands, products)
    tier = np.linspace(-1, 1, brands)[brand]
    size, is_organic = rng.standard_normal(products), (rng.random(products) < 0.2).astype(float)
    level = rng.normal(np.log(150), 0.35, categories)[category]
    noise = rng.normal(0, 0.08, products)
    cost = np.exp(level + 0.2 * tier + 0.25 * size + 0.15 * is_organic + noise).clip(45, 360)
    rate = rng.uniform(*margin, categories)[category] + rng.normal(0, 0.02, products)
    base = cost / (1 - rate.clip(0.1, 0.7))
    start = np.concatenate([[0], np.cumsum(sizes)])
    return Assortment(start, category, brand, tier, size, is_organic, np.rint(cost), base)
