"""Faults that a cluster inflicts on the jobs, inflicted on purpose: python -m tests.faults --help.

Each part is a module with `run(limit, seed)`, which returns Counts.
"""
