"""An explanation as lines of text."""

from math import isnan
from typing import Any

from gpu_pricer.explain.derivation import Explanation, PriceOutcome
from gpu_pricer.explain.limit_effects import AddedCosts, LimitEffect
from gpu_pricer.policy.constraint import ANCHOR_PRICES, RATES
from gpu_pricer.policy.rule_words import broken_rule_words, is_overruled, rule_words
from gpu_pricer.tables.price_table import PER_VISITS, VAT_PART

BAR = 24  # characters of the longest bar
DIGITS = 4  # of currency, in the sum of an effective cost
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
) -> list[str]:
    """Return the derivation of a price: its parts, the allowed prices, other choices, and the demand around it.

    binding: the rule that sets the price, as in the price table; None for the wide layout, which does not hold it.
    added: what makes of the cost the effective one, None without limits on the assortment. unit_cost: what the cost of
    a unit rests on, from cost_words.
    """
    price = f"{found.now.price:,.2f} {currency}"
    return [
        f"{title}: {price}, today {found.today.price:,.2f} ({found.now.price / found.today.price - 1:+.1%})",
        *([] if found.is_on_shelf else [OFF_SHELF]),
        "",
        *_parts(found, unit_cost),
        "",
        *_limits(found, binding),
        *_push(found, added, currency),
        "",
        *_choices(found, currency),
        "",
        *_curve(found),
    ]


def limit_lines(
    effects: list[LimitEffect], added: AddedCosts, certificate: dict[str, Any], parts: dict[str, float], currency: str
) -> list[str]:
    """Return what each limit on the assortment that counts a price asks for, reaches and adds to what a unit costs.

    effects: see limit_effects; added: what makes of the cost the effective one; certificate: the content of
    certificate.json; parts: of the price.
    """
    lines = [f"What the limits on the assortment add to the cost (certificate: {certificate['status']})"]
    for effect in effects:
        entry = certificate["constraints"][effect.name]
        measure, kind = (entry[name].replace("_", " ") for name in ("measure", "kind"))
        required, achieved = (_measured(entry["measure"], entry[name]) for name in ("required", "achieved"))
        lines.append(f"  {effect.name} requires {measure} {kind} {required}, reached {achieved}:")
        lines.append(
            f"    {_priced_limit(effect, entry, currency)}; a unit of this product counts {effect.per_unit:+,.4f}"
        )
    if added.stock_price:
        lines.append(
            f"  the stock is scarce: the shadow price of a unit is {added.stock_price:,.4f} {currency}{_charged(added)}"
        )
    if len(lines) == 1:
        return [*lines, "  No limit that includes this price is binding, so that limits add nothing to the cost."]
    return [*lines, *_effective_cost(added, parts, currency)]


def rationed_line(asked: float, rationed: float) -> str:
    """Return the line on a product of which more units are asked for in a period than its stock has."""
    return (
        f"  its stock serves {asked - rationed:,.2f} of the {asked:,.2f} units that all segments ask for in a period: "
        "units and profit above are of all that is asked for"
    )


def _measured(measure: str, value: float) -> str:
    """Return the value of a measure: rates in percent, sums with four digits, whole from a thousand."""
    if measure in RATES:
        return f"{value:.2%}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _charged(added: AddedCosts) -> str:
    """Return what to add to the shadow price of the stock where a unit sold to the segment pays less than that."""
    if added.stock_charge == added.stock_price:
        return ""
    return f", but counts {added.stock_charge:,.4f} here: no allowed price earns more than this"


def _effective_cost(added: AddedCosts, parts: dict[str, float], currency: str) -> list[str]:
    """Return the sum that makes of a unit's cost the effective one; what is printed adds up to the last digit."""
    before, after = parts["unit_cost"], parts["unit_cost"] + parts["shadow_price"]
    shown = _adding_up({"the cost of a unit": added.cost, **_named(added)})
    return [
        f"  The price is set as if a unit cost {after:,.2f} instead of {before:,.2f}:",
        *(f"    {amount:>+12,.4f}  {name}" for name, amount in shown.items() if amount),
        f"    {sum(shown.values()):>12,.4f}  = {after:,.2f}, unit cost and effect of the limits, in whole cents",
        "  A limit's line is its shadow price times what a unit sold at cost adds to it, divided by the weight of 1 "
        f"{currency} of revenue: {added.weight:,.4f}.",
    ]


