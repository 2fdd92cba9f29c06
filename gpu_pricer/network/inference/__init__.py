"""Occasions, products and users that training never saw: predicted, and put into segments."""
