"""Sources of raw tables: the user's own files, the example data, a synthetic market."""
