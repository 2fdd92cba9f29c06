"""Reprices a whole catalog per customer segment, from sales logs to a published price table."""
