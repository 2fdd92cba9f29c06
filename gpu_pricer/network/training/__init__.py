"""Training of the demand network by stochastic gradients.

fit_network trains it, from scratch, from a checkpoint of the same training, or from the saved network of another one.
The price response that these steps leave is then settled by the package price_response.
"""
