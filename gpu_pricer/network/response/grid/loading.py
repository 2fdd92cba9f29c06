"""The grid and the user log of the response model from the canonical tables."""

import logging
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.encoding.context_scale import ContextScale, scale_context
from gpu_pricer.network.response.grid.controls import (
    AGES,
    EndogeneityConfig,
    category_move,
    first_stage,
    regular_price_control,
    with_ages,
    with_known_prices,
)
from gpu_pricer.network.response.grid.grid import FLOAT, Grid, UserLog
from gpu_pricer.network.response.grid.grid_columns import GridColumns
from gpu_pricer.network.response.grid.group_prices import columns_of_groups, mean_apart
from gpu_pricer.tables.schemas import CHOICE_COUNT, PRICE_GROUP, UNIT_COUNT

log = logging.getLogger(__name__)

ROUNDING = 1e-8  # in logs of a price: a control that never exceeds it is none
OF_PRODUCTS = ("price_information", *(f"next_{name}" for name in AGES))
SHELF_CELLS = ("on_shelf", "move", "regular", "surprise", *AGES)


@dataclass(frozen=True)
class ResponseTables:
    """The canonical tables that the price response is learned from, and the periods that teach.

    products: product_id, category_id, reference_price, has_unit_price, is_listed (whether its list price is told, see
    encoding/list_prices.py), launched (null where unknown) and teaches_price (whether it teaches) in the order of the
    artefact's rows, sorted by category.
    shelf, group_shelf, choices, visits: as `prepare` writes them; group_shelf: None where nobody saw prices of a group.
    Choices are several times the lines of the log, so they stay in their file until it is known which of them count.
    users: user_id, in the order in which users are numbered. context: the scale of the shelf's context columns.
    periods [W]: the first day of every period; those with the numbers in `taught` teach, the others are predicted.
    begun: category_id, odds and units, what the last period has shown of itself so far; None where it is whole.
    """

    products: pl.DataFrame
    shelf: pl.DataFrame
    group_shelf: pl.DataFrame | None
    choices: pl.LazyFrame
    visits: pl.DataFrame
    users: pl.Series
    context: ContextScale
    periods: list[date]
    taught: range
    begun: pl.DataFrame | None

    def teaches(self) -> pl.Expr:
        """Return whether a row is of a period that teaches."""
        return pl.col("period").is_between(self.periods[self.taught[0]], self.periods[self.taught[-1]])

    def is_whole(self) -> pl.Expr:
        """Return whether a row is of a whole period."""
        return pl.lit(True) if self.begun is None else pl.col("period") < self.periods[-1]


@dataclass(frozen=True)
class ResponseData:
    """What the price response is learned from.

    context: names of the grid's context columns before its controls. tells_nests: whether dissimilarities are learned.
    """

    grid: Grid
    log: UserLog
    context: list[str]
    tells_nests: bool


