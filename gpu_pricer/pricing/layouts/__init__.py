"""The rows of the price table: long, wide, and the columns there on request."""
