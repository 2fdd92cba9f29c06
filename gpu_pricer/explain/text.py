"""An explanation as lines of text."""

from math import isnan

from gpu_pricer.explain.derivation import Explanation, PriceOutcome
from gpu_pricer.explain.limit_effects import AddedCosts
from gpu_pricer.explain.limit_text import push_lines
from gpu_pricer.policy.rule_words import broken_rule_words, is_overruled, rule_words
from gpu_pricer.tables.price_table import PER_VISITS, VAT_PART

BAR = 24  # characters of the longest bar
OFF_SHELF = "The product is off the shelf: nobody can buy it, so that no price earns more than another."

GIVEN_COST = "unit cost: what a unit costs"

PART_WORDS = {"shadow_price": "effect of the limits"}
"""Names of parts that differ from the price table's columns: a shadow price is the multiplier of a limit."""

MEANINGS = {
    "unit_cost": "what a unit costs",
    "shadow_price": "what the limits on the assortment, and the policy's weight of revenue, add to the cost",
    "sensitivity_markup": "the mark-up that this segment's price sensitivity allows",
    "opportunity_value": "what the same visit would earn from the category's other products",
    "adjustment": "bounds, price ladder and rounding to the cent",
    "vat": "the VAT that the price includes",
}


def explanation_lines(
    title: str,
    found: Explanation,
    binding: str | None,
    currency: str,
    added: AddedCosts | None = None,
    unit_cost: str = GIVEN_COST,
    unsold: str = "",
) -> list[str]:
    """Return the derivation of a price: its parts, the allowed prices, other choices, and the demand around it.

    binding: the rule that sets the price, as in the price table; None for the wide layout, which does not hold it.
    added: what makes of the cost the effective one, None without limits on the assortment. unit_cost: what the cost of
    a unit rests on, from cost_words. unsold: the sentence on a product whose demand no sale of its own taught, "" for
    others.
    """
    price = f"{found.now.price:,.2f} {currency}"
    return [
        f"{title}: {price}, today {found.today.price:,.2f} ({found.now.price / found.today.price - 1:+.1%})",
        *([] if found.is_on_shelf else [OFF_SHELF]),
        *([unsold] if unsold else []),
        "",
        *_parts(found, unit_cost),
        "",
        *_limits(found, binding, push_lines(found, added, currency), is_sold=not unsold),
        "",
        *_choices(found, currency),
        "",
        *_curve(found),
    ]


def change_lines(
    before: dict[str, float], after: dict[str, float], bindings: tuple[str, str], runs: tuple[str, str]
) -> list[str]:
    """Return how a price changed between two versions, part by part.

    before, after: the price and its parts in currency. bindings: the rule that sets each price; runs: the versions.
    """
    lines = [f"From {runs[0]} to {runs[1]}:", f"  {'':<20}{'before':>10}{'after':>10}{'change':>10}"]
    for name, now in after.items():
        lines.append(f"  {name:<20}{before[name]:>10,.2f}{now:>10,.2f}{now - before[name]:>+10,.2f}")
    parts = {name: now - before[name] for name, now in after.items() if name != "price"}
    largest = max(parts, key=lambda name: abs(parts[name]))
    if parts[largest]:
        lines.append(f"  most of it: {part_words(largest)} ({MEANINGS[largest]})")
    rule = "the same limiting rule" if bindings[0] == bindings[1] else "another limiting rule"
    lines.append("  {}: {} before, {} after".format(rule, *map(rule_words, bindings)))
    return lines


def part_words(part: str) -> str:
    """Return what people read for a part of a price, a column of the price table."""
    return PART_WORDS.get(part, part.replace("_", " "))


def cost_words(assumed_share: float | None) -> str:
    """Return what the cost of a unit rests on; assumed_share: of the list price, NaN for one that is not known."""
    if assumed_share is None:
        return GIVEN_COST
    share = "a configured share" if isnan(assumed_share) else f"{round(100 * assumed_share, 1):g} %"
    return f"unit cost, assumed: {share} of the list price, because the products table has no cost"


def _parts(found: Explanation, unit_cost: str) -> list[str]:
    lines = ["Parts of the price"]
    for name, amount in found.parts.items():
        if name == "adjustment":
            before = ", before VAT" if VAT_PART in found.parts else ""
            lines.append(
                f"  {found.unconstrained_price:>10,.2f}  = the best price without bounds and ladder, at these purchase "
                f"shares{before}"
            )
        words = unit_cost if name == "unit_cost" else f"{part_words(name)}: {MEANINGS[name]}"
        lines.append(f"  {amount:>+10,.2f}  {words}")
    lines.append(f"  {found.now.price:>10,.2f}  = the price")
    return lines