def load_response_data(tables: ResponseTables, endogeneity: EndogeneityConfig, nested: bool) -> ResponseData | None:
    """Return the data, or None where no product teaches.

    Of the products that teach, those count that were sold, and whose price some whole period shows. The others are no
    alternatives, and their purchases no choices: what is left is a logit again (independence of irrelevant
    alternatives). Instruments are no context. nested: dissimilarities are learned, if the log tells them: from cuts of
    a category's prices, where the regular prices have a control that leaves cuts alone.
    """
    rows, context = _shelf_rows(tables, endogeneity)
    choices = tables.choices.filter(tables.teaches())
    bought = choices.drop_nulls("product_id").group_by("product_id").agg(sold=CHOICE_COUNT.sum())
    sold = bought.collect(engine="streaming")
    is_known = (pl.col("price_age") == 0) & pl.col("price_information").is_not_null() & tables.is_whole()
    is_sold = pl.col("product_id").is_in(sold["product_id"].implode())
    rows = rows.filter(pl.col("teaches_price") & is_sold & is_known.any().over("product_id"))
    if rows.is_empty():
        return None
    taught = rows.select("row", "product_id").unique().join(sold, on="product_id").sort("row").with_row_index("product")
    rows = rows.join(taught.select("row", "product"), on="row")
    _tell_teaching(tables, rows, sold)
    periods = pl.DataFrame({"period": tables.periods}).with_row_index("index")
    own = _prices_of_groups(tables, rows, periods)
    columns = GridColumns.of_periods(periods.height)
    if own.height:
        columns = columns_of_groups(own, taught["sold"].to_numpy(), periods.height)
    where = (rows["product"].to_numpy(), _index(rows, periods))
    cells = {}
    for name in (*SHELF_CELLS, *context):
        of_periods = np.zeros((taught.height, periods.height))
        of_periods[where] = rows[name].fill_null(0.0).to_numpy() if name in rows.columns else 1.0
        cells[name] = torch.from_numpy(of_periods)[:, columns.period]
    if own.height:
        visits = tables.visits.join(periods, on="period").select("index", PRICE_GROUP)
        cells["move"] += mean_apart(own, columns, visits, taught.height)
    category = tables.products["category_id"].rle_id().gather(taught["row"]).rle_id().to_numpy().astype(np.int64)
    has_empty = tables.choices.select(pl.col("product_id").null_count()).collect(engine="streaming").item() > 0
    users = _user_log(tables, taught, periods, columns, torch.from_numpy(category))
    tells_nests = nested and has_empty and rows["regular"].null_count() == 0
    if nested and has_empty and not tells_nests:
        log.info(
            "the dissimilarity of every category is 1: it is identified only where promotional cuts alone are used"
        )
    shared = cells["move"]
    if tells_nests:  # a group's prices are regular ones to its users
        usual = cells["move"][:, columns.usual()]
        shared = cells["regular"] + (torch.log1p(cells["move"]) - torch.log1p(usual)) * cells["on_shelf"]
    numbers = torch.from_numpy(taught["row"].to_numpy().astype(np.int64)), torch.from_numpy(category)
    of_product = rows.group_by("product").agg(pl.col(OF_PRODUCTS).drop_nulls().first()).sort("product")
    cells |= {name: torch.from_numpy(of_product[name].to_numpy(writable=True)) for name in OF_PRODUCTS}
    grid = _grid(columns, numbers, cells, shared, context, users, has_empty)
    whole = grid if tables.begun is None else _begun(grid, tables, tables.begun)
    return ResponseData(whole, users, context, tells_nests)


def _tell_teaching(tables: ResponseTables, rows: pl.DataFrame, sold: pl.DataFrame) -> None:
    """Log how many of the products that were sold teach, and how often these show their price.

    rows: of the products that teach, on the shelf. sold: product_id and sold, of all products.
    """
    of_category = tables.products.select("product_id", "category_id").join(sold, on="product_id")
    teaching = of_category.join(rows, on="product_id", how="semi")
    others = (
        ""
        if teaching.height == of_category.height
        else (". The others show theirs too rarely (train.encoding.teaching) or have no unit price")
    )
    log.info(
        "price response: %s of %s products that were sold teach, in %s of %s categories, with %.0f %% of the "
        "purchases; %.0f %% of their periods show no price%s",
        f"{teaching.height:,}",
        f"{of_category.height:,}",
        f"{teaching['category_id'].n_unique():,}",
        f"{of_category['category_id'].n_unique():,}",
        100 * teaching["sold"].to_numpy().sum() / of_category["sold"].to_numpy().sum(),
        100 * (rows.filter(tables.teaches())["price_age"].to_numpy() > 0).mean(),
        others,
    )


def _begun(grid: Grid, tables: ResponseTables, begun: pl.DataFrame) -> Grid:
    """Return the grid with a last period that has begun, and so shows less of every category than a whole one would."""
    categories = tables.products["category_id"].gather(grid.row.numpy()).to_frame()
    rates = categories.join(begun, on="category_id", how="left", maintain_order="left")
    odds, units = torch.zeros_like(grid.offset), torch.zeros_like(grid.offset)
    last = grid.columns.period == grid.columns.periods - 1
    for known, name in ((odds, "odds"), (units, "units")):
        known[:, last] = torch.from_numpy(rates[name].log().to_numpy(writable=True))[:, None]
    return replace(grid, offset=odds * grid.on_shelf, unit_offset=units * grid.on_shelf, periods_ahead=0)


