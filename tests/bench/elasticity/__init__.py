"""Does the artefact answer prices as a regression of units says that shares nothing with our model?

`poisson` is the regression, `cells` what it is fitted to, `implied` what the artefact says of the same cells;
`python -m tests.bench.elasticity` prints the ratios.
"""
