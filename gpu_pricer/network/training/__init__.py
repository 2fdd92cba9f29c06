"""Training of the demand network by stochastic gradients.

learn_market learns the average household, from which fit_network trains the network: afresh, from a checkpoint of the
same training, or from the saved network of another one.
"""
