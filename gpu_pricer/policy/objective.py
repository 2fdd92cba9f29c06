"""The objective that prices maximise."""

from dataclasses import dataclass

import numpy as np

from gpu_pricer.checks import require_number


@dataclass(frozen=True)
class Objective:
    """Weights of expected profit and of expected revenue, of which only the ratio matters for prices."""

    profit: float
    revenue: float

    def __post_init__(self) -> None:
        for name in ("profit", "revenue"):
            require_number(f"objective.{name}", getattr(self, name), least=0)
        if self.profit + self.revenue == 0:
            raise ValueError("objective needs a weight above 0, found profit 0 and revenue 0")

    def effective_cost(self, cost: np.ndarray) -> np.ndarray:
        """Return the cost c_eff for which the objective is proportional to price − c_eff, in the unit of `cost`.

        p (x − c) + q x = (p + q) (x − p c / (p + q)).
        """
        return cost * (self.profit / (self.profit + self.revenue))
