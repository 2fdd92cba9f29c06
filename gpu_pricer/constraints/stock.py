"""Limits of what each product can sell, and their shadow prices: what one more unit of a scarce product would earn.

Of product p the stock L_p serves min(D_p, L_p) of the D_p units that all segments together ask for, the same share of
each segment's. The Lagrangian charges every unit the shadow price μ_p and adds μ_p L_p. A unit is never charged more
than it is worth at the highest price allowed, because stock need not serve it (see LagrangianWeights); so the search
for μ_p ends there, and the units above the limit are rationed.
"""

from dataclasses import dataclass

import numpy as np

from gpu_pricer.tables.version.stock_record import served_share


@dataclass(frozen=True)
class Stock:
    """Limits of the units that each product may sell in a period.

    limit [P]: in units, infinite for a product without a limit.
    """

    limit: np.ndarray

    @property
    def has_limits(self) -> bool:
        """Whether any product has a limit."""
        return bool(np.isfinite(self.limit).any())

    def rationed(self, units: np.ndarray) -> np.ndarray:
        """Return the units [P] that demand asks for and stock cannot serve."""
        return np.maximum(units - self.limit, 0.0)

    def served_share(self, units: np.ndarray) -> np.ndarray:
        """Return the share of the units [P] asked for that stock can serve."""
        return served_share(units, self.limit)

    def limit_value(self, shadow_price: np.ndarray) -> float:
        """Return Σ shadow price · limit in currency, the constant that the limits add to the Lagrangian."""
        is_limited = np.isfinite(self.limit)
        return float(shadow_price[is_limited] @ self.limit[is_limited])
