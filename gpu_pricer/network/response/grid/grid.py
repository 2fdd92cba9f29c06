"""Every taught product in every period: prices, context, and what each segment bought, as dense tensors.

P is the number of products that teach, in the order of their categories, G that of the categories, W that of the
columns, which are the periods and their clusters of price groups (see grid_columns.py), and S that of the segments.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor

from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.network.response.grid.grid_columns import GridColumns

FLOAT = torch.float64
LARGEST_UTILITY = 30.0
AT_ONCE = 1 << 20  # choices, so that what is computed of them takes little beside a large log
CELLS = ("on_shelf", "move", "offset", "unit_offset")  # fields of a Grid of shape [P, W]
BLOCK = 80
"""Products in a block of categories.

Of smaller blocks there are so many operations that threads wait for each other; the equations of larger ones, 4 MB at
80 unknowns a product, are not held by caches. (1,700 products, two threads: passes take a tenth to a quarter less than
with 50; 2026-12.)
"""


@dataclass(frozen=True)
class Grid:
    """The P × W cells of the taught products.

    columns: the periods and clusters of price groups of the W columns. row [P]: rows of the products in the artefact.
    category [P]: ascending numbers from 0. on_shelf [P, W]: 1 or 0. move [P, W]: price / reference price − 1. context
    [P, W, C]: what else moves the appeal; the last `controls` columns are controls for demand that the log does not
    show. offset [P, W]: a known part of the appeal; unit_offset [P, W]: of the log of the units per choice. next_offset
    [P]: a known part of the appeal in the period to price. next_ages [P, A]: in that period the last A controls, which
    are functions of the products' ages. price_information [P]: the share of the information on the response to prices
    that is left where drawn cuts stand for prices that the log does not show (see hidden_prices/unseen_cuts.py).
    has_outside_option: whether buying nothing is a choice. periods_ahead: from the last period to the one to price; 0
    where that one has begun and is the last here. Off the shelf all values are 0. bend: of the response to prices, see
    model/price_bend.py.
    """

    columns: GridColumns
    row: Tensor
    category: Tensor
    on_shelf: Tensor
    move: Tensor
    context: Tensor
    controls: int
    offset: Tensor
    unit_offset: Tensor
    next_offset: Tensor
    next_ages: Tensor
    price_information: Tensor
    has_outside_option: bool
    periods_ahead: int
    bend: float = 0.0

    @property
    def categories(self) -> int:
        """Return G."""
        return int(self.category[-1]) + 1

    @property
    def bent_move(self) -> Tensor:
        """Return by what sensitivities are multiplied in the cells, [P, W]."""
        return bent(self.move, self.bend) if self.bend else self.move

    @property
    def spans(self) -> int:
        """Return V, see GridColumns."""
        return self.columns.spans

    def sum_by_span(self, values: Tensor) -> Tensor:
        """Return the sums [n, k, V] of values [n, k, W] over the columns of each span."""
        if self.spans == self.columns.count:
            return values
        zeros = torch.zeros(*values.shape[:2], self.spans, dtype=values.dtype)
        return zeros.index_add(2, self.columns.spans_of(), values)

    def sum_by_category(self, values: Tensor) -> Tensor:
        """Return the sums [G, …] of values [P, …] over the products of each category."""
        return torch.zeros(self.categories, *values.shape[1:], dtype=values.dtype).index_add(0, self.category, values)

    def is_open(self) -> Tensor:
        """Return whether each category has a product on the shelf, [G, W], as 1 or 0."""
        return (self.sum_by_category(self.on_shelf) > 0).to(FLOAT)

    def shares(self, utility: Tensor) -> Tensor:
        """Return the choice probabilities [P, S, W] of products with this utility [P, S, W]; 0 off the shelf."""
        weight = torch.exp(utility.clamp(max=LARGEST_UTILITY)) * self.on_shelf[:, None]
        total = float(self.has_outside_option) + self.sum_by_category(weight)
        return weight / total.clamp(min=1e-30)[self.category]

    def by_period(self, weight: Tensor) -> "Grid":
        """Return the grid with a column for every period: the mean over its columns, weighted by `weight` [W]."""
        columns = self.columns
        share = weight.clamp(min=1e-9) / columns.sum_by_period(weight.clamp(min=1e-9)[None])[0, columns.period]
        cells: dict[str, Any] = {name: columns.sum_by_period(getattr(self, name) * share) for name in CELLS}
        context = [columns.sum_by_period(values * share) for values in self.context.unbind(2)]
        return replace(self, columns=columns.of_periods(columns.periods), context=torch.stack(context, dim=2), **cells)

    def products_of(self, other: "Grid") -> tuple[Tensor, Tensor]:
        """Return the numbers here and there of the products that both grids have."""
        place = torch.searchsorted(other.row, self.row).clamp(max=len(other.row) - 1)
        is_there = other.row[place] == self.row
        return is_there.nonzero().squeeze(1), place[is_there]

    def blocks(self, most: int | None = None) -> Iterator[tuple[slice, slice]]:
        """Yield slices of products and of categories that cut the products into complete categories.

        most: products in a block, unless a single category has more; None: as many as the normal equations allow.
        """
        most = BLOCK if most is None else most
        end_of = torch.searchsorted(self.category, torch.arange(1, self.categories + 1)).tolist()
        first, start = 0, 0
        for category, end in enumerate(end_of):
            following = end_of[category + 1] if category + 1 < len(end_of) else None
            if following is None or following - start > most:
                yield slice(start, end), slice(first, category + 1)
                first, start = category + 1, end

    def part(self, products: slice, categories: slice) -> "Grid":
        """Return the cells of a block from `blocks`, its categories numbered from 0."""
        cut = ("row", "context", "next_offset", "next_ages", "price_information", *CELLS)
        parts = {name: getattr(self, name)[products] for name in cut}
        return replace(self, category=self.category[products] - categories.start, **parts)


class Outcomes(Protocol):
    """What S segments did on a grid, which a utility explains: how often they chose, or how much they then took."""

    @property
    def segments(self) -> int:
        """Return S."""

    @property
    def noun(self) -> str:
        """Return what the log calls the response of these outcomes."""

    @property
    def start_sensitivity(self) -> float:
        """Return the prior median of a sensitivity to prices, 0 where nothing answers them."""

    @property
    def start_spread(self) -> float:
        """Return about how far levels, seasons and shocks lie apart, relative to those of choices."""

    def part(self, products: slice, categories: slice) -> Self:
        """Return the outcomes of a block of Grid.blocks."""

    def equal(self, other: "Outcomes") -> bool:
        """Return whether the other outcomes are the same, of as many segments."""

    def levels(self, grid: Grid) -> Tensor:
        """Return the mean utility of each product, [P]."""

    def score(self, grid: Grid, utility: Tensor) -> tuple[Tensor, Tensor]:
        """Return gradient and curvature, [P, S, W] each, of the log likelihood by the utility of every cell."""


@dataclass(frozen=True)
class Counts:
    """What S segments did: bought [P, S, W]: choices; visits [G, S, W]: occasions with or without a choice.

    start_sensitivity: about the mean of published price elasticities (Bijmolt, van Heerde & Pieters 2005: 2.6).
    """

    bought: Tensor
    visits: Tensor
    noun: ClassVar[str] = "price response"
    start_sensitivity: ClassVar[float] = 2.0
    start_spread: ClassVar[float] = 1.0

    @property
    def segments(self) -> int:
        """Return S."""
        return self.bought.shape[1]

    def equal(self, other: Outcomes) -> bool:
        """Return whether the other counts are the same, of as many segments."""
        if not isinstance(other, Counts):
            return False
        return torch.equal(self.bought, other.bought) and torch.equal(self.visits, other.visits)

    def by_period(self, columns: GridColumns) -> "Counts":
        """Return the counts of the periods, each the sum over its columns."""
        return Counts(
            *(columns.sum_by_period(of.flatten(0, 1)).view(*of.shape[:2], -1) for of in (self.bought, self.visits))
        )

    def part(self, products: slice, categories: slice) -> "Counts":
        """Return the counts of a block of Grid.blocks."""
        return Counts(self.bought[products], self.visits[categories])

    def levels(self, grid: Grid) -> Tensor:
        """Return the log odds of buying each product, [P]."""
        sold, seen = self.bought.sum((1, 2)), self.visits.sum(1)[grid.category]
        offered = (seen * grid.on_shelf).sum(1)
        unsold = (offered - sold).clamp(min=0.5) if grid.has_outside_option else torch.ones_like(sold)
        return torch.log((sold + 0.5) / unsold)

    def score(self, grid: Grid, utility: Tensor) -> tuple[Tensor, Tensor]:
        """Return gradient and curvature of the multinomial logit, its information taken by the diagonal N p (1 − p)."""
        share, visits = grid.shares(utility), self.visits[grid.category]
        residual = (self.bought - visits * share) * grid.on_shelf[:, None]
        return residual, visits * share * (1 - share)


@dataclass(frozen=True)
class UserLog:
    """What U users did, for counting by any membership.

    user, product, column [N]: of every choice of a taught product; count [N]: how many choices it stands for. units
    [N]: taken in these choices, None where every purchase is of one unit. All are numbers of four bytes. visits [U, W]:
    occasions in each column, of every open category. seen: None where every visit looks at every category; else the
    occasions that the log holds, as a log of the same users whose `product` is the category.
    """

    user: Tensor
    product: Tensor
    column: Tensor
    count: Tensor
    units: Tensor | None
    visits: Tensor
    seen: "UserLog | None"

    def blocks(self) -> Iterator["UserLog"]:
        """Yield the choices some at a time, in order, as logs of all users; their counts and units are float64."""
        for start in range(0, len(self.user), AT_ONCE):
            here = slice(start, start + AT_ONCE)
            parts = {name: getattr(self, name)[here] for name in ("user", "product", "column")}
            units = None if self.units is None else self.units[here].to(FLOAT)
            yield replace(self, **parts, count=self.count[here].to(FLOAT), units=units)

    def sold(self, products: int) -> Tensor:
        """Return how many choices there are of each product, float64 [products]."""
        sums = torch.zeros(products, dtype=FLOAT)
        for part in self.blocks():
            sums.index_add_(0, part.product, part.count)
        return sums

    def visits_of(self, category: int) -> Tensor:
        """Return the occasions on which users saw an open category, float64 [U, W]."""
        if self.seen is None:
            return self.visits
        sums = torch.zeros(self.visits.numel(), dtype=FLOAT)
        for part in self.seen.blocks():
            here = (part.product == category).nonzero().squeeze(1)
            sums.index_add_(0, part.user[here].long() * self.visits.shape[1] + part.column[here], part.count[here])
        return sums.view(self.visits.shape)

    def pooled(self, grid: Grid) -> Counts:
        """Return the counts of all users as one segment."""
        return self.counts(grid, torch.zeros(self.visits.shape, dtype=torch.int64), 1)

    def counts(self, grid: Grid, segment: Tensor, segments: int) -> Counts:
        """Return the counts of the segments [U, W] that each user belongs to in each column, from 0 to segments − 1."""
        columns = grid.columns.count
        bought = _scatter(self, segment, (len(grid.row), segments, columns))
        if self.seen is not None:
            return Counts(bought, _scatter(self.seen, segment, (grid.categories, segments, columns)))
        column = torch.arange(columns).expand_as(segment)
        visits = torch.zeros(segments * columns, dtype=FLOAT)
        visits.index_add_(0, (segment * columns + column).flatten(), self.visits.flatten())
        return Counts(bought, visits.view(1, segments, columns) * grid.is_open()[:, None])


def _scatter(log: UserLog, segment: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return the counts of a log [products or categories, S, W]."""
    sums = torch.zeros(shape[0] * shape[1] * shape[2], dtype=FLOAT)
    for part in log.blocks():
        flat = (part.product.long() * shape[1] + segment[part.user, part.column]) * shape[2] + part.column
        sums.index_add_(0, flat, part.count)
    return sums.view(shape)
