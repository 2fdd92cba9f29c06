"""The settings of the report."""

from dataclasses import dataclass

from gpu_pricer.checks import require_integer


@dataclass(frozen=True)
class ReportSettings:
    """What the page shows. Raises ValueError unless the numbers are at least 1 and label is None or a list of names.

    movers: number of products told one by one. curves: number of their demand curves. products: the most rows of the
    table. cells: the most prices by segment. label: columns of the catalog that name a product to a person; None for
    those that `prepare`, which wrote the catalog, was told.
    """

    movers: int
    curves: int
    products: int
    cells: int
    label: list[str] | None

    def __post_init__(self) -> None:
        for name in ("movers", "curves", "products", "cells"):
            require_integer(f"report.{name}", getattr(self, name), 1)
        is_list = isinstance(self.label, list) and all(isinstance(name, str) for name in self.label)
        if not is_list and self.label is not None:
            raise ValueError(f"report.label must be a list of columns of the catalog, found {self.label!r}")
