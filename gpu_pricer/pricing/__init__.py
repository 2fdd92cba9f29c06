"""Prices of every product and segment: the problem, its solution tile by tile, and the rows of the price table."""
