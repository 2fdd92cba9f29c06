"""The priors of the response model: covariances, autoregressions and widths, all estimated from the log."""
