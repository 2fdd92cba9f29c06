"""The prices that each product may take by rules, ladder and prices set by hand, as the kernels take them."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.overrides import Overrides
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.price_range import ABSENT, LARGEST, LEAST, MICROS_PER_CENT, Facts, PriceRange, price_range
from gpu_pricer.policy.rates import MILLION
from gpu_pricer.policy.rule_columns import IS_COST_ASSUMED, IS_FROZEN, IS_RESTING, MONEY_RULES
from gpu_pricer.tables.price_table import BINDINGS, CENTS, RULES
from gpu_pricer.tables.vat import net_share
from kernels import PRICE_LIMIT, Ladders

PRODUCTS_AT_ONCE = 2**16

AMOUNTS = {"price": 1, "cost": MICROS_PER_CENT, "min_price": MICROS_PER_CENT, "max_price": MICROS_PER_CENT}
"""Columns of money that every product has, in the order of Facts, and the parts of a cent in which they are exact."""

BROKEN = np.array([BINDINGS.index(f"{rule}_broken" if rule in RULES[:-1] else rule) for rule in BINDINGS], np.int8)
"""For each position in BINDINGS, the position of the binding that names this rule as overruled."""

RESTING_RULE = "min_days_between_changes"
RESTING = BINDINGS.index(RESTING_RULE)


class BindingRules(NamedTuple):
    """The rules that `binding` names for a product, int8 [P] each: positions in BINDINGS.

    at_low: where the low bound sets the price (BindingSide.LOW); inside: where no bound does (BindingSide.NONE);
    at_high: where the high bound does (BindingSide.HIGH). All three are one rule where only one price is left.
    """

    at_low: np.ndarray
    inside: np.ndarray
    at_high: np.ndarray

    def rows(self, products: slice | np.ndarray) -> "BindingRules":
        """Return the rules of some products."""
        return BindingRules(*(rule[products] for rule in self))

    def set_all(self, products: np.ndarray, rule: str | np.ndarray) -> None:
        """Name one rule, or one position in BINDINGS for each product, whatever bound sets the price."""
        for names in self:
            names[products] = BINDINGS.index(rule) if isinstance(rule, str) else rule


@dataclass(frozen=True)
class PriceLimits:
    """The prices that each of P products may take.

    low, high int32 cents [P]: rungs of the product's ladder, or one of them today's price off the ladder (see
    on_ladder), or equal where one price is left; rules: what `binding` names; may_stay bool [P]: whether today's price
    breaks no rule; ladder int32 [P]: the product's row of `ladders`;
    family int32 [P]: products with the same number share one price, -1: the product is alone. gap int32 cents [P, 3]:
    see small_moves, None without a smallest move.
    """

    low: np.ndarray
    high: np.ndarray
    rules: BindingRules
    may_stay: np.ndarray
    ladder: np.ndarray
    ladders: Ladders
    family: np.ndarray
    gap: np.ndarray | None

    def of_products(self, is_chosen: np.ndarray) -> "PriceLimits":
        """Return the limits of the chosen products alone, is_chosen bool [P]; families keep their numbers."""
        return replace(
            self,
            low=self.low[is_chosen],
            high=self.high[is_chosen],
            rules=self.rules.rows(is_chosen),
            may_stay=self.may_stay[is_chosen],
            ladder=self.ladder[is_chosen],
            family=self.family[is_chosen],
            gap=None if self.gap is None else self.gap[is_chosen],
        )


class RuleLimits(NamedTuple):
    """The limits that rules, ladders and prices set by hand leave to each product, before families.

    today, low, high: int32 cents [P]; rules, may_stay: see PriceLimits.
    """

    today: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rules: BindingRules
    may_stay: np.ndarray


def bounded(products: pl.DataFrame, policy: Policy, ladder: np.ndarray, overrides: Overrides) -> RuleLimits:
    """Return the limits of matched products.

    They are computed block by block, because each product needs 200 bytes of intermediate memory. ladder [P]: the row
    of policy.ladders; overrides: those of whole products. InputError where the data forbid it.
    """
    for name, parts_per_cent in AMOUNTS.items():
        _require_amounts(products, name, parts_per_cent)
    blocks = [slice(first, first + PRODUCTS_AT_ONCE) for first in range(0, products.height, PRODUCTS_AT_ONCE)]
    parts = [_limits_of(products[rows], policy, ladder[rows]) for rows in blocks]
    limits = _joined(parts)
    if IS_FROZEN in products.columns:
        frozen = np.flatnonzero(products[IS_FROZEN].to_numpy())
        _fix(limits, frozen, limits.today[frozen], "frozen")
    _fix(limits, overrides.product, overrides.price, "override")
    return limits


def _limits_of(products: pl.DataFrame, policy: Policy, ladder: np.ndarray) -> RuleLimits:
    """Return the limits that rules and ladders set for a block of products."""
    facts = facts_of(products)
    found = price_range(policy.bounds, facts)
    _require_below_limit(products, found.low)
    may_stay = (found.low <= facts.today) & (facts.today <= found.high)
    low, high, rules = _on_ladders(found, policy.ladders, ladder, facts.today)
    today, low, high = (cents.astype(np.int32) for cents in (facts.today, low, high))
    return RuleLimits(today, low, high, rules, may_stay)


def _joined(parts: list[RuleLimits]) -> RuleLimits:
    """Return the limits of all blocks of products, one after the other."""
    rules = BindingRules(*(np.concatenate(arrays) for arrays in zip(*(part.rules for part in parts), strict=True)))
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ("today", "low", "high", "may_stay")
    }
    return RuleLimits(**joined, rules=rules)


def ladder_rows(category_id: pl.Series, policy: Policy) -> np.ndarray:
    """Return each product's row int32 [P] of policy.ladders; InputError for a ladder of an unknown category."""
    row_of = {category: row for row, category in enumerate(policy.category_ladders, start=1)}
    if not row_of:
        return np.broadcast_to(np.int32(0), len(category_id))
    unknown = sorted(set(row_of) - {*category_id.unique()})
    if unknown:
        raise InputError(
            f"policy.category_ladders must name categories of the catalog, found {', '.join(map(str, unknown))}: "
            f"there are {', '.join(category_id.unique().sort().head(3))}, ..."
        )
    return category_id.replace_strict(row_of, default=0, return_dtype=pl.Int32).to_numpy()


