"""The artefact's demand, cut into tiles of products."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError, first_line
from gpu_pricer.tables.artefact import LARGEST, DemandArtefact
from gpu_pricer.tables.files.low_memory import is_unique, rows_of
from kernels import Demand, DenseDemand, FactorDemand, take_segments


@dataclass(frozen=True)
class SegmentDemand:
    """Demand of S segments, sorted by segment_id, for the P products to price.

    form: "factors" or "dense", see DemandArtefact. factors: the artefact's arrays, with the segments reordered.
    row int [P]: the artefact's row of each product; category int [P]: the position of each product's category.
    appeal_offset, sensitivity_offset float32 [P]: added to a and b for every segment. cell_offsets: a table of product,
    segment (positions), appeal_offset and sensitivity_offset, sorted by product, then segment; None if no offset is for
    a single segment.
    """

    form: str
    factors: dict[str, np.ndarray]
    row: np.ndarray
    category: np.ndarray
    appeal_offset: np.ndarray
    sensitivity_offset: np.ndarray
    cell_offsets: pl.DataFrame | None

    def tile(self, first: int, last: int, segments: np.ndarray | None = None) -> Demand:
        """Return the demand for the products first to last − 1, which must be whole categories.

        segments int [n]: positions of the segments to keep, None for all.
        """
        demand = self._tile(first, last)
        is_all = segments is None or len(segments) == demand.segment_count
        return demand if is_all or segments is None else take_segments(demand, segments)

    def of_products(self, is_chosen: np.ndarray) -> "SegmentDemand":
        """Return the demand for the chosen products alone, whole categories, is_chosen bool [P]."""
        cells = self.cell_offsets
        if cells is not None:
            number = pl.Series(np.where(is_chosen, np.cumsum(is_chosen) - 1, -1))
            cells = cells.with_columns(product=number.gather(cells["product"])).filter(pl.col("product") >= 0)
        return replace(
            self,
            row=self.row[is_chosen],
            category=self.category[is_chosen],
            appeal_offset=self.appeal_offset[is_chosen],
            sensitivity_offset=self.sensitivity_offset[is_chosen],
            cell_offsets=None if cells is None or cells.is_empty() else cells,
        )

    def _tile(self, first: int, last: int) -> Demand:
        row = self.row[first:last]
        offsets = (self.appeal_offset[first:last], self.sensitivity_offset[first:last])
        if self.form == "factors" and self.cell_offsets is None:
            rows = slice(row[0], row[-1] + 1) if (np.diff(row) == 1).all() else row  # a view, where it can be one
            factors = {n: f[rows] if n.startswith("product") else f for n, f in self.factors.items()}
            return FactorDemand(**factors, appeal_offset=offsets[0], sensitivity_offset=offsets[1])
        appeal, sensitivity = self._dense(row, self.category[first:last])
        if self.cell_offsets is not None:
            self._add_cell_offsets(appeal, sensitivity, first, last)
        return DenseDemand(appeal, sensitivity, *offsets)

    def _dense(self, row: np.ndarray, category: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a and b [S, n]; each category is one matrix product, so that no tiling changes a bit."""
        if self.form == "dense":
            return self.factors["appeal"][:, row], self.factors["sensitivity"][:, row]
        blocks = np.split(row, np.flatnonzero(np.diff(category)) + 1)
        appeal, score = (
            np.concatenate([self.factors[f"segment_{kind}"] @ self.factors[f"product_{kind}"][b].T for b in blocks], 1)
            for kind in ("appeal", "sensitivity")
        )
        return appeal, np.logaddexp(score, np.float32(0))

    def _add_cell_offsets(self, appeal: np.ndarray, sensitivity: np.ndarray, first: int, last: int) -> None:
        assert self.cell_offsets is not None
        bounds = self.cell_offsets["product"].search_sorted(np.array([first, last]))
        cells = self.cell_offsets[bounds[0] : bounds[1]]
        where = (cells["segment"].to_numpy(), cells["product"].to_numpy() - first)
        appeal[where] += cells["appeal_offset"].to_numpy()
        sensitivity[where] += cells["sensitivity_offset"].to_numpy()


