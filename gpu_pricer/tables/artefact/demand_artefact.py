"""A demand artefact in memory, the checks of its factors, and the hash of all in it that decides a price."""

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from gpu_pricer.tables.artefact.demand_info import FORMS, DemandInfo
from gpu_pricer.tables.files.low_memory import add_rows
from kernels import LARGEST_UTILITY, largest_product

LARGEST = LARGEST_UTILITY / 2
"""The limit on the size of an appeal, of a sensitivity, and of the offset that is added to either of them."""


@dataclass(frozen=True)
class DemandArtefact:
    """Demand of S segments for P products.

    factors holds float32 arrays. Form "factors": segment_appeal [S, Da], product_appeal [P, Da],
    segment_sensitivity [S, Db], product_sensitivity [P, Db]. Form "dense": appeal [S, P], sensitivity [S, P]. Every
    appeal and sensitivity that the factors multiply to must be below LARGEST in size. Raise ValueError for any other
    shape, type or size.
    """

    info: DemandInfo
    factors: dict[str, np.ndarray]
    segments: pl.DataFrame
    products: pl.DataFrame
    offsets: pl.DataFrame | None = None
    user_segments: pl.DataFrame | None = None
    posterior: pl.DataFrame | None = None
    categories: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        expected = set(FORMS[self.info.form])
        if set(self.factors) != expected:
            raise ValueError(f"factors must be {sorted(expected)}, found {sorted(self.factors)}")
        sizes = {"segment": self.segments.height, "product": self.products.height}
        for name, factor in self.factors.items():
            if factor.dtype != np.float32 or factor.ndim != 2:
                raise ValueError(f"{name} must be float32 with two axes, found {factor.dtype} {factor.shape}")
            if not np.isfinite([factor.min(initial=0), factor.max(initial=0)]).all():
                raise ValueError(f"{name} must be finite, found NaN or infinity")
            if self.info.form == "dense" and factor.shape != tuple(sizes.values()):
                raise ValueError(f"{name} must be {tuple(sizes.values())}, found {factor.shape}")
            if self.info.form == "factors" and factor.shape[0] != sizes[name.split("_")[0]]:
                raise ValueError(f"{name} must have {sizes[name.split('_')[0]]} rows, found {factor.shape[0]}")
        for kind in ("appeal", "sensitivity") if self.info.form == "factors" else ():
            widths = [self.factors[f"{side}_{kind}"].shape[1] for side in ("segment", "product")]
            if widths[0] != widths[1]:
                raise ValueError(f"segment_{kind} and product_{kind} must be equally wide, found {widths}")
        for kind, largest in self._largest().items():
            if not largest < LARGEST:
                raise ValueError(f"{kind} must stay below {LARGEST:.0e} in size, found up to {largest:.3g}")

    def _largest(self) -> dict[str, float]:
        """Return an upper bound on the size of the appeals and of the sensitivities, by name."""
        if self.info.form == "dense":
            return {name: max(float(f.max(initial=0)), float(-f.min(initial=0))) for name, f in self.factors.items()}
        kinds = ("appeal", "sensitivity")
        return {k: largest_product(self.factors[f"segment_{k}"], self.factors[f"product_{k}"]) for k in kinds}

    def fingerprint(self) -> str:
        """Return a hash of everything that decides a price.

        The time and the run that learned the demand are not part of it: equal trainings have equal fingerprints on any
        machine. Nor are the end of its sales, its bend, the quantity_sensitivity, which the sensitivity holds already,
        and the categories, but for dissimilarities below 1.
        """
        others = ("run", "created", "sales_end", "bend")
        info = {name: value for name, value in asdict(self.info).items() if name not in others}
        digest = hashlib.sha256(json.dumps(info, sort_keys=True).encode())
        for name in sorted(self.factors):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.factors[name]).data)
        priced = self.products.drop("quantity_sensitivity", strict=False)
        for table in (self.segments, priced, self.offsets, self._drawn(), self._nested()):
            if table is not None:
                add_rows(digest, table)
        return digest.hexdigest()[:16]

    def _drawn(self) -> pl.DataFrame | None:
        """Return the posterior, without the column of stand-ins where it has none, as artefacts once had it."""
        if self.posterior is None or "stand_in" not in self.posterior.columns or self.posterior["stand_in"].count():
            return self.posterior
        return self.posterior.drop("stand_in")

    def _nested(self) -> pl.DataFrame | None:
        """Return category_id and dissimilarity of the categories whose dissimilarity is below 1; None without any."""
        if self.categories is None or "dissimilarity" not in self.categories.columns:
            return None
        found = self.categories.filter(pl.col("dissimilarity") < 1).select("category_id", "dissimilarity")
        return None if found.is_empty() else found.sort("category_id")

    def dissimilarity_of(self, category_id: pl.Series) -> np.ndarray:
        """Return the dissimilarities of categories [G], float64; 1 where the artefact says nothing."""
        nested = self._nested()
        if nested is None:
            return np.ones(len(category_id))
        found = category_id.to_frame("category_id").join(nested, on="category_id", how="left", maintain_order="left")
        return found["dissimilarity"].fill_null(1.0).to_numpy()