def on_ladder(bounds: PriceRange, ladder: Ladder, today: np.ndarray) -> tuple[np.ndarray, np.ndarray, BindingRules]:
    """Return low and high [P] in cents, the ends of what bounds and ladder allow, and the rules that `binding` names.

    today [P]: today's prices in cents. Where the bounds hold today's price, but no rung between that price and one of
    the bounds, today's price is that end: a price that may only move down to a rung stays if no lower rung earns more,
    and the same for up. Where a rule was overruled, only the end nearest to it is left, and the overruled rule is
    named; where no rung is left, today's price stays.
    """
    low, high = ladder.at_or_above(bounds.low), ladder.at_or_below(bounds.high)
    has_no_rung = low > high
    may_stay = (bounds.low <= today) & (today <= bounds.high)
    low, high = np.where(may_stay, np.minimum(low, today), low), np.where(may_stay, np.maximum(high, today), high)
    low, high = np.where(bounds.pull > 0, high, low), np.where(bounds.pull < 0, low, high)
    low, high = np.where(has_no_rung, today, low), np.where(has_no_rung, today, high)
    inside = np.full_like(bounds.low_rule, BINDINGS.index("none"))
    rules = BindingRules(bounds.low_rule.copy(), inside, bounds.high_rule.copy())
    is_broken = bounds.broken > 0
    rules.set_all(is_broken, BROKEN[bounds.broken[is_broken]])
    rules.set_all(has_no_rung, "no_rung")
    rules.set_all((low == high) & (bounds.low_rule == RESTING) & (bounds.high_rule == RESTING), RESTING_RULE)
    return low, high, rules


