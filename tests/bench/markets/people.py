"""The users of a market: how often they come, how thrifty they are, and what they like."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tests.bench.markets.assortment import Assortment

AGES = np.array(["under 30", "30 to 44", "45 to 64", "65 and over"])


@dataclass(frozen=True)
class People:
    """U users.

    visit_rate [U]: chance of a visit in a week. thrift [U]: standardised, related to the users' attributes.
    kind [U]: the user's type, None in a market without types.
    """

    visit_rate: np.ndarray
    thrift: np.ndarray
    kind: np.ndarray | None = None

    @property
    def count(self) -> int:
        """U, the number of users."""
        return len(self.visit_rate)

    @property
    def user_id(self) -> np.ndarray:
        """Return the ids [U], ascending."""
        return np.array([f"H{user:05d}" for user in range(self.count)])

    def table(self, rng: np.random.Generator) -> pl.DataFrame:
        """Return the raw table users: income falls with thrift, age rises with it a little, region is noise."""
        income = 42 * np.exp(-0.3 * self.thrift + rng.normal(0, 0.4, self.count))
        age = 0.4 * self.thrift + rng.standard_normal(self.count)
        return pl.DataFrame(
            {
                "user_id": self.user_id,
                "income": np.round(income, 1),
                "age_band": AGES[np.digitize(age, [-0.8, 0, 0.8])],
                "region": [f"region {region}" for region in rng.integers(0, 5, self.count)],
            }
        )


def typed_people(rng: np.random.Generator, users: int, types: int, visits: tuple[float, float]) -> People:
    """Return users of equally many types; thrift is the type's, and types differ in the range of visit rates."""
    score = rng.permutation(np.linspace(-1, 1, types))
    kind = rng.permutation(np.arange(users) % types)
    return People(rng.uniform(*visits, types)[kind], (score / score.std())[kind], kind)


def one_by_one(rng: np.random.Generator, users: int, visits: tuple[float, float]) -> People:
    """Return users without types; each has a thrift and a visit rate of his own."""
    return People(rng.uniform(*visits, users), rng.standard_normal(users))


def drawn_tastes(
    rng: np.random.Generator, goods: Assortment, groups: int, spread: float, common: float = 0.6
) -> np.ndarray:
    """Return the appeal [P, groups]: common to all, and a group's own tastes for traits, brands and categories.

    spread: standard deviation of a group's taste for one trait, brand or category. common: that of a product's level.
    """
    level = 0.3 * goods.tier + rng.normal(0, common, goods.products)
    of_trait = goods.traits @ rng.normal(0, spread, (3, groups))
    of_brand = rng.normal(0, spread, (goods.brand.max() + 1, groups))[goods.brand]
    of_category = rng.normal(0, spread, (goods.categories, groups))[goods.category]
    return level[:, None] + of_trait + of_brand + of_category
