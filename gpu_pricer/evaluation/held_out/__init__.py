"""Predictions of choices that training never saw: their scores, and intervals of the scores.

`offers` and `past` describe offers for the baselines; `blocks` makes the blocks of metrics.json.
"""

from gpu_pricer.evaluation.held_out.blocks import HeldOut
from gpu_pricer.evaluation.held_out.bootstrap import Bootstrap
from gpu_pricer.evaluation.held_out.offers import Log, describe_offers, offers_of, reference_prices, units_bought

__all__ = ["Bootstrap", "HeldOut", "Log", "describe_offers", "offers_of", "reference_prices", "units_bought"]
