"""The cells that each constraint sums over, and the classes of segments that all constraints treat alike."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy.conditions import columns_in, evaluate_condition
from gpu_pricer.policy.constraint import Constraint


@dataclass(frozen=True)
class Slices:
    """C classes of segments, and the products that each of K constraints covers for each class.

    segment_class int64 [S]: each segment's class, numbered from 0.
    mask_number int64 [C, K]: which of the M masks holds the products that a constraint covers for a class.
    masks bool [M, P]: sets of products.
    """

    segment_class: np.ndarray
    mask_number: np.ndarray
    masks: np.ndarray

    @property
    def class_count(self) -> int:
        """The number of classes, C."""
        return len(self.mask_number)

    @property
    def constraint_count(self) -> int:
        """The number of constraints, K."""
        return self.mask_number.shape[1]

    @property
    def covers_segments_alike(self) -> bool:
        """Whether every constraint covers the same products for every class of segments."""
        return bool((self.mask_number == self.mask_number[:1]).all())

    def members(self, class_number: int) -> np.ndarray:
        """Return the positions of the segments in a class, ascending."""
        return np.flatnonzero(self.segment_class == class_number)

    def of_products(self, is_chosen: np.ndarray) -> "Slices":
        """Return the slices of the chosen products alone, is_chosen bool [P]."""
        return replace(self, masks=self.masks[:, is_chosen])

    def covers(self, class_number: int, constraint: int) -> np.ndarray:
        """Return which products a constraint (its position) sums over for the segments of a class, bool [P]."""
        return self.masks[self.mask_number[class_number, constraint]]


def slices_of(
    constraints: dict[str, Constraint],
    products: pl.DataFrame,
    segments: pl.DataFrame,
    segment_kind: np.ndarray | None = None,
) -> Slices:
    """Return the slices of every `where`, evaluated over the columns of products [P] and segments [S].

    A column that both tables have is read from products. segment_kind int64 [S]: segments of different kinds are put
    into different classes whatever the conditions say. InputError for an unknown column, or for a slice without a cell.
    The fewer classes the faster, because the kernels compute whole blocks of segments: 64 segments in 17 classes took
    10 times as long as in one class (measured on 4,000 products, one core, November 2026).
    """
    conditions = [(f"constraints.{name}.where", constraint.where) for name, constraint in constraints.items()]
    masks: dict[bytes, int] = {}
    rows: list[np.ndarray] = []
    found = np.empty((segments.height, len(conditions)), np.int64)
    for k, (name, condition) in enumerate(conditions):
        for members, mask in _masks(name, condition, products, segments):
            number = masks.setdefault(mask.tobytes(), len(masks))
            if number == len(rows):
                rows.append(mask)
            found[members, k] = number
        if not any(rows[number].any() for number in np.unique(found[:, k])):
            raise InputError(f"{name} must hold for at least one product and segment, found none for {condition!r}")
    given = np.zeros(segments.height, np.int64) if segment_kind is None else segment_kind
    classes, segment_class = np.unique(np.column_stack([given, found]), axis=0, return_inverse=True)
    return Slices(segment_class.ravel(), classes[:, 1:], np.array(rows).reshape(len(rows), products.height))


def _masks(
    name: str, condition: str | None, products: pl.DataFrame, segments: pl.DataFrame
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return groups of segments that the condition treats alike, each with its mask of products, bool [P]."""
    everyone = np.arange(segments.height)
    if condition is None:
        return [(everyone, np.ones(products.height, np.bool_))]
    columns = columns_in(condition)
    of_segment = [column for column in columns if column not in products.columns and column in segments.columns]
    _require_known(name, [column for column in columns if column not in (*products.columns, *of_segment)])
    if not of_segment:
        return [(everyone, evaluate_condition(name, condition, products).to_numpy())]
    groups = segments.with_row_index("segment").group_by(of_segment, maintain_order=True).agg("segment")
    found = []
    for group in groups.iter_rows(named=True):
        seen = products.with_columns(pl.lit(group[column]).alias(column) for column in of_segment)
        found.append((np.array(group["segment"]), evaluate_condition(name, condition, seen).to_numpy()))
    return found


def _require_known(name: str, unknown: list[str]) -> None:
    if unknown:
        raise InputError(
            f"{name} must read columns of the catalog or of the artefact's segments, found {', '.join(unknown)}: "
            "mend the condition or add the column"
        )