def _named(added: AddedCosts) -> dict[str, float]:
    """Return what each weight, limit and scarce stock adds to a unit's cost, in currency, by its name."""
    return {"the policy's weight of revenue": added.objective, **added.limits, "its scarce stock": added.stock}


def _adding_up(amounts: dict[str, float]) -> dict[str, float]:
    """Return the amounts rounded to DIGITS, the largest changed by a digit so that they add up to their rounded sum."""
    shown = {name: round(amount, DIGITS) for name, amount in amounts.items()}
    largest = max(shown, key=lambda name: abs(shown[name]))
    shown[largest] = round(shown[largest] + round(sum(amounts.values()), DIGITS) - sum(shown.values()), DIGITS)
    return shown


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


def _priced_limit(effect: LimitEffect, entry: dict[str, Any], currency: str) -> str:
    """Return what a limit pays or charges, and for what, in words."""
    where = "" if effect.constraint.where is None else f" where {effect.constraint.where}"
    prices = "the anchor's" if effect.constraint.relative_to == ANCHOR_PRICES else "today's"
    what = {
        "units": f"each unit{where}",
        "revenue": f"each {currency} of revenue{where}",
        "profit": f"each {currency} of profit{where}",
        "margin_rate": f"each {currency} of profit{where} above {entry['required']:.1%} of revenue",
        "price_index": f"each {currency} of revenue{where} above {entry['required']:.1%} of the same units' "
        f"at {prices} prices",
    }[entry["measure"]]
    verb, kind = ("is worth", "floor") if entry["kind"] == "at_least" else ("costs", "ceiling")
    return f"{what} {verb} {effect.multiplier:,.4f} more, the shadow price of this {kind}"


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


def _limits(found: Explanation, binding: str | None) -> list[str]:
    lines = ["Allowed prices"]
    if found.low[0] == found.high[0]:
        lines.append(f"  only {found.low[0]:,.2f} ({rule_words(found.low[1])})")
    else:
        ends = (f"{price:,.2f} ({rule_words(rule)})" for price, rule in (found.low, found.high))
        lines.append("  from {} to {}".format(*ends))
    if binding is not None:
        lines.append(f"  {_rule(binding)}")
    if found.family:
        lines.append(f"  one price for the whole family: {', '.join(map(str, found.family))}")
    least, most = found.support
    lines.append(
        f"  demand was learned from prices of {least:,.2f} to {most:,.2f}, around {found.reference_price:,.2f}"
    )
    if not least <= found.now.price <= most:
        lines.append("  this price lies outside them: its demand is an extrapolation")
    return lines


def _push(found: Explanation, added: AddedCosts | None, currency: str) -> list[str]:
    """Return the line on what the limits on the assortment make of a price, none where they add nothing to its cost.

    added: as in explanation_lines; without limits only the policy's weight of revenue adds to the cost.
    """
    effect = found.parts["shadow_price"]
    if not effect or found.low[0] == found.high[0]:
        return []
    named = {} if added is None else {name: amount for name, amount in _named(added).items() if amount}
    is_of_limits = added is not None and (added.limits or added.stock)
    what, count = ("the limits on the assortment", "they count") if is_of_limits else (
        "the policy's weight of revenue", "it counts"
    )  # fmt: skip
    verb = ("push" if is_of_limits else "pushes") + (" it up" if effect > 0 else " it down")
    which = ", ".join(f"{name} {amount:+,.4f}" for name, amount in _adding_up(named).items()) if named else ""
    size = f"{abs(effect):,.2f} {currency} {'more' if effect > 0 else 'less'} cost"
    return [f"  {what} {verb}: {count} as {size}{f' ({which})' if which else ''}"]


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