def _limits(found: Explanation, binding: str | None, push: list[str], is_sold: bool) -> list[str]:
    """Return the lines on the allowed prices.

    push: those on what the limits on the assortment make of the price. is_sold: whether a sale of the product taught
    the demand.
    """
    lines = ["Allowed prices"]
    if found.low[0] == found.high[0]:
        lines.append(f"  only {found.low[0]:,.2f} ({rule_words(found.low[1])})")
    else:
        ends = (f"{price:,.2f} ({rule_words(rule)})" for price, rule in (found.low, found.high))
        lines.append("  from {} to {}".format(*ends))
    if binding is not None:
        lines.append(f"  {_rule(binding)}")
    lines += push
    if found.family:
        lines.append(f"  one price for the whole family: {', '.join(map(str, found.family))}")
    lines.append(_taught(found, is_sold))
    least, most = found.support
    if not least <= found.now.price <= most:
        lines.append("  this price lies outside them: its demand is an extrapolation")
    return lines


def _taught(found: Explanation, is_sold: bool) -> str:
    """Return the line on the prices that taught the demand; is_sold: see _limits.

    The support of a product without sales is that of its category's prices, each over its product's reference price.
    """
    (least, most), level = found.support, found.reference_price
    if is_sold:
        return f"  demand was learned from prices of {least:,.2f} to {most:,.2f}, around {level:,.2f}"
    return (
        "  no sale of this product taught the demand: prices of other products, scaled to its level of "
        f"{level:,.2f}, cover {least:,.2f} to {most:,.2f}"
    )


def _rule(binding: str) -> str:
    """Return the clause on the value of `binding` of a price."""
    if binding == "none":
        return "no rule for single prices limits this price"
    if is_overruled(binding):
        return f"the price breaks a rule that a later one overrules: {broken_rule_words(binding)} ({binding})"
    return f"limiting rule: {rule_words(binding)} ({binding})"


def _choices(found: Explanation, currency: str) -> list[str]:
    per_visit = found.now.units / PER_VISITS
    lines = [
        f"Other prices ({_others(found.neighbours)})",
        f"  {per_visit:.4f} units per visit; own-price elasticity {found.elasticity:+.2f}",
        *_interval(found, currency),
        *(["  profit is after VAT"] if VAT_PART in found.parts else []),
        f"  at this price  {_outcome(found.now)}",
        f"  at today's     {_outcome(found.today)}",
    ]
    if found.runner_up is None:
        return [*lines, "  no other price is allowed"]
    lost = found.now.category_profit - found.runner_up.category_profit
    lines.append(
        f"  next best price {found.runner_up.price:,.2f}: the category {_change(lost)} {currency} per 1,000 visits, "
        f"{abs(lost) * found.visits / PER_VISITS:,.4f} in the segment's period"
    )
    if found.is_weighted:
        counted = found.now.category_value - found.runner_up.category_value
        lines.append(f"    counting the policy's limits and weights too, it {_change(counted)} {currency}")
    return lines


def _others(neighbours: int) -> str:
    """Return what is taken of the prices of the category's other products."""
    if neighbours < 2:
        return ("the only product of its category", "the category's other product keeps its price")[neighbours]
    return f"the category's {neighbours} other products keep their prices"


def _change(lost: float) -> str:
    return f"loses {lost:,.4f}" if lost >= 0 else f"would gain {-lost:,.4f}"


def _interval(found: Explanation, currency: str) -> list[str]:
    if found.interval is None:
        return []
    (least, most), (low, high) = found.interval.profit, found.interval.elasticity
    return [
        f"  90 % interval over {found.interval.draws} posterior draws of the price response: elasticity {low:+.2f} to "
        f"{high:+.2f}, profit {least:,.2f} to {most:,.2f} {currency} per {PER_VISITS:,} visits",
        "    the sales at the reference price count as known, so that the profit is less certain than this",
    ]


def _outcome(outcome: PriceOutcome) -> str:
    units, profit = f"{outcome.units:,.2f} units", f"{outcome.profit:,.2f} profit"
    return f"{units}, {profit}; the category {outcome.category_profit:,.2f} (per {PER_VISITS:,} visits)"


def _curve(found: Explanation) -> list[str]:
    names = ["price", "units", "profit", "category", *(["counted"] if found.is_weighted else [])]
    lines = ["  " + "".join(f"{name:>10}" for name in names)]
    least, most = (end(point.category_value for point in found.curve) for end in (min, max))
    for point in found.curve:
        bar = "█" * round(BAR * (point.category_value - least) / (most - least or 1))
        allowed = " " if found.low[0] <= point.price <= found.high[0] else "·"
        mark = " ◀ the price" if point.price == found.now.price else ""
        numbers = (point.price, point.units, point.profit, point.category_profit, point.category_value)[: len(names)]
        lines.append(f" {allowed}{''.join(f'{number:>10,.2f}' for number in numbers)}  {bar}{mark}")
    what = "; counted: the category's profit with limits and weights" if found.is_weighted else ""
    return [f"Demand around it, per 1,000 visits (· not allowed{what})", *lines]
