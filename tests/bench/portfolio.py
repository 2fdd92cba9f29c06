"""How near to the best the prices under portfolio constraints come, and in how many passes, as one line of JSON.

    python -m tests.bench.portfolio [--products N] [--segments N] [--seed N]

Floors on the whole assortment and on one department of a market of N products × N segments, each solved from nothing
and once more from its own certificate; and stock limits of single products of a market a twentieth as large. gap: of
the bound and the objective, as a share; passes: times that all cells were computed; slack: of the limits, as shares of
them, recomputed in float64 from the prices.
"""

from time import perf_counter

import numpy as np

from gpu_pricer.constraints.certificate import Certificate
from gpu_pricer.constraints.constrained_problem import MarketData, solve_constrained
from gpu_pricer.constraints.warm_start import Start
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from tests.bench.timing import arguments, report, say
from tests.constraints.markets import AROUND_TODAY, QUARTERS, department_market
from tests.markets import PROFIT, a_policy

VOLUME = Constraint("units", at_least=1.0, relative_to="current_prices")
REVENUE = Constraint("revenue", at_least=1.01, relative_to="current_prices")
RATE = Constraint("margin_rate", at_least=1.13, relative_to="current_prices", where="department = 'drinks'")
STOCK = Constraint("units", at_most="stock", per="product_id")
CASES = {
    "volume_and_revenue": {"volume": VOLUME, "revenue": REVENUE},
    "volume": {"volume": VOLUME},
    "department_rate": {"rate": RATE},
}
SMALLER = 20


def main() -> None:
    """Solve every case, and print the line."""
    given = arguments(products=200_000, segments=64, seed=1)
    floors = Case(given.products, given.segments, given.seed)
    results = {name: floors.solve(name, constraints) for name, constraints in CASES.items()}
    few = Case(given.products // SMALLER, max(given.segments // 6, 1), given.seed)
    report(**results, stock=few.solve("stock", {"stock": STOCK}))


class Case:
    """A market, and what its constraints read."""

    def __init__(self, products: int, segments: int, seed: int) -> None:
        artefact, catalog = department_market(seed, products, segments)
        self.problem = pricing_problem(artefact, catalog, a_policy(AROUND_TODAY, QUARTERS))
        self.products = catalog.sort("category_id", "product_id")
        self.market = MarketData(self.products, artefact.segments, "USD")

    def solve(self, name: str, constraints: dict[str, Constraint]) -> dict[str, object]:
        """Figures of the first solution, and of the one that starts from its certificate."""
        cold, seconds = self._timed(constraints, None)
        warm, warm_seconds = self._timed(constraints, self._start(cold))
        say(f"{name}: {cold.status}, gap {100 * cold.summary['gap']:.2g} %, {cold.summary['passes']} passes")
        return {
            "status": cold.status,
            "gap": cold.summary["gap"],
            "passes": cold.summary["passes"],
            "seconds": round(seconds, 1),
            "warm_gap": warm.summary["gap"],
            "warm_passes": warm.summary["passes"],
            "warm_seconds": round(warm_seconds, 1),
            "slack": {n: entry["achieved"] / entry["required"] - 1 for n, entry in cold.summary["constraints"].items()},
            "stock": cold.summary["stock"],
        }

    def _timed(self, constraints: dict[str, Constraint], start: Start | None) -> tuple[Certificate, float]:
        begin = perf_counter()
        found = solve_constrained(self.problem, PROFIT, constraints, self.market, "cpu", start)
        return found.certificate, perf_counter() - begin

    def _start(self, certificate: Certificate) -> Start:
        start = certificate.summary["start"]
        price = np.zeros(self.products.height)
        if certificate.product_limits is not None:
            known = certificate.product_limits.table.select("product_id", "shadow_price")
            joined = self.products.select("product_id").join(known, on="product_id", how="left", maintain_order="left")
            price = joined["shadow_price"].fill_null(0.0).to_numpy(writable=True)
        return Start(np.array(list(start["multiplier"].values())), price)


if __name__ == "__main__":
    main()
