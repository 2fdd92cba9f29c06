"""The solution of a pricing problem, one tile of whole categories at a time.

A tile is priced by the kernels, under the rules that no bound of a product expresses: prices set by hand for single
segments, a limit on the ratio between segments, a budget of changes, and the Lagrangian weights of constraints.
"""