def _shelf_rows(tables: ResponseTables, endogeneity: EndogeneityConfig) -> tuple[pl.DataFrame, list[str]]:
    """Return the shelf rows with row, move, context and controls, and the names of the context."""
    names = ("product_id", "category_id", "reference_price", "has_unit_price", "is_listed", "launched", "teaches_price")
    products = tables.products.select(names)
    products = products.with_row_index("row").filter(pl.col("has_unit_price")).drop("has_unit_price")
    rows = tables.shelf.drop("category_id").join(products, on="product_id")
    instruments = endogeneity.instrument_columns
    context = [name for name in tables.context.names if name not in instruments and rows[name].n_unique() > 1]
    scaled = scale_context(rows, tables.context).select(context)
    key, purchases = ("product_id", "period"), tables.choices.filter(tables.teaches()).drop_nulls("product_id")
    bought = purchases.group_by(key).agg(bought=CHOICE_COUNT.sum()).collect(engine="streaming")
    rows = rows.with_columns(scaled).join(bought, on=key, how="left").with_columns(pl.col("bought").fill_null(0.0))
    rows = with_ages(rows, tables.periods, 1 if tables.begun is None else 0).drop("launched")
    causes = [*context, *(name for name in AGES if (rows[name] != 0).any())]
    taught = with_known_prices(rows.filter(tables.teaches()), causes, endogeneity)
    rows = pl.concat([taught, rows.filter(~tables.teaches())], how="diagonal_relaxed").sort("product_id", "period")
    former = pl.when("is_listed").then(pl.col("list_price").forward_fill().over("product_id", order_by="period"))
    rows = rows.with_columns(list_price=pl.max_horizontal(pl.coalesce("list_price", former), "price"))
    regular = regular_price_control(rows, endogeneity)
    return rows.with_columns(
        move=pl.col("price") / pl.col("reference_price") - 1,
        surprise=pl.Series(first_stage(rows, causes, endogeneity)),
        regular=pl.lit(None, pl.Float64) if regular is None else regular,
    ), context


def _prices_of_groups(tables: ResponseTables, rows: pl.DataFrame, periods: pl.DataFrame) -> pl.DataFrame:
    """Return the prices of groups that differ from the shelf's, as columns_of_groups takes them.

    rows: of the taught products on the shelf.
    """
    if tables.group_shelf is None:
        return pl.DataFrame()
    taught = rows.select("product", "period", "product_id", "reference_price", "move")
    own = tables.group_shelf.join(taught, on=("product_id", "period")).join(periods, on="period")
    apart = pl.col("price") / pl.col("reference_price") - 1 - pl.col("move")
    return own.select("product", "index", PRICE_GROUP, apart=apart)


def _grid(
    columns: GridColumns,
    numbers: tuple[Tensor, Tensor],
    cells: dict[str, Tensor],
    shared: Tensor,
    context: list[str],
    log: UserLog,
    has_outside_option: bool,
) -> Grid:
    """Return the grid; numbers: row and category [P]. cells: by name, SHELF_CELLS and the context [P, W],
    and OF_PRODUCTS [P].

    shared [P, W]: of whose values the mean over a category is a control.
    """
    row, category = numbers
    sold, on_shelf = log.sold(len(row)), cells["on_shelf"]
    driven = [cells[name] for name in context]
    of_prices = [category_move(shared, on_shelf, sold, category), cells["regular"], cells["surprise"]]
    of_prices = [control for control in of_prices if float(control.abs().max()) > ROUNDING]
    ages = [name for name in AGES if bool(cells[name].any())]
    controls = [*of_prices, *(cells[name] for name in ages)]
    return Grid(
        columns=columns,
        row=row,
        category=category,
        on_shelf=on_shelf,
        move=cells["move"],
        context=torch.stack([*driven, *controls, *([] if driven or controls else [cells["move"] * 0])], dim=2),
        controls=len(controls),
        offset=torch.zeros_like(on_shelf),
        unit_offset=torch.zeros_like(on_shelf),
        next_offset=torch.zeros(len(row), dtype=FLOAT),
        next_ages=torch.stack([cells[f"next_{name}"] for name in ages], dim=1) if ages else on_shelf[:, :0],
        price_information=cells["price_information"],
        has_outside_option=has_outside_option,
        periods_ahead=1,
    )


