"""Where the rules of the policy bind, and what each of them costs."""

from typing import Any

import polars as pl

from gpu_pricer.policy.rule_words import rule_words
from gpu_pricer.report.scored import Scored
from gpu_pricer.report.words import cost_words
from gpu_pricer.tables.price_table import collect_prices


def rules_that_bind(scored: Scored) -> pl.DataFrame:
    """Return binding, words, prices (number of cells), share (of all), and money (units × |price − today|).

    The most frequent comes first; prices that no rule holds are among them.
    """
    moved = pl.col("units") * (pl.col("price") - pl.col("today_price")).abs()
    found = scored.cells().group_by(pl.col("binding").cast(pl.String)).agg(
        prices=pl.len(), money=moved.sum()
    ).pipe(collect_prices, scored.folder)  # fmt: skip
    words = pl.col("binding").map_elements(rule_words, return_dtype=pl.String)
    share = pl.col("prices") / pl.col("prices").sum()
    return found.with_columns(words=words, share=share).sort("prices", "binding", descending=[True, False])


def rule_costs_of(certificate: dict[str, Any]) -> list[dict[str, object]]:
    """Return words and cost (currency per period) of every rule whose cost the certificate has, the dearest first."""
    costs = certificate.get("costs") or {}
    found = [{"words": cost_words(name), "cost": entry["cost"]} for name, entry in costs.items()]
    return sorted(found, key=lambda entry: -entry["cost"])


def limits_of(certificate: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of the certificate's constraints with their names, those that bind first."""
    entries = [{"name": name, **entry} for name, entry in (certificate.get("constraints") or {}).items()]
    return sorted(entries, key=lambda entry: (entry["violation"] <= 0, not entry["binding"], entry["name"]))
