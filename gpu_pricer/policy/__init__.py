"""The pricing policy as its configuration states it: what is maximised, and which prices are allowed.

Start at policy.Policy. price_range turns bounds into exact cents; nothing here knows the demand.
"""
