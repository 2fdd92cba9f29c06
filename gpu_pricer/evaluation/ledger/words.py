"""The verdicts on promises, and a sentence on one of them."""

from typing import Any

KEPT, BEATEN, MISSED, NOT_APPLIED = "kept", "beaten", "missed", "not applied"


def verdict(actual: float, promised: tuple[float, float], applied: float | None, least_applied: float) -> str:
    """Return the verdict on a promise of profit between two ends.

    applied: share of the units that were sold at the version's prices; below least_applied there is no verdict.
    """
    low, high = promised
    if applied is None or applied < least_applied:
        return NOT_APPLIED
    return BEATEN if actual > high else MISSED if actual < low else KEPT


def sentence(row: dict[str, Any]) -> str:
    """Return one sentence on a version's row of the ledger."""
    days = f"{row['days']} day{'s' if row['days'] > 1 else ''}"
    promised = (
        f"{row['expected_profit']:,.2f} ({row['profit_low']:,.2f} to {row['profit_high']:,.2f}) {row['currency']}"
    )
    share = "none" if row["applied"] is None else f"{row['applied']:.0%}"
    facts = (
        f"profit of {days} from {row['since']} promised {promised} for the visits that came, found "
        f"{row['actual_profit']:,.2f}; {share} of its units sold at its prices{_left_out(row['judged'])}"
    )
    ends = {
        KEPT: f"version {row['version']} kept its promise",
        BEATEN: f"version {row['version']} did better than it promised",
        MISSED: f"version {row['version']} did not keep its promise",
        NOT_APPLIED: f"the promise of version {row['version']} cannot be judged, for its prices were not applied",
    }
    return f"{ends[row['verdict']]}: {facts}"


def _left_out(judged: float) -> str:
    """Say how much of the promise the row leaves out, nothing where that is nothing."""
    return "" if judged == 1 else f", without products of {1 - judged:.0%} of the promised units, such as promoted ones"
