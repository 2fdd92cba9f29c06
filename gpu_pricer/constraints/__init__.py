"""Limits on sums over the whole assortment: their multipliers, the prices these lead to, and the proof.

Start at constrained_problem.solve_constrained; frontier and rule_costs solve the same problem for several objectives
and policies. The search runs in solver, dual and stock; certificate holds what is proved.
"""
