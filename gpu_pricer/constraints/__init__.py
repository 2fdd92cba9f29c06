"""Constraints on sums over the assortment: the Lagrangian dual, prices that keep to the limits, and their proof.

Also what every rule costs, and the frontier between two measures.
"""

from gpu_pricer.constraints.certificate import Certificate
from gpu_pricer.constraints.constrained_problem import ConstrainedProblem, MarketData
from gpu_pricer.constraints.frontier import Frontier
from gpu_pricer.constraints.rule_costs import rule_costs

__all__ = ["Certificate", "ConstrainedProblem", "Frontier", "MarketData", "rule_costs"]
