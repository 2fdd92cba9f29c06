"""The pricing policy: what is maximised, which prices are allowed, and every cell priced under it."""
