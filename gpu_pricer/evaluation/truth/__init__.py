"""Learned demand and prices where the truth is known."""
