"""Training of the demand network by stochastic gradients.

fit_network trains it, from scratch, from a checkpoint of the same training, or from the saved network of another one.
The package price_response then brings the trained network's price response to its optimum.
"""
