"""Prices, choices and intervals over posterior draws of the price sensitivity; on the CPU, in float64."""
