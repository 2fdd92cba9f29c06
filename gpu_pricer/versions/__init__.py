"""Versions of the price table: how one is scored, repriced or decided on, from which sources, and what it may earn."""
