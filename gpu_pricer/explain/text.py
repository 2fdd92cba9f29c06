"""An explanation as lines to read."""

from typing import Any

from gpu_pricer.explain.derivation import At, Explanation

BAR = 24

SAYS = {
    "unit_cost": "what a unit costs",
    "shadow_price": "what the policy's weights and limits add to the cost",
    "sensitivity_markup": "mark-up that this segment's price sensitivity allows",
    "opportunity_value": "what the same visit would earn from the category's other products",
    "adjustment": "bounds, ladder and cent",
}


def lines_of(title: str, found: Explanation, binding: str, currency: str) -> list[str]:
    """The derivation of a price: how it is made up, what is allowed, what else could be set, and the demand around."""
    price = f"{found.now.price:,.2f} {currency}"
    return [
        f"{title}: {price}, today {found.today.price:,.2f} ({found.now.price / found.today.price - 1:+.1%})",
        "",
        *_parts(found),
        "",
        *_limits(found, binding),
        "",
        *_choices(found, currency),
        "",
        *_curve(found),
    ]


def constraint_lines(certificate: dict[str, Any]) -> list[str]:
    """What the constraints on the assortment ask for, reach and cost, by their certificate."""
    lines = [f"Constraints on the assortment ({certificate['status']}), which make the shadow price"]
    for name, entry in certificate["constraints"].items():
        limit = f"{entry['kind'].replace('_', ' ')} {entry['required']:,.4g}, reached {entry['achieved']:,.4g}"
        cost = f"one less would add {entry['shadow_price']:,.4g}" if entry["binding"] else "does not bind"
        lines.append(f"  {name}: {entry['measure']} {limit}; {cost}")
    return lines


def change_lines(
    before: dict[str, float], after: dict[str, float], bindings: tuple[str, str], runs: tuple[str, str]
) -> list[str]:
    """What of a price changed between two versions, part by part; price and parts of both."""
    lines = [f"From {runs[0]} to {runs[1]}:", f"  {'':<20}{'before':>10}{'after':>10}{'change':>10}"]
    for name, now in after.items():
        lines.append(f"  {name:<20}{before[name]:>10,.2f}{now:>10,.2f}{now - before[name]:>+10,.2f}")
    parts = {name: now - before[name] for name, now in after.items() if name != "price"}
    largest = max(parts, key=lambda name: abs(parts[name]))
    if parts[largest]:
        lines.append(f"  most of it: {largest.replace('_', ' ')} ({SAYS[largest]})")
    rule = "the same rule holds it" if bindings[0] == bindings[1] else "another rule holds it"
    lines.append(f"  {rule}: {bindings[0]} before, {bindings[1]} after")
    return lines


def _parts(found: Explanation) -> list[str]:
    lines = ["How it is made up"]
    for name, amount in found.parts.items():
        if name == "adjustment":
            lines.append(f"  {found.wanted:>10,.2f}  = what would be best without the rules, at these shares")
        lines.append(f"  {amount:>+10,.2f}  {name.replace('_', ' ')}: {SAYS[name]}")
    lines.append(f"  {found.now.price:>10,.2f}  = the price")
    return lines


def _limits(found: Explanation, binding: str) -> list[str]:
    lines = ["What is allowed"]
    if found.low[0] == found.high[0]:
        lines.append(f"  only {found.low[0]:,.2f} ({found.low[1]})")
    else:
        lines.append(f"  from {found.low[0]:,.2f} ({found.low[1]}) to {found.high[0]:,.2f} ({found.high[1]})")
    is_free = binding == "none"
    lines.append("  no rule holds this price" if is_free else f"  the price is held by: {binding}")
    if found.family:
        lines.append(f"  it is one price for the family of {', '.join(map(str, found.family))}")
    least, most = found.support
    lines.append(
        f"  demand was learned from prices of {least:,.2f} to {most:,.2f}, around {found.reference_price:,.2f}"
    )
    if not least <= found.now.price <= most:
        lines.append("  this price lies outside of them: its demand is a guess")
    return lines


def _choices(found: Explanation, currency: str) -> list[str]:
    shown = f"the {found.neighbours} other products of the category keep their prices"
    lines = [
        f"What else could be set ({shown})",
        f"  {found.share:.2%} of visits choose it; 1 % more on the price is {found.elasticity:+.2f} % units",
        *_interval(found),
        f"  at this price  {_of(found.now)}",
        f"  at today's     {_of(found.today)}",
    ]
    if found.runner_up is None:
        return [*lines, "  no other price is allowed"]
    loss = found.now.category_value - found.runner_up.category_value
    period = loss * found.visits / 1000
    verb, amount = ("loses", loss) if loss >= 0 else ("would gain", -loss)
    return [
        *lines,
        f"  runner-up {found.runner_up.price:,.2f}: {verb} {amount:,.4f} {currency} per 1,000 visits, "
        f"{abs(period):,.4f} in the segment's period",
    ]


def _interval(found: Explanation) -> list[str]:
    if found.interval is None:
        return []
    (least, most), (low, high) = found.interval.profit, found.interval.elasticity
    return [
        f"  nine in ten of the {found.interval.draws} sensitivities that the log allows: {low:+.2f} to {high:+.2f} % "
        f"units, {least:,.2f} to {most:,.2f} profit"
    ]


def _of(at: At) -> str:
    return f"{at.units:,.2f} units, {at.profit:,.2f} profit; the category {at.category_value:,.2f} (per 1,000 visits)"


def _curve(found: Explanation) -> list[str]:
    lines = [f"  {'price':>10}{'units':>10}{'profit':>10}{'category':>10}"]
    least, most = (bound(at.category_value for at in found.curve) for bound in (min, max))
    for at in found.curve:
        bar = "█" * round(BAR * (at.category_value - least) / (most - least or 1))
        allowed = " " if found.low[0] <= at.price <= found.high[0] else "·"
        mark = " ◀ the price" if at.price == found.now.price else ""
        lines.append(
            f" {allowed}{at.price:>10,.2f}{at.units:>10,.2f}{at.profit:>10,.2f}{at.category_value:>10,.2f}  {bar}{mark}"
        )
    return ["Demand around it, per 1,000 visits (· not allowed)", *lines]
