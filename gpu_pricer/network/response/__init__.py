"""How segments respond to prices: a hierarchical logit whose prior widths are learned, and its posterior.

`grid` lays out the canonical tables as dense tensors, with prices that no line shows from `hidden_prices`. `model`
states the utility, `priors` what is assumed of its unknowns, and `fitting` estimates them. `applying` writes them into
an artefact.
"""
