"""Segments of users: formed, numbered, and exported so that they behave like their members."""
