"""What people read for the rules of the price table's column binding, in the words of a pricing manager."""

from collections.abc import Mapping

RULE_WORDS: Mapping[str, str] = {
    "within_support": "prices seen before",
    "max_below_competitor": "limit below the competitor",
    "max_above_competitor": "limit above the competitor",
    "anchor_max_decrease": "largest fall over several weeks",
    "anchor_max_increase": "largest rise over several weeks",
    "pack_sizes": "order of pack sizes",
    "max_decrease": "largest decrease",
    "max_increase": "largest increase",
    "max_decrease_amount": "largest decrease in money",
    "max_increase_amount": "largest increase in money",
    "min_days_between_changes": "rest between two changes",
    "min_margin_rate": "least margin",
    "list_price": "list price",
    "ceiling": "ceiling of the product",
    "floor": "floor of the product",
}
OTHER_WORDS: Mapping[str, str] = {
    "none": "no rule",
    "frozen": "price frozen",
    "override": "price set by hand",
    "min_change": "no move of the least size earns more",
    "max_changes": "budget of changes spent",
    "max_segment_ratio": "limit on differences between segments",
    "family": "one price for the whole family",
    "no_common_price": "family without a common price",
    "no_rung": "no allowed price ending",
    "price_limit": "largest price that exists",
}
BROKEN = "_broken"


def rule_words(binding: str) -> str:
    """Return the words for a value of the price table's column binding."""
    return f"{broken_rule_words(binding)} (overruled)" if is_overruled(binding) else broken_rule_words(binding)


def is_overruled(binding: str) -> bool:
    """Return whether a value of the column binding names a rule that a later one overruled."""
    return binding.endswith(BROKEN)


def broken_rule_words(binding: str) -> str:
    """Return the words for the rule that a value of the column binding names, overruled or not."""
    rule = binding.removesuffix(BROKEN)
    return {**RULE_WORDS, **OTHER_WORDS}.get(rule, rule.replace("_", " "))
