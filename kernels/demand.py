"""The demand of segments for products: each product's appeal, and how much utility a higher price takes off."""

from dataclasses import dataclass, replace

import numpy as np

from kernels.checks import require, require_array, require_each

LARGEST_UTILITY = 1e7
"""Limit of appeals and sensitivities: larger float32 numbers are at least 1 apart, a factor of e in the odds."""


@dataclass(frozen=True)
class FactorDemand:
    """The demand of S segments for P products as products of factors; all arrays float32, or all float64.

    segment_appeal [S, Da], product_appeal [P, Da], appeal_offset [P]:
        a = segment_appeal . product_appeal + appeal_offset, the utility at the reference price
    segment_sensitivity [S, Db], product_sensitivity [P, Db], sensitivity_offset [P]:
        b = softplus(segment_sensitivity . product_sensitivity) + sensitivity_offset, raised to at least 1e-6; b is the
        loss of utility per relative change of the price

    Raises ValueError unless shapes and types agree and all numbers are finite and below LARGEST_UTILITY.
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
        """The type that prices are computed in."""
        return self.segment_appeal.dtype

    @property
    def segment_count(self) -> int:
        """S, the number of segments."""
        return len(self.segment_appeal)

    @property
    def product_count(self) -> int:
        """P, the number of products."""
        return len(self.product_appeal)


@dataclass(frozen=True)
class DenseDemand:
    """The demand of S segments for P products as matrices; all arrays float32, or all float64.

    appeal [S, P], appeal_offset [P]: their sum is a, the utility at the reference price
    sensitivity [S, P], sensitivity_offset [P]: their sum, raised to at least 1e-6, is b, the loss of utility per
        relative change of the price

    Raises ValueError unless shapes and types agree and all numbers are finite and below LARGEST_UTILITY.
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
        """The type that prices are computed in."""
        return self.appeal.dtype

    @property
    def segment_count(self) -> int:
        """S, the number of segments."""
        return self.appeal.shape[0]

    @property
    def product_count(self) -> int:
        """P, the number of products."""
        return self.appeal.shape[1]


Demand = FactorDemand | DenseDemand


def in_double(demand: Demand) -> Demand:
    """Return the same demand in float64."""
    return replace(demand, **{name: array.astype(np.float64) for name, array in vars(demand).items()})


def take_segments(demand: Demand, segments: np.ndarray) -> Demand:
    """Return the demand of some segments; `segments`: their positions, int [n]."""
    names = ("appeal", "sensitivity") if isinstance(demand, DenseDemand) else ("segment_appeal", "segment_sensitivity")
    return replace(demand, **{name: getattr(demand, name)[segments] for name in names})


def largest_product(segments: np.ndarray, products: np.ndarray) -> float:
    """Return an upper bound of |segments . products| for factors [S, D] and [P, D]; NaN if one of them is NaN."""
    ends = [(rows.max(axis=0, initial=0.0), -rows.min(axis=0, initial=0.0)) for rows in (segments, products)]
    of_segments, of_products = (np.maximum(*pair).astype(np.float64) for pair in ends)
    return float(of_segments @ of_products)


def _require_floats(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise ValueError unless the array has this shape and this type, which must be float32 or float64."""
    require_array(name, array, shape, "f")
    require(array.dtype.itemsize in (4, 8), f"{name} must be float32 or float64", array.dtype)
    require(array.dtype == dtype, f"{name} must be {dtype} like the rest of its demand", array.dtype)


def _require_utilities(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise ValueError unless the array has this shape, type, and numbers below LARGEST_UTILITY."""
    _require_floats(name, array, shape, dtype)
    require_each(np.abs(array) < LARGEST_UTILITY, f"{name} must stay below {LARGEST_UTILITY:.0e}", array)
