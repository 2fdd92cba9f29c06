"""What the limits on the assortment make of a price, as lines of text."""

from typing import Any

from gpu_pricer.explain.derivation import Explanation
from gpu_pricer.explain.limit_effects import AddedCosts, LimitEffect
from gpu_pricer.policy.constraint import ANCHOR_PRICES, RATES

DIGITS = 4  # of currency, in the sum of an effective cost


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


def push_lines(found: Explanation, added: AddedCosts | None, currency: str) -> list[str]:
    """Return the line on what the limits on the assortment make of a price, none where they add nothing to its cost.

    added: None without limits on the assortment, when only the policy's weight of revenue adds to the cost.
    """
    effect = found.parts["shadow_price"]
    if not effect or found.low[0] == found.high[0]:
        return []
    is_of_limits = added is not None and (added.limits or added.stock)
    what, push, count = "the limits on the assortment", "push", "they count"
    if not is_of_limits:
        what, push, count = "the policy's weight of revenue", "pushes", "it counts"
    way, more = ("up", "more") if effect > 0 else ("down", "less")
    named = {} if added is None else _adding_up({name: amount for name, amount in _named(added).items() if amount})
    which = ", ".join(f"{name} {amount:+,.4f}" for name, amount in named.items())
    size = f"{abs(effect):,.2f} {currency} {more} cost{f' ({which})' if which else ''}"
    return [f"  {what} {push} it {way}: {count} as {size}"]


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
    if not shown:
        return {}
    largest = max(shown, key=lambda name: abs(shown[name]))
    shown[largest] = round(shown[largest] + round(sum(amounts.values()), DIGITS) - sum(shown.values()), DIGITS)
    return shown


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
