"""What speaks against a version's prices: what the sales show, and how little they tell of the price response."""

from collections.abc import Mapping
from typing import Any

from gpu_pricer.versions.appraisal.never_sold import NeverSold
from gpu_pricer.versions.appraisal.outlook import Outlook
from gpu_pricer.versions.appraisal.recent_sales import PERIODS, RecentSales

MUCH_UNTAUGHT = 0.25
"""Share of the units in categories that taught no price response, or little of it, from which on it is a doubt."""

FAR_FROM_SOLD = 0.20
"""Share by which units expected at today's prices differ from those sold lately, from which on the lines say so."""

MANY_UNSOLD = 0.05
"""Share of the priced products on the shelf without any sale, from which on it is a doubt.

Some products are new every night, and a doubt that is always there is soon not read.
"""

ROUNDING = 1e-6
"""Share of a limit that sums of prices may miss it by through rounding alone."""

MOST_ELASTIC = 3.0
"""The largest price elasticity, without its sign, by which different prices may explain different units."""


def doubts_of(
    outlook: Outlook | None,
    summary: Mapping[str, Any],
    metrics: Mapping[str, Any],
    units: float = 0.0,
    sold: RecentSales | None = None,
    unsold: NeverSold | None = None,
) -> list[str]:
    """Return a sentence on each doubt about the prices of a version, with what can be done.

    outlook: of the version, None where it is not computed. summary: of `prepare`. metrics: of `evaluate`; both are
    empty where they are not at hand. units: expected per period at today's prices. sold: what the same products sold
    lately, None where that is unknown. unsold: how many of those on the shelf were never sold, None where that is
    unknown.
    """
    of_sales = (metrics.get("price_response") or {}).get("doubts") or []
    is_rationed = outlook is not None and outlook.is_rationed
    of_units = [] if sold is None or is_rationed else _of_units(units, sold)
    of_response = _of_response(outlook, _lacks_list_prices(summary))
    of_log = [*(summary.get("doubts") or []), *_of_baselines(metrics), *of_sales]
    return [*of_log, *of_units, *_of_unsold(unsold), *of_response]


def doubts_of_loss(outlook: Outlook | None, constraints: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what to say of prices that earn less than today's under nearly all draws of the price response.

    constraints: entries of the certificate by name.
    """
    if outlook is None or outlook.gain is None or outlook.gain.high >= 0:
        return []
    missed = [name for name, entry in constraints.items() if _is_missed_today(entry)]
    why = (
        f"today's prices miss {len(missed):,} of the {len(constraints):,} limits on the assortment, such as "
        f"{missed[0]}, and to hold them costs profit"
        if missed
        else "a rule for single prices demands it, such as the minimum margin on a given cost or a price set by hand"
    )
    return [f"these prices are expected to earn less than today's: {why}; look at what changed before you rely on them"]


def _is_missed_today(entry: Mapping[str, Any]) -> bool:
    """Return whether today's prices miss a limit, by its entry in the certificate, by more than rounding."""
    missing = entry["required"] - entry["today"]
    return (missing if entry["kind"] == "at_least" else -missing) > ROUNDING * abs(entry["required"])


def _of_baselines(metrics: Mapping[str, Any]) -> list[str]:
    """Return what to say where baselines predict held-out sales better than the demand model: of the best of them."""
    better = metrics.get("better_rivals") or []
    if not better:
        return []
    name = min(better, key=lambda rival: metrics["baselines"][rival]["log_loss"])
    block = metrics["baselines"][name]
    return [
        f"{name} predicts held-out sales better than this demand model: log loss {block['log_loss']:.4f} against "
        f"{block['ours']['log_loss']:.4f}; find out why before you rely on these prices (gpu-pricer evaluate)"
    ]


def _of_unsold(unsold: NeverSold | None) -> list[str]:
    """Return what to say of priced products without any sale, where they are many of those on the shelf."""
    if unsold is None or not unsold.unsold or unsold.unsold < MANY_UNSOLD * unsold.products:
        return []
    share = unsold.unsold / unsold.products
    return [
        f"the prepared log has no sale of {unsold.unsold:,} of the {unsold.products:,} priced products on the shelf "
        f"({share:.0%}): their demand is learned from products of the same categories and with the same attributes; "
        "look at their prices first"
    ]


def _lacks_list_prices(summary: Mapping[str, Any]) -> bool:
    """Return whether no line of the last whole period has a list price."""
    values = summary.get("values") or {}
    return any(name in values and f"{name}.list_price" not in values for name in ("transactions", "offers"))


def _of_units(units: float, sold: RecentSales) -> list[str]:
    """Return what is to say of units expected at today's prices that are far from those sold lately.

    Where these were sold at other prices, such as the published ones of segments, the units may differ by as much as an
    elasticity of up to MOST_ELASTIC explains. Where stock serves less than is asked for, the expected units are what it
    serves, and tell nothing of the demand.
    """
    if not sold.units:
        return []
    beyond, below_today = units / sold.units - 1, 1 - sold.price_ratio
    explained = sorted([0.0, sold.price_ratio**MOST_ELASTIC - 1])
    if abs(beyond - min(max(beyond, explained[0]), explained[1])) < FAR_FROM_SOLD:
        return []
    at = f" at prices {abs(below_today):.0%} {'below' if below_today > 0 else 'above'} today's"
    return [
        f"in the last {PERIODS} periods these products sold {sold.units:,.0f} units per period"
        f"{at if abs(below_today) >= 0.005 else ''}, and the demand model expects "
        f"{abs(beyond):.0%} {'more' if beyond > 0 else 'fewer'} at today's prices: the expected units and profit may "
        "be wrong by as much; look for a season, or for categories whose prices rose or fell all through the log"
    ]


def _of_response(outlook: Outlook | None, lacks_list_prices: bool) -> list[str]:
    """Return what is to say where the log cannot support the prices: of most categories, or of many of the units.

    lacks_list_prices: of the lines of sales. With them, products that are seldom bought teach too.
    """
    if outlook is None:
        return []
    doubts, remedy = [], "a price test would show their own (gpu-pricer pricetest)"
    if lacks_list_prices:
        remedy = f"list prices on the lines of sales (column list_price) or {remedy}"
    if 2 * outlook.vague > outlook.categories:
        doubts.append(
            f"in most of these categories ({outlook.vague:,} of {outlook.categories:,}) the log hardly shows how "
            "demand answers prices: run a price test before you use these prices (gpu-pricer pricetest)"
        )
    if outlook.untaught >= MUCH_UNTAUGHT:
        doubts.append(
            f"{outlook.untaught:.0%} of the units expected at today's prices are in categories whose price "
            "response cannot be learned, because too few periods show the prices of their products: the average of "
            "the other categories is used; a lower data.shelf.min_lines or train.encoding.teaching, or a longer "
            "data.occasion_period, makes more products count"
        )
    if outlook.borrowed >= MUCH_UNTAUGHT:
        doubts.append(
            f"{outlook.borrowed:.0%} of the units expected at today's prices are in categories whose price response "
            f"is taken more from other categories than from their own sales: {remedy}"
        )
    return doubts
