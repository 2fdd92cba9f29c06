"""How much each segment likes each product, and how its liking falls with the price."""

from dataclasses import dataclass, replace

import numpy as np

from kernels.checks import require, require_array, require_each

LARGEST_UTILITY = 1e7
"""Appeals and sensitivities are below it: float32 numbers above lie more than 1 apart, a factor of e in the odds."""


@dataclass(frozen=True)
class FactorDemand:
    """Appeal and price sensitivity as products of factors; all arrays float32, or all float64.

    segment_appeal [S, Da], product_appeal [P, Da], segment_sensitivity [S, Db], product_sensitivity [P, Db];
    appeal_offset [P] and sensitivity_offset [P] are added:
    a = segment_appeal . product_appeal + appeal_offset,
    b = softplus(segment_sensitivity . product_sensitivity) + sensitivity_offset, kept above 0.
    """

    segment_appeal: np.ndarray
    product_appeal: np.ndarray
    segment_sensitivity: np.ndarray
    product_sensitivity: np.ndarray
    appeal_offset: np.ndarray
    sensitivity_offset: np.ndarray

    def __post_init__(self) -> None:
        require(
            np.ndim(self.segment_appeal) == 2,
            "FactorDemand.segment_appeal must be a matrix",
            np.shape(self.segment_appeal),
        )
        require(
            np.ndim(self.segment_sensitivity) == 2,
            "FactorDemand.segment_sensitivity must be a matrix",
            np.shape(self.segment_sensitivity),
        )
        segments, products = self.segment_count, self.product_count
        appeal, sensitivity = self.segment_appeal.shape[1], self.segment_sensitivity.shape[1]
        for name, shape in {
            "segment_appeal": (segments, appeal),
            "product_appeal": (products, appeal),
            "segment_sensitivity": (segments, sensitivity),
            "product_sensitivity": (products, sensitivity),
        }.items():
            _require_floats(f"FactorDemand.{name}", getattr(self, name), shape, self.dtype)
        for name in ("appeal_offset", "sensitivity_offset"):
            _require_utilities(f"FactorDemand.{name}", getattr(self, name), (products,), self.dtype)
        for kind in ("appeal", "sensitivity"):
            largest = largest_product(getattr(self, f"segment_{kind}"), getattr(self, f"product_{kind}"))
            must = f"products of FactorDemand's {kind} factors must stay below {LARGEST_UTILITY:.0e}"
            require(largest < LARGEST_UTILITY, must, largest)

    @property
    def dtype(self) -> np.dtype:
        """The type in which prices are computed."""
        return self.segment_appeal.dtype

    @property
    def segment_count(self) -> int:
        """S."""
        return len(self.segment_appeal)

    @property
    def product_count(self) -> int:
        """P."""
        return len(self.product_appeal)


@dataclass(frozen=True)
class DenseDemand:
    """Appeal [S, P] and price sensitivity [S, P] themselves, all float32, or all float64.

    appeal_offset [P] and sensitivity_offset [P] are added; the sensitivity is then kept above 0.
    """

    appeal: np.ndarray
    sensitivity: np.ndarray
    appeal_offset: np.ndarray
    sensitivity_offset: np.ndarray

    def __post_init__(self) -> None:
        require(np.ndim(self.appeal) == 2, "DenseDemand.appeal must be a matrix", np.shape(self.appeal))
        shape = (self.segment_count, self.product_count)
        for name in ("appeal", "sensitivity"):
            _require_utilities(f"DenseDemand.{name}", getattr(self, name), shape, self.dtype)
        for name in ("appeal_offset", "sensitivity_offset"):
            _require_utilities(f"DenseDemand.{name}", getattr(self, name), shape[1:], self.dtype)

    @property
    def dtype(self) -> np.dtype:
        """The type in which prices are computed."""
        return self.appeal.dtype

    @property
    def segment_count(self) -> int:
        """S."""
        return self.appeal.shape[0]

    @property
    def product_count(self) -> int:
        """P."""
        return self.appeal.shape[1]


Demand = FactorDemand | DenseDemand


def in_double(demand: Demand) -> Demand:
    """Return the same demand, computed in float64."""
    return replace(demand, **{name: array.astype(np.float64) for name, array in vars(demand).items()})


def take_segments(demand: Demand, segments: np.ndarray) -> Demand:
    """Return the demand of some segments, given by their positions."""
    names = ("appeal", "sensitivity") if isinstance(demand, DenseDemand) else ("segment_appeal", "segment_sensitivity")
    return replace(demand, **{name: getattr(demand, name)[segments] for name in names})


def largest_product(segments: np.ndarray, products: np.ndarray) -> float:
    """Return what no product of factors [S, D] and [P, D] exceeds in size; NaN where one of them is."""
    ends = [(rows.max(axis=0, initial=0.0), -rows.min(axis=0, initial=0.0)) for rows in (segments, products)]
    of_segments, of_products = (np.maximum(*pair).astype(np.float64) for pair in ends)
    return float(of_segments @ of_products)


def _require_floats(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> None:
    require_array(name, array, shape, "f")
    require(array.dtype.itemsize in (4, 8), f"{name} must be float32 or float64", array.dtype)
    require(array.dtype == dtype, f"{name} must be {dtype} like the rest of its demand", array.dtype)


def _require_utilities(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> None:
    _require_floats(name, array, shape, dtype)
    require_each(np.abs(array) < LARGEST_UTILITY, f"{name} must stay below {LARGEST_UTILITY:.0e}", array)