def _user_log(
    tables: ResponseTables, taught: pl.DataFrame, periods: pl.DataFrame, columns: GridColumns, category: Tensor
) -> UserLog:
    """Return the log of the taught products.

    Where no occasion was left out by sampling, occasions are those that the choices hold, because an offers table may
    show a user some categories only. Otherwise every visit looks at every open category.
    """
    number = tables.users.to_frame("user_id").with_row_index("user")
    ids = tables.products.select("product_id", "category_id").with_row_index("row")
    ids = ids.join(taught.select("row", "product"), on="row")
    choices = tables.choices.filter(tables.teaches())
    of_product = ids.lazy().select("product_id", "product")
    bought = choices.drop_nulls("product_id").join(of_product, on="product_id", maintain_order="left")
    visits = tables.visits.filter(tables.teaches()).join(number, on="user_id")
    user, period = _tensor(visits["user"]), torch.from_numpy(_index(visits, periods))
    column, column_of = period, None
    if columns.count > periods.height:
        column = columns.find(period, _tensor(visits[PRICE_GROUP]))
        column_of = columns.of_group[:, 0].int()
        column_of = column_of.repeat(number.height, 1).index_put_((user, period), column.int())
    came = torch.zeros(number.height, columns.count, dtype=FLOAT)
    came[user, column] = 1.0
    seen = None
    if choices.select((pl.col("outside_rate") == 1.0).all()).collect(engine="streaming").item():
        of_category = ids.with_columns(category=pl.Series(category.numpy())).select("category_id", "category").unique()
        is_known = pl.col("product_id").is_null() | pl.col("product_id").is_in(ids["product_id"].implode())
        looks = choices.filter(is_known).join(of_category.lazy(), on="category_id", maintain_order="left")
        seen = _log(_numbered(looks, "category", number), tables, column_of, came, None)
    return _log(_numbered(bought, "product", number), tables, column_of, came, seen)


def _numbered(rows: pl.LazyFrame, name: str, number: pl.DataFrame) -> pl.LazyFrame:
    """Return user, place (what `name` has), period, count and units of the rows, and whether they are of one unit."""
    is_single = pl.col("product_id").is_null() | (pl.col("quantity") == 1)
    return rows.join(number.lazy(), on="user_id", maintain_order="left").select(
        "user", "period", place=name, count=CHOICE_COUNT, units=UNIT_COUNT, is_single=is_single
    )


def _log(
    rows: pl.LazyFrame, tables: ResponseTables, column_of: Tensor | None, visits: Tensor, seen: UserLog | None
) -> UserLog:
    """Return the log of numbered rows; units are None where every purchase is of one.

    column_of [U, periods]: the column of the grid that a user is in, None where it is the period. visits: see UserLog.

    They are read one period at a time, because the text of ids takes several times the memory of the numbers, and
    written where they stay: there are at most as many as choices.
    """
    most = tables.choices.filter(tables.teaches()).select(pl.len()).collect().item()
    user, place, when = (torch.empty(most, dtype=torch.int32) for _ in range(3))
    count, units = (torch.empty(most) for _ in range(2))
    first, is_single = 0, True
    for period in tables.taught:
        part = rows.filter(pl.col("period") == tables.periods[period]).collect()
        here = slice(first, first + part.height)
        for column, name in ((user, "user"), (place, "place"), (count, "count"), (units, "units")):
            column[here] = torch.from_numpy(part[name].to_numpy(writable=True).astype(column.numpy().dtype))
        when[here] = period if column_of is None else column_of[user[here].long(), period]
        first, is_single = here.stop, is_single and bool(part["is_single"].all())
    columns = user[:first], place[:first], when[:first], count[:first]
    return UserLog(*columns, None if is_single else units[:first], visits, seen)


def _index(rows: pl.DataFrame, periods: pl.DataFrame) -> np.ndarray:
    found = rows.select("period").join(periods, on="period", how="left", maintain_order="left")
    return found["index"].to_numpy().astype(np.int64)


def _tensor(column: pl.Series) -> Tensor:
    return torch.from_numpy(column.to_numpy().astype(np.int64))
