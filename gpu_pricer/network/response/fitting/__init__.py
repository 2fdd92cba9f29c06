"""The estimation of the response model: Newton steps of all unknowns, alternating with the widths of their priors."""
