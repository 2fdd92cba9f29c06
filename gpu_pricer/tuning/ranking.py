"""The ranking of a sweep's trials: a table as Parquet and CSV, for a terminal, and a figure."""

import logging
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from rich.table import Table

from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tuning.objective import MAXIMISE, Objective
from gpu_pricer.tuning.ranking_plot import draw_ranking
from gpu_pricer.tuning.trials import COMPLETE, Trial, read_trials

log = logging.getLogger(__name__)

TABLE, FIGURE = "ranking.parquet", "ranking.svg"
OWN = ("rank", "trial", "state", "value", "seconds", "folder")
"""The first columns of a ranking; a column for each key that differs between trials follows."""
MOST_SHOWN = 20


def write_ranking(sweep: Path, objective: Objective) -> pl.DataFrame:
    """Write ranking.parquet, ranking.csv and ranking.svg into the folder of a sweep, and return the table."""
    table = ranking(read_trials(sweep), objective.goal)
    with replacing_file(sweep / TABLE) as fresh:
        write_table(table, fresh)
    with replacing_file((sweep / TABLE).with_suffix(".csv")) as fresh:
        table.write_csv(fresh)
    if (table["state"] == COMPLETE).any():
        draw_ranking(sweep / FIGURE, table, objective.metric, objective.goal)
    log.info("ranked %d trials in %s", table.height, sweep / TABLE)
    return table


def ranking(trials: Sequence[Trial], goal: str) -> pl.DataFrame:
    """Return a row per trial with the columns OWN and the values that it tried, as text; the best trial comes first.

    Only complete trials with a value have a rank.
    """
    tried = [dict(_pair(override) for override in trial.overrides) for trial in trials]
    keys = [key for key in dict.fromkeys(key for pairs in tried for key in pairs) if _differs(key, tried)]
    rows = [
        {"trial": t.number, "state": t.state, "value": t.value, "seconds": t.seconds, "folder": t.folder}
        | {key: pairs.get(key) for key in keys}
        for t, pairs in zip(trials, tried, strict=True)
    ]
    schema = {"trial": pl.Int64, "state": pl.String, "value": pl.Float64, "seconds": pl.Float64, "folder": pl.String}
    found = pl.DataFrame(rows, schema=schema | dict.fromkeys(keys, pl.String))
    judged = pl.when(pl.col("state") == COMPLETE).then("value")
    ranked = found.with_columns(rank=judged.rank("ordinal", descending=goal == MAXIMISE).cast(pl.Int64))
    return ranked.sort("rank", "trial", nulls_last=True).select(*OWN, *keys)


def _pair(override: str) -> tuple[str, str]:
    """Return the key of an override, without the sign that adds it, and the value."""
    key, _, value = override.partition("=")
    return key.lstrip("+"), value


def _differs(key: str, tried: Sequence[dict[str, str]]) -> bool:
    """Return whether the key tells the trials apart, or there is only one."""
    return len(tried) == 1 or len({pairs.get(key) for pairs in tried}) > 1


def ranking_board(table: pl.DataFrame, objective: Objective) -> Table:
    """Return the best trials of a ranking for a terminal, MOST_SHOWN at most."""
    keys = [name for name in table.columns if name not in OWN]
    board = Table("rank", "trial", "state", objective.metric, "seconds", *keys)
    for row in table.head(MOST_SHOWN).iter_rows(named=True):
        rank, value = row["rank"], row["value"]
        board.add_row(
            "" if rank is None else str(rank), str(row["trial"]), row["state"], "" if value is None else f"{value:.5f}",
            f"{row['seconds']:.1f}", *(row[key] or "" for key in keys),
        )  # fmt: skip
    if table.height > MOST_SHOWN:
        board.caption = f"the best {MOST_SHOWN} of {table.height} trials"
    return board
