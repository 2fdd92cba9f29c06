"""How good demand and prices are: held-out choices, and profit under a known truth."""
