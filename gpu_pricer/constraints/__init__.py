"""Constraints on sums over the assortment: the Lagrangian dual, prices that keep to the limits, and their proof.

Also what every rule costs, and the frontier between two measures.
"""

from gpu_pricer.constraints.certificate import Certificate, add_costs, certified_objective, is_met
from gpu_pricer.constraints.constrained_problem import ConstrainedProblem, MarketData
from gpu_pricer.constraints.frontier import Frontier
from gpu_pricer.constraints.linear_constraints import objective_weights
from gpu_pricer.constraints.rule_costs import rule_costs

__all__ = [
    "Certificate",
    "ConstrainedProblem",
    "Frontier",
    "MarketData",
    "add_costs",
    "certified_objective",
    "is_met",
    "objective_weights",
    "rule_costs",
]
