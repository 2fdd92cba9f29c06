"""The settings of a policy: objective, bounds, ladders, constraints, prices set by hand.

This package checks the settings and computes which prices they allow; it does not choose prices.
"""

from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.constraint import Constraint, columns_read
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.objective import Objective
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.rule_columns import with_rule_columns

__all__ = ["Bounds", "Constraint", "Ladder", "Objective", "Policy", "columns_read", "with_rule_columns"]
