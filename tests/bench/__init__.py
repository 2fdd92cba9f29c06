"""Benchmarks: `python -m tests.bench.kernel` and `python -m tests.bench.scaling`, one line of JSON each."""
