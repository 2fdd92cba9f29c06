"""The settings of the report."""

from dataclasses import dataclass

from gpu_pricer.checks import require_integer


@dataclass(frozen=True)
class ReportSettings:
    """What the page shows. Raises ValueError unless the numbers are at least 1 and label is a list of names.

    movers: number of products told one by one. curves: number of their demand curves. products: the most rows of the
    table. cells: the most prices by segment. label: columns of the catalog that name a product to a person.
    """

    movers: int
    curves: int
    products: int
    cells: int
    label: list[str]

    def __post_init__(self) -> None:
        for name in ("movers", "curves", "products", "cells"):
            require_integer(f"report.{name}", getattr(self, name), 1)
        if not isinstance(self.label, list) or not all(isinstance(name, str) for name in self.label):
            raise ValueError(f"report.label must be a list of columns of the catalog, found {self.label!r}")
