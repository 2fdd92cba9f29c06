"""Training that is told what it would otherwise estimate: users' types and hidden shocks, as on a market with truth.

The gain of prices learned this way is what is left to gain for an estimator that must find them itself.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch

from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.response.grid.loading import ResponseData
from gpu_pricer.network.segments.forming import Membership

FILES = ("types.parquet", "shocks.parquet")


@dataclass(frozen=True)
class Told:
    """types: user_id and segment_id of every user. shocks: product_id, period and shock, a known part of the appeal."""

    types: pl.DataFrame
    shocks: pl.DataFrame

    def membership(self, data: ChoiceData, columns: int) -> Membership:
        """Return the types as segments, numbered from the most users down; columns: of the grid."""
        typed = data.users.table.select("user_id").join(self.types, on="user_id", how="left", maintain_order="left")
        if typed["segment_id"].null_count():
            raise InputError(
                f"train.told must have the type of every user, {typed['segment_id'].null_count()} lack one"
            )
        order = typed["segment_id"].value_counts(sort=True)["segment_id"]
        number = typed["segment_id"].replace_strict(order, np.arange(len(order)), return_dtype=pl.Int64)
        segment = number.to_numpy(writable=True)
        by_period = torch.from_numpy(segment)[:, None].expand(-1, columns)
        return Membership(segment, by_period, len(order))

    def with_shocks(self, known: ResponseData, data: ChoiceData) -> ResponseData:
        """Return the data with the shocks as offsets of their products and periods."""
        taught = data.products.table.select("product_id")[known.grid.row.numpy()].with_row_index("product")
        periods = pl.DataFrame({"period": data.calendar.with_begun}).with_row_index("index")
        rows = self.shocks.join(taught, on="product_id").join(periods, on="period")
        columns = known.grid.columns
        offset = torch.zeros(len(known.grid.row), columns.periods, dtype=known.grid.offset.dtype)
        place = (torch.from_numpy(rows[name].cast(pl.Int64).to_numpy(writable=True)) for name in ("product", "index"))
        offset[tuple(place)] = torch.from_numpy(rows["shock"].cast(pl.Float64).to_numpy(writable=True))
        return replace(
            known, grid=replace(known.grid, offset=known.grid.offset + offset[:, columns.period] * known.grid.on_shelf)
        )


def read_told(folder: Path) -> Told:
    """Return what the folder tells; InputError where a file or a column is missing."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(f"train.told must be a folder with {' and '.join(FILES)}, found no {missing[0]} in {folder}")
    types, shocks = (pl.read_parquet(folder / name) for name in FILES)
    for table, columns in ((types, ("user_id", "segment_id")), (shocks, ("product_id", "period", "shock"))):
        lacking = [name for name in columns if name not in table.columns]
        if lacking:
            raise InputError(
                f"train.told must have the columns {', '.join(columns)}, found no {lacking[0]} in {folder}"
            )
    return Told(types, shocks)
