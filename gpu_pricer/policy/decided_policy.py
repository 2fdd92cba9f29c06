"""A policy with what people decided: rejected prices are frozen, and others are set by hand."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from gpu_pricer.policy.overrides import read_override_table
from gpu_pricer.policy.policy import Policy


def decided_policy(
    policy: Policy, rejected: pl.Series, overridden: pl.DataFrame, segment_id: pl.DataType, path: Path
) -> Policy:
    """Return the policy under which rejected products keep today's price and overridden ones have the given price.

    rejected: product ids. overridden: product_id, price in currency and note. What the policy's own overrides say of
    all these products no longer counts. segment_id: the type of the segments' ids. path: where the new file of
    overrides is written, a .parquet, if there are any.
    """
    bounds, decided = policy.bounds, pl.concat([rejected, overridden["product_id"]])
    if len(rejected):
        frozen = f"product_id IN ({', '.join(map(_literal, rejected))})"
        frozen = frozen if bounds.frozen is None else f"({bounds.frozen}) OR {frozen}"
        bounds = replace(bounds, frozen=frozen)
    table = overridden.select(
        "product_id", pl.lit(None, dtype=segment_id).alias("segment_id"), pl.col("price").cast(pl.Float64), "note"
    )
    if policy.overrides_file is not None:
        others = read_override_table(policy.overrides_file, rejected.dtype, segment_id)
        table = pl.concat([others.filter(~pl.col("product_id").is_in(decided.implode())), table])
    if table.is_empty():
        return replace(policy, bounds=bounds, overrides=None)
    table.write_parquet(path)
    return replace(policy, bounds=bounds, overrides=str(path))


def _literal(product_id: object) -> str:
    """Return an id as SQL writes it."""
    return "'" + product_id.replace("'", "''") + "'" if isinstance(product_id, str) else str(product_id)