def _on_ladders(
    bounds: PriceRange, ladders: list[Ladder], row: np.ndarray, today: np.ndarray
) -> tuple[np.ndarray, np.ndarray, BindingRules]:
    """Return what on_ladder returns, where each product has the ladder ladders[row], row int32 [P]."""
    low, high, rules = on_ladder(bounds, ladders[0], today)
    for number in np.unique(row[row > 0]):
        mine = row == number
        part = PriceRange(*(column[mine] for column in vars(bounds).values()))
        low[mine], high[mine], mine_rules = on_ladder(part, ladders[number], today[mine])
        for rule, own in zip(rules, mine_rules, strict=True):
            rule[mine] = own
    return low, high, rules


def _fix(limits: RuleLimits, products: np.ndarray, price: np.ndarray, rule: str) -> None:
    limits.low[products] = limits.high[products] = price
    limits.rules.set_all(products, rule)
    limits.may_stay[products] = price == limits.today[products]


def facts_of(products: pl.DataFrame) -> Facts:
    """Return what the rules read of matched products; the cost is the price at which a unit earns nothing after VAT."""
    products = products.with_columns(cost=products["cost"] / net_share(products))
    amounts = (_parts(products, name, parts_per_cent).astype(np.int64) for name, parts_per_cent in AMOUNTS.items())
    optional = (_optional_parts(products, name) for name in MONEY_RULES)
    flags = (_flags(products, name) for name in (IS_COST_ASSUMED, IS_RESTING))
    return Facts(*(*amounts, *optional, *flags))


def _flags(products: pl.DataFrame, name: str) -> np.ndarray:
    """Return a column of flags, bool [P]; false where the table does not have it."""
    return products[name].to_numpy() if name in products.columns else np.zeros(products.height, np.bool_)


def _parts(products: pl.DataFrame, name: str, parts_per_cent: int) -> np.ndarray:
    """Return a column of money as whole parts of a cent, float64 [P]."""
    return np.round(products[name].to_numpy() * (CENTS * parts_per_cent))


def _require_amounts(products: pl.DataFrame, name: str, parts_per_cent: int) -> None:
    """Raise InputError for an amount beyond the largest price, and for a price below one cent."""
    whole = _parts(products, name, parts_per_cent)
    is_valid = np.isfinite(whole) & (whole < PRICE_LIMIT * parts_per_cent)
    if name == "price":
        is_valid &= whole >= LEAST
    if not is_valid.all():
        example = products.filter(~is_valid).select("product_id", name).row(0)
        limits = f"{'at least one cent and ' if name == 'price' else ''}below {PRICE_LIMIT / CENTS:,.2f}"
        raise InputError(
            f"{name} must be {limits}, found {np.count_nonzero(~is_valid)} products where it is not, "
            f"the first {example}: mend the catalog or leave them out"
        )


def _optional_parts(products: pl.DataFrame, name: str) -> np.ndarray:
    """Return a column in millionths of the currency, ABSENT where it is null, clipped at the largest price."""
    if name not in products.columns:
        return np.broadcast_to(np.int64(ABSENT), products.height)
    amount = products[name].fill_null(ABSENT / MILLION).clip(upper_bound=LARGEST / CENTS)
    return np.round(amount.to_numpy() * MILLION).astype(np.int64)


def _require_below_limit(products: pl.DataFrame, low: np.ndarray) -> None:
    if (low > LARGEST).any():
        example = products.filter(low > LARGEST).select("product_id", "cost", "min_price").row(0)
        raise InputError(
            f"the lowest allowed price must be below {PRICE_LIMIT / CENTS:,.2f}, "
            f"found product (id, cost, min_price) {example}: "
            "mend its cost or support, or lower bounds.min_margin_rate"
        )
