"""How segments respond to prices: a hierarchical logit whose prior widths are learned, and its posterior.

`loading` makes its grid and user log from the canonical tables, `fit` fits it, `applying` writes it into an artefact.
"""
