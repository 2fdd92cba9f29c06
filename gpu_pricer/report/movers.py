"""The products whose prices move the most money: each with its reason in words, and what another price would earn."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.explain import PriceOutcome, best_other_price, category_at
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.rule_words import broken_rule_words, is_overruled, rule_words
from gpu_pricer.report.figures.product import DOWN, KEPT, MIXED, UP
from gpu_pricer.report.scored import Scored
from gpu_pricer.report.words import money, price
from gpu_pricer.tables.price_table import PER_VISITS

CENT = 0.01
"""Below this much currency, limits on the whole assortment add nothing to a price."""

WEAK, STRONG = 1.0, 2.0
"""Sizes of an elasticity below which buyers react little to a price, and above which they react strongly."""


@dataclass(frozen=True)
class Mover:
    """One of the top movers: its row of product_figures, why its price moves, and what another price would earn."""

    figures: dict[str, object]
    reason: str
    runner_up: str


def top_movers(scored: Scored, rows: pl.DataFrame, count: int) -> list[Mover]:
    """Return the movers among the first `count` rows of product_figures."""
    moved = rows.head(count).filter(pl.col("money") > 0)
    return [Mover(row, reason_of(row), _runner_up(scored, row)) for row in moved.to_dicts()]


def reason_of(row: dict) -> str:
    """Return one to three sentences on why a product's price moves as it does, from its row of product_figures."""
    return " ".join(part for part in (_response(row), _limits(row), _rule(row)) if part)


def _response(row: dict) -> str:
    """Return the sentence on how buyers answer the price, and what therefore moves it."""
    elasticity, direction = row["elasticity"], row["direction"]
    if direction == KEPT:
        return "The price stays."
    act = _act(row)
    if elasticity is None:
        return f"{act[0].upper()}{act[1:]}."
    size = abs(elasticity)
    how = "little" if size < WEAK else "strongly" if size > STRONG else "moderately"
    joint = ", but" if (direction == UP and size > STRONG) or (direction == DOWN and size < WEAK) else ":"
    return f"Buyers react {how} to the price (1 % more on it loses {size:.1f} % of the units){joint} {act}."


def _act(row: dict) -> str:
    """Return the clause on what moves the price: a rule, scarce stock, limits on the assortment, or its own profit."""
    push = _push(row)
    if _is_forced(row):
        return f"it {'rises' if row['direction'] == UP else 'falls'} because a rule of the policy forbids today's price"
    if row["direction"] == UP and _is_scarce(row):
        return "the price rises so that the stock lasts the period"
    if row["direction"] == DOWN and push < -CENT:
        return "the price falls so that the limits on the whole assortment are met"
    if row["direction"] == UP and push > CENT:
        return "the price rises so that the limits on the whole assortment are met"
    is_open = row.get("has_limits") and row.get("shadow_price") is None  # a version without details of its prices
    counted = ", counting what the limits on the whole assortment ask for" if is_open else ""
    return {
        UP: f"a higher price earns more, in spite of the units it loses{counted}",
        DOWN: f"a lower price sells enough more units to earn more{counted}",
        MIXED: "the price rises in some segments and falls in others",
    }[row["direction"]]


def _is_forced(row: dict) -> bool:
    """Return whether no allowed price is as low, or as high, as today's."""
    is_raised = row["direction"] == UP and row["allowed_low"] > row["today"]
    return bool(is_raised or (row["direction"] == DOWN and row["allowed_high"] < row["today"]))


def _limits(row: dict) -> str:
    """Return the sentence on what limits on the whole assortment do beside what `_act` says, "" for nothing."""
    push = _push(row)
    if _is_scarce(row) and row["direction"] != UP:
        return f"Scarce stock keeps the price up: one more unit would earn {price(row['stock_price'])}."
    if abs(push) <= CENT:
        return ""
    if row["direction"] in (MIXED, KEPT):
        return f"The limits on the whole assortment push the price {'up' if push > 0 else 'down'}."
    is_against = (row["direction"] == UP) == (push < 0)
    return "The limits on the whole assortment hold the price back." if is_against else ""


def _push(row: dict) -> float:
    """Return what the limits on the whole assortment add to the unit cost, in currency; 0 where it is not known."""
    shadow = row.get("shadow_price")
    return 0.0 if shadow is None else shadow - (row.get("stock_price") or 0.0)


def _is_scarce(row: dict) -> bool:
    return (row.get("stock_price") or 0.0) > CENT


def _rule(row: dict) -> str:
    """Return the sentence on the rule that the prices of most segments are due to, "" where none is."""
    if row["binding"] == "none":
        return ""
    if is_overruled(row["binding"]):
        return f"It breaks a rule that a later one overrules: {broken_rule_words(row['binding'])}."
    often = "Most frequent limiting rule" if row["direction"] == MIXED else "Limiting rule"
    return f"{often}: {rule_words(row['binding'])}."


def _runner_up(scored: Scored, row: dict) -> str:
    """Return what the other allowed price with the most profit would do, in the segment with the most visits."""
    segment = int(np.argmax(scored.problem.segments.visits))
    now, other = _in_profit(scored, int(row["row"]), segment)
    if other is None:
        return "No other price is allowed."
    visits = float(scored.problem.segments.visits[segment])
    change = (other.category_profit - now.category_profit) * visits / PER_VISITS
    earned = money(abs(change), scored.version.currency)
    more = "more" if change > 0 else "less"
    here = scored.problem.segments.segment_id[segment]
    case = _in_which_case(scored.policy, row, change > 0)
    instead = f"{price(other.price)} in place of {price(now.price)} in segment {here}"
    return f"{case} {instead} would earn the category {earned} {more} in a period."


def _in_which_case(policy: Policy, row: dict, earns_more: bool) -> str:
    """Return the words before the price with the most profit: the next best one only where the policy asks for profit.

    Else the next best price, which `explain` prints, counts what the limits and the policy's weights ask for too.
    earns_more: than the price of the version, which limits or weights then forbid.
    """
    if policy.active_constraints and earns_more:
        return f"Without the {'limit of its stock' if _is_scarce(row) else 'limits on the assortment'},"
    has_more_than_profit = policy.active_constraints or policy.objective.revenue > 0
    return "Counting profit alone," if has_more_than_profit else "Next best price:"


def _in_profit(scored: Scored, row: int, segment: int) -> tuple[PriceOutcome, PriceOutcome | None]:
    """Return the outcomes of a product's price and of the other allowed price with the most profit; None without one.

    row, segment: positions in the problem.
    """
    problem = scored.problem
    index = int(np.searchsorted(problem.products.category_start, row, side="right")) - 1
    prices = scored.price[problem.product_slice(index, index + 1), segment]
    category = category_at(problem, row, segment, prices, None)
    ladder = scored.policy.ladders[problem.limits.ladder[row]]
    now = category.outcome_at(row, scored.price[row, segment])
    return now, best_other_price(category, row, ladder, "category_profit")
