"""The logged choices, read into the numbers that stay."""

from pathlib import Path

import polars as pl
import torch

from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.choice_records import LoggedChoices, equal_share
from gpu_pricer.network.encoding.columns import to_tensor
from gpu_pricer.network.encoding.numbering import numbered_choices
from gpu_pricer.network.encoding.purchase_events import Purchases
from gpu_pricer.tables.periods import by_period
from gpu_pricer.tables.schemas import PRICE_GROUP, USUAL

CHOICE_TYPES = {
    "user": torch.int32,
    "choice_set": torch.int32,
    "chosen": torch.int32,
    "weight": torch.float32,
    "size": torch.float16,
    "log_kept": torch.float16,
}
"""What is read of numbered choices, and in which type: there are up to three choices for a line of the log."""


def read_choices(file: Path, shelf: pl.DataFrame, users: pl.DataFrame, visits: pl.DataFrame) -> LoggedChoices:
    """Return the choices of a file as numbers, by period and then by user, so that those of a visit stand together.

    shelf: from numbered_shelf. users: user_id, in the order of their row numbers. visits: canonical.
    InputError if the choices are older than their sizes. They are read and numbered one period at a time, because their
    text takes several times the memory of the numbers.
    """
    choices = pl.scan_parquet(file)
    if "size" not in choices.collect_schema():
        raise InputError(f"{file} must have the column size, found none: run `gpu-pricer prepare` again")
    most = choices.select(pl.len()).collect().item()
    columns = {name: torch.empty(most, dtype=dtype) for name, dtype in CHOICE_TYPES.items()}
    first, is_one = 0, True  # whether every occasion weighs 1
    for period, on_shelf in by_period(shelf).items():
        is_now = pl.col("period") == period
        rows = choices.filter(is_now).collect()
        if on_shelf[PRICE_GROUP].max() != USUAL:
            came = visits.filter(is_now).select("user_id", PRICE_GROUP)
            rows = rows.join(came, on="user_id", how="left", maintain_order="left")
        rows = numbered_choices(rows, on_shelf, users)
        rows = rows.with_columns(chosen="shelf_row", log_kept=pl.col("outside_rate").log())
        part = slice(first, first + rows.height)
        for name, column in columns.items():
            column[part] = to_tensor(rows[name], column.dtype)
        is_one = is_one and torch.equal(columns["weight"][part], equal_share(columns["size"][part]))
        first += rows.height
    kept = {name: column[:first] for name, column in columns.items()}
    weight = kept.pop("weight")
    return LoggedChoices(**kept, own_weight=None if is_one else weight)


def purchases_of(choices: LoggedChoices, shelf: pl.DataFrame) -> Purchases:
    """Return what was bought; shelf: from numbered_shelf."""
    is_bought = choices.chosen >= 0
    row, user = choices.chosen[is_bought].numpy(), choices.user[is_bought].numpy()
    return Purchases(user, *(shelf[name].to_numpy()[row] for name in ("product", "category", "period_index")))
