"""What the log leaves open about the price response that training settled: draws from its Laplace approximation."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional

from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.price_response.parameters import Curvature, ResponseParameters
from gpu_pricer.network.segment_response.posterior import posterior_table


@dataclass(frozen=True)
class LaplacePosterior:
    """Gaussian around the settled parameters θ with the inverse information there (MacKay 1992).

    Levels, seasons, promotion effects, shocks and memory are integrated out. Taken as known: tastes, factors of the
    sensitivity, the priors. As in the search, users are independent of products, and only the diagonal of the
    multinomial information counts.
    """

    network: DemandNetwork
    parameters: ResponseParameters
    theta: np.ndarray
    curvature: Curvature
    draws: int
    seed: int

    def table(self, segment_id: pl.Series, weight: Tensor, sensitivity: Tensor) -> pl.DataFrame:
        """posterior.parquet of the artefact: segment_id, category_id, draw, log_deviation.

        weight [S, U]: each user's share in its segment's visits; sensitivity [S, P]: the segments' moments. A draw
        moves the raw sensitivity of every product, and of a segment by its members' mean; log_deviation tells how the
        mean of the segment's sensitivities in the category changes, every product counted alike.
        """
        data, rng = self.network.data, np.random.default_rng(self.seed)
        category, categories = data.products.category, data.categories.count
        raw = sensitivity + torch.log(-torch.expm1(-sensitivity))  # softplus(raw) = sensitivity

        def of_category(values: Tensor) -> Tensor:
            return torch.zeros(len(values), categories).index_add(1, category, values)

        settled, drawn = of_category(sensitivity), []
        product, user = self._raw()
        for _ in range(self.draws):
            self.parameters.put(self.theta + self.parameters.draw(self.curvature, rng))
            of_product, of_user = (new - old for new, old in zip(self._raw(), (product, user), strict=True))
            moved = functional.softplus(raw + of_product + (weight @ of_user)[:, None])
            drawn.append(torch.log(of_category(moved) / settled).numpy())
        self.parameters.put(self.theta)
        return posterior_table(segment_id, data.categories.table["category_id"].to_list(), np.stack(drawn))

    def _raw(self) -> tuple[Tensor, Tensor]:
        """Raw sensitivity of the products [P] and users [U], factors apart."""
        product = self.network.product_sensitivity.all_rows()[:, -1] + self.network.mean_sensitivity.detach()
        return product, self.network.user_sensitivity.all_rows()[:, -1]
