"""Which prices a person may set: costs, list prices, floors and ceilings hold for people too; other rules only warn."""

from typing import NamedTuple

import numpy as np

from gpu_pricer.policy.price_range import PriceRange, price_range
from gpu_pricer.policy.rule_words import rule_words
from gpu_pricer.pricing.problem.price_limits import facts_of
from gpu_pricer.report.scored import Scored
from gpu_pricer.report.words import price as price_words
from gpu_pricer.tables.price_table import BINDINGS, CENTS

CLOSE = 1e-6
"""Cents by which binary fractions may move a price away from whole cents."""


class Verdict(NamedTuple):
    """What the rules say of a price: why it cannot be set, "" if it can; and the rules that it breaks all the same."""

    refusal: str
    warnings: list[str]


class Guardrails:
    """The rules for the prices that people set for the products of a version."""

    def __init__(self, scored: Scored) -> None:
        self.scored = scored
        self.hard: PriceRange = price_range(scored.policy.bounds.for_people, facts_of(scored.products))

    def verdict(self, row: int, price: float) -> Verdict:
        """Return what the rules say of a price in currency for the product at `row` of the problem."""
        cents = price * CENTS
        if not np.isfinite(cents) or abs(cents - round(cents)) > CLOSE:
            return Verdict(f"a price must be in whole cents, found {price:g}", [])
        low, high = int(self.hard.low[row]), int(self.hard.high[row])
        if not low <= round(cents) <= high:
            end, rule = (low, self.hard.low_rule[row]) if cents < low else (high, self.hard.high_rule[row])
            side = "lowest" if cents < low else "highest"
            return Verdict(f"{price_words(end / CENTS)} is the {side} price: {_words(rule)}", [])
        return Verdict("", self._warnings(row, round(cents)))

    def rung(self, row: int, price: float) -> float:
        """Return the highest usual price in currency of the product at `row` that is at most `price`, else `price`."""
        ladder = self.scored.policy.ladders[self.scored.problem.limits.ladder[row]]
        cents = int(ladder.at_or_below(np.array([round(price * CENTS)]))[0])
        return cents / CENTS if cents > 0 else round(price, 2)

    def _warnings(self, row: int, cents: int) -> list[str]:
        limits = self.scored.problem.limits
        low, high = int(limits.low[row]), int(limits.high[row])
        found = []
        if cents < low:
            found.append(f"below {price_words(low / CENTS)}: {_words(limits.rules.at_low[row])}")
        if cents > high:
            found.append(f"above {price_words(high / CENTS)}: {_words(limits.rules.at_high[row])}")
        ladder = self.scored.policy.ladders[limits.ladder[row]]
        if int(ladder.at_or_above(np.array([cents]))[0]) != cents:
            found.append("no usual price ending")
        cost = self.scored.problem.products.cost_with_vat()[row] * CENTS
        if cents < cost - CLOSE:
            vat = " and its VAT" if self.scored.problem.includes_vat else ""
            found.append(f"below the cost of {price_words(cost / CENTS)}{vat}")
        return found


def _words(rule: int) -> str:
    return rule_words(BINDINGS[rule])
