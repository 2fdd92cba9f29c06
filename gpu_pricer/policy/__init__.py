"""The pricing policy: what is maximised, which prices are allowed, and every cell of the catalog priced under it."""
