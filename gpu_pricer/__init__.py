"""Reprices a whole catalog per customer segment, from sales logs to a published price table."""

from pathlib import Path

CONF = Path(__file__).parents[1] / "conf"
"""The folder of the configuration."""