def segment_demand(artefact: DemandArtefact, products: pl.DataFrame) -> SegmentDemand:
    """Return the artefact's demand for matched products (see Matched).

    log(availability) is added to the appeal; a product with an availability of 0 is off the shelf instead. Raises
    InputError when the artefact's offsets are not valid.
    """
    order = artefact.segments["segment_id"].arg_sort().to_numpy()
    shared, cells = _offsets(artefact, products)
    availability = products["availability"].to_numpy()
    log_availability = np.log(np.where(availability > 0, availability, 1.0))
    return SegmentDemand(
        form=artefact.info.form,
        factors={n: f if n.startswith("product") else f[order] for n, f in artefact.factors.items()},
        row=products["demand_row"].to_numpy(),
        category=products["category_id"].rle_id().to_numpy(),
        appeal_offset=(shared["appeal_offset"] + log_availability).astype(np.float32),
        sensitivity_offset=shared["sensitivity_offset"].astype(np.float32),
        cell_offsets=cells,
    )


def _offsets(artefact: DemandArtefact, products: pl.DataFrame) -> tuple[dict[str, np.ndarray], pl.DataFrame | None]:
    """Return the offsets of whole products, float64 [P] each, and those of single cells, None without any."""
    values = ["appeal_offset", "sensitivity_offset"]
    shared = {name: np.zeros(products.height) for name in values}
    if artefact.offsets is None:
        return shared, None
    offsets = _checked_offsets(artefact.offsets, products.schema["product_id"], artefact.segments["segment_id"].dtype)
    is_shared = pl.col("segment_id").is_null()
    of_products = offsets.filter(is_shared)
    row = rows_of(products["product_id"], of_products["product_id"])
    for name, array in shared.items():
        array[row >= 0] = of_products[name].to_numpy()[row[row >= 0]]
    segments = artefact.segments.select(pl.col("segment_id").sort()).with_row_index("segment")
    cells = offsets.filter(~is_shared).join(segments, on="segment_id")
    known = pl.DataFrame({"product_id": cells["product_id"].unique()})
    known = known.with_columns(product=rows_of(known["product_id"], products["product_id"]))
    cells = cells.join(known.filter(pl.col("product") >= 0), on="product_id").sort("product", "segment")
    cells = cells.select(pl.col("product", "segment").cast(pl.Int64), pl.col(values).cast(pl.Float32))
    return shared, None if cells.is_empty() else cells


def _checked_offsets(offsets: pl.DataFrame, product_id: pl.DataType, segment_id: pl.DataType) -> pl.DataFrame:
    """Return the offsets with a segment_id, null for every segment; InputError unless unique, finite and small."""
    if "segment_id" not in offsets.columns:
        offsets = offsets.with_columns(segment_id=pl.lit(None, dtype=segment_id))
    number = pl.Float64()
    required = {
        "product_id": product_id,
        "segment_id": segment_id,
        "appeal_offset": number,
        "sensitivity_offset": number,
    }
    try:
        offsets = offsets.select(pl.col(name).cast(dtype) for name, dtype in required.items())
    except pl.exceptions.PolarsError as error:
        reason = first_line(error)
        raise InputError(f"offsets.parquet must hold {', '.join(required)}, found: {reason}; train again") from error
    is_shared = offsets["segment_id"].null_count() == offsets.height  # pairs take 200 bytes a row to hash
    key = pl.struct("product_id", "segment_id")
    rules = {
        "one row per product and segment": is_unique("product_id") if is_shared else key.is_unique(),
        f"finite offsets below {LARGEST:.0e} in size": (
            (pl.col("appeal_offset", "sensitivity_offset").abs() < LARGEST).fill_null(False)
        ),
    }
    for rule, expression in rules.items():
        broken = offsets.filter(~pl.all_horizontal(expression))
        if broken.height:
            raise InputError(
                f"offsets.parquet must have {rule}, found {broken.height} rows without, "
                f"the first {broken.row(0)}: train again"
            )
    return offsets
