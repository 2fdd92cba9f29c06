"""The demand artefact of a trained network and its segments, which `score` prices."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.checks import require_integer
from gpu_pricer.errors import InputError
from gpu_pricer.heartbeat import beat
from gpu_pricer.network.encoding.choice_data import AT_ONCE, ChoiceData
from gpu_pricer.network.encoding.price_support import SupportConfig, price_support
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.segments.factors import segment_factors
from gpu_pricer.network.segments.forming import segment_table
from gpu_pricer.network.segments.members import Members, period_to_price
from gpu_pricer.network.segments.moments import segment_moments, weighted_members
from gpu_pricer.tables.artefact import FORMAT_VERSION, FORMS, DemandArtefact, DemandInfo, DemandProducts


@dataclass(frozen=True)
class ExportConfig:
    """The form of the artefact, and the range of prices it supports.

    form: dense holds appeal and sensitivity of the members' exact mean shares and slopes, [S, P] each; factors
    approximates them by `rank` factors each, which is smaller for very many segments.
    support_quantile, support_purchases, support_width: of the prices that the artefact supports, see SupportConfig.
    segment_members: a segment's demand is the mean of so many of its members at most, see weighted_members.
    member_cells: largest number of user × product cells of export_members.
    """

    form: str
    rank: int
    support_quantile: float
    support_purchases: int
    support_width: float
    segment_members: int
    member_cells: int

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise InputError(f"export.form must be one of {sorted(FORMS)}, found {self.form!r}")
        require_integer("export.rank", self.rank, 1)
        require_integer("export.segment_members", self.segment_members, 1)
        require_integer("export.member_cells", self.member_cells, 0)
        SupportConfig(self.support_quantile, self.support_purchases, self.support_width)  # refuses what is out of range

    @property
    def support(self) -> SupportConfig:
        """Return how the range of supported prices is found."""
        return SupportConfig(self.support_quantile, self.support_purchases, self.support_width)


def export_artefact(
    network: DemandNetwork,
    segment: np.ndarray,
    visits: np.ndarray,
    config: ExportConfig,
    run: str,
    created: str,
) -> DemandArtefact:
    """Return the artefact for the period after the last one in the data, with the network's own price response.

    segment [U]: each user's segment. visits [U]: each user's expected visits in that period, the weight in the segment.
    run, created: name and time of the run.
    """
    data, chosen = network.data, weighted_members(segment, visits, config.segment_members)
    segments, user_segments = segment_table(data, segment, visits)
    moments = segment_moments(Members(network, period_to_price(network)), chosen)
    support = price_support(data, config.support)
    rows = [_product_rows(data, support.product), _fallback_rows(data, support.category)]
    return DemandArtefact(
        info=_info(data, config.form, run, created),
        factors=segment_factors(data, moments, config.form, config.rank),
        segments=segments,
        products=pl.concat(rows, how="vertical_relaxed"),
        user_segments=user_segments,
    )


def export_members(
    network: DemandNetwork, visits: np.ndarray, config: ExportConfig, run: str, created: str
) -> DemandArtefact | None:
    """Return an artefact with every user as a segment, for the most bought categories that fit into member_cells.

    Return None if no category fits. visits [U]: each user's expected visits in the pricing period. run, created: name
    and time of the run. `evaluate` reads from the artefact what pricing by segment loses against pricing by user.
    """
    data = network.data
    product = _most_bought(data, config.member_cells // data.users.count)
    if not len(product):
        return None
    appeal, sensitivity = (torch.empty(data.users.count, len(product)) for _ in range(2))
    members = Members(network, period_to_price(network))
    for block in members.blocks():
        inside = ((product >= block.start) & (product < block.stop)).nonzero().squeeze(1)
        beat("demand of every user: product %d of %d", block.stop, data.products.count)
        if len(inside):
            columns = product[inside] - block.start
            for users in members.blocks_of_users():
                for kept, part in zip((appeal, sensitivity), members.demand(block, users), strict=True):
                    kept[users, inside] = part[:, columns]
    return DemandArtefact(
        info=_info(data, "dense", run, created),
        factors={"appeal": appeal.numpy(), "sensitivity": sensitivity.numpy()},
        segments=data.users.table.select(segment_id="user_id", visits=pl.Series(visits)),
        products=_product_rows(data, price_support(data, config.support).product)[product.numpy()],
    )


def _most_bought(data: ChoiceData, limit: int) -> Tensor:
    """Return the products of the most bought categories that together have at most `limit` products."""
    size = torch.bincount(data.products.category)
    bought = torch.zeros_like(size)
    for chosen in data.choices.chosen.split(AT_ONCE):
        category = data.products.category[data.shelf.product[chosen[chosen >= 0]]]
        bought += torch.bincount(category, minlength=len(size))
    order = bought.argsort(descending=True, stable=True)
    kept = order[size[order].cumsum(0) <= limit]
    return torch.isin(data.products.category, kept).nonzero().squeeze(1)


def _info(data: ChoiceData, form: str, run: str, created: str) -> DemandInfo:
    return DemandInfo(
        format_version=FORMAT_VERSION,
        kind="mnl",
        form=form,
        run=run,
        created=created,
        training_start=data.calendar.periods[0].isoformat(),
        training_end=data.calendar.last_trained.isoformat(),
        period_days=data.calendar.period_days,
        pricing_period=(data.calendar.periods[-1] + timedelta(days=data.calendar.period_days)).isoformat(),
        outside_option=data.has_outside_option,
        currency=data.currency,
        sales_end=data.calendar.end.isoformat(),
    )


def _product_rows(data: ChoiceData, support: Tensor) -> pl.DataFrame:
    """Return the artefact's row of every product, in the order of the factors; support [P, 2]: of PriceSupport."""
    return _supported(data, data.products.table, support)


def _fallback_rows(data: ChoiceData, support: Tensor) -> pl.DataFrame:
    """Return one row with a null product_id for every category of more than one product, in category order.

    support [G, 2]: of PriceSupport.
    """
    shared = (
        data.products.table.group_by("category_id", maintain_order=True)
        .agg(pl.len().alias("products"), pl.col("reference_price").median())
        .with_row_index("category")
        .filter(pl.col("products") > 1)
    )
    no_id = pl.lit(None, dtype=data.products.table.schema["product_id"])
    rows = shared.with_columns(product_id=no_id, availability=pl.lit(1.0))
    return _supported(data, rows, support[shared["category"].to_numpy(writable=True)])


def _supported(data: ChoiceData, rows: pl.DataFrame, support: Tensor) -> pl.DataFrame:
    """Return the n rows with their supported prices, from the support [n, 2], and their category's rates."""
    low, high = (pl.Series(end.double().numpy()) for end in support.T)
    return (
        rows.with_columns(
            min_price=pl.col("reference_price") * low,
            max_price=pl.col("reference_price") * high,
            quantity_sensitivity=pl.lit(0.0),
        )
        .join(data.categories.table, on="category_id", how="left", maintain_order="left")
        .select(DemandProducts.column_names())
    )
