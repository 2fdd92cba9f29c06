"""A demand artefact on a catalog: probabilities, purchases and elasticities at today's prices."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
import torch

from gpu_pricer.evaluation.demand.elasticity import own_elasticity
from gpu_pricer.network.model.price_bend import bent, steepness
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.rule_columns import with_rule_columns
from gpu_pricer.pricing.problem.matching import match_products
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, problem_of
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.files.low_memory import rows_of
from gpu_pricer.tables.schemas import category_key
from kernels import Demand, Shelf, choice_probabilities, utility_lines


@dataclass(frozen=True)
class CatalogDemand:
    """A catalog's pricing problem, and its products [P] in the problem's order (see Matched.products)."""

    artefact: DemandArtefact
    policy: Policy
    catalog: pl.DataFrame
    products: pl.DataFrame
    problem: PricingProblem

    @classmethod
    def of(cls, artefact: DemandArtefact, catalog: pl.DataFrame, policy: Policy) -> "CatalogDemand":
        """Return the artefact on a catalog that has the columns the policy reads. Raises InputError for bad data."""
        matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
        return cls(artefact, policy, catalog, matched.products, problem_of(artefact, matched, policy))

    @classmethod
    def of_part(cls, artefact: DemandArtefact, part: pl.DataFrame, policy: Policy) -> "CatalogDemand":
        """Return the artefact on a part of a catalog, in which categories with ladders of their own may be missing."""
        return cls.of(artefact, part, policy.of_categories(part.select(category_key()).to_series()))

    def largest(self, categories: int) -> "CatalogDemand":
        """Return the demand of the `categories` categories with the most expected purchases, and of no other.

        A category without a product on the shelf has neither purchases nor elasticities, and is left out.
        """
        bought = self.products.select("category_id").with_columns(purchases=self.purchases(1.0).sum(axis=1))
        most = (
            bought.filter(pl.Series(self.shelf.on_shelf))
            .group_by("category_id")
            .agg(pl.col("purchases").sum())
            .sort("purchases", "category_id")
            .tail(categories)
        )
        kept = self.products.join(most, on="category_id", how="semi")
        part = self.catalog.join(kept, on="product_id", how="semi")
        return CatalogDemand.of_part(self.artefact, part, self.policy)

    def shares(self, level: float) -> np.ndarray:
        """Return the probability [P, S] that a visit chooses the product when all prices are `level` times today's."""
        return choice_probabilities(self.demand, self.shelf, self.today[:, None] * level)

    def purchases(self, level: float) -> np.ndarray:
        """Return the expected choices [P, S] in a period when all prices are `level` times today's."""
        return self.shares(level) * self.problem.segments.visits

    def units(self, level: float) -> np.ndarray:
        """Return the expected units [P, S] in a period when all prices are `level` times today's."""
        return self.purchases(level) * self.problem.products.units_per_choice[:, None]

    def log_units(self, rows: pl.DataFrame) -> np.ndarray:
        """Return the log of the expected units of products in periods at the prices that they had there, [n].

        rows: product_id, period and price, all that was on the shelf. A period's products compete at its prices, with
        the appeals and visits of today. Away from today's price the demand is not the tangent there that prices are
        computed from, but the response itself (see network/response/applying.py). NaN where the demand lacks the
        product, or expects nothing of it.
        """
        known = rows.with_columns(place=pl.Series(rows_of(rows["product_id"], self.products["product_id"])))
        known = known.with_row_index("row").filter(pl.col("place") >= 0)
        log_units = np.full(rows.height, np.nan)
        for offered in known.partition_by("period"):
            row, product = offered["row"].to_numpy(), offered["place"].to_numpy()
            on_shelf, prices = np.zeros(len(self.today), bool), self.today.copy()
            on_shelf[product] = True
            prices[product] = self._equivalent_prices(product, offered["price"].to_numpy())
            shares = choice_probabilities(self.demand, replace(self.shelf, on_shelf=on_shelf), prices[:, None])
            units = shares[product] @ self.problem.segments.visits
            log_units[row[units > 0]] = np.log(units[units > 0])
        return log_units

    def _equivalent_prices(self, place: np.ndarray, price: np.ndarray) -> np.ndarray:
        """Return the prices in cents at which straight utilities are those of the response at `price` [n].

        place [n]: of the products. Choices answer as a bent logit does, and units per choice with the log of the price.
        """
        reference, bend = self.products["reference_price"].to_numpy(), self.artefact.info.bend
        now, at = self.products["price"].to_numpy()[place] / reference[place], price / reference[place]
        of_units = self._share_of_units[place]
        before, after = torch.from_numpy(now - 1), torch.from_numpy(at - 1)
        choices = ((bent(after, bend) - bent(before, bend)) / steepness(before, bend)).numpy()
        moved = (1 - of_units) * choices + of_units * now * np.log(at / now)
        return self.problem.products.reference_price[place] * (now + moved)

    def elasticities(self) -> pl.DataFrame:
        """Return the own-price elasticity of units of every segment and product on the shelf, at today's prices.

        Columns: category_id, segment_id, elasticity, and purchases, the cell's expected purchases in a period.
        """
        elasticity = own_elasticity(self.demand, self.shelf, self.today)
        row, segment = (index.ravel() for index in np.indices(elasticity.shape))
        cells = pl.DataFrame(
            {
                "category_id": self.products["category_id"].gather(row),
                "segment_id": self.problem.segments.segment_id.gather(segment),
                "elasticity": elasticity.ravel(),
                "purchases": self.purchases(1.0).ravel(),
            }
        )
        return cells.filter(pl.col("elasticity").is_not_nan())

    @cached_property
    def _share_of_units(self) -> np.ndarray:
        """Return the part of each product's sensitivity that is of the units per choice, [P].

        It is over the mean sensitivity of choices at today's prices, whether the product is on the shelf now or not.
        """
        shelf = replace(self.shelf, on_shelf=np.ones(len(self.today), bool))
        chosen = choice_probabilities(self.demand, shelf, self.today[:, None]) * self.problem.segments.visits
        steep = utility_lines(self.demand, shelf)[1] * shelf.reference_price[:, None]
        total, bought = (chosen * steep).sum(axis=1), chosen.sum(axis=1)
        of_units = self.products["quantity_sensitivity"].to_numpy() * bought
        return np.divide(of_units, total, out=np.zeros(len(total)), where=total > 0).clip(0, 1)

    @cached_property
    def demand(self) -> Demand:
        """Return the problem's demand in float64."""
        return self.problem.demand_in_double()

    @cached_property
    def shelf(self) -> Shelf:
        """Return the problem's shelf in float64."""
        return self.problem.shelf(0, self.problem.category_count)

    @cached_property
    def today(self) -> np.ndarray:
        """Return today's prices in cents, float64 [P]."""
        return self.problem.products.today.astype(np.float64)
