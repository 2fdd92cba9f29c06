"""Training of the demand network."""
