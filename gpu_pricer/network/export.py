"""From a trained network and its segments to the demand artefact that `score` prices."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.errors import InputError
from gpu_pricer.network.choice_data import ChoiceData
from gpu_pricer.network.demand_network import DemandNetwork
from gpu_pricer.network.segments import segment_table
from gpu_pricer.tables.artefact import FORMAT_VERSION, DemandArtefact, DemandInfo


@dataclass(frozen=True)
class SupportConfig:
    """Prices the artefact vouches for: the category's training prices relative to the reference price.

    From the `quantile` to the 1 − quantile of price / reference, at least 1 ± min_width.
    """

    quantile: float
    min_width: float

    def __post_init__(self) -> None:
        if not 0 <= self.quantile < 0.5:
            raise InputError(f"support.quantile must lie in [0, 0.5), found {self.quantile!r}")
        if not 0 <= self.min_width < 1:
            raise InputError(f"support.min_width must lie in [0, 1), found {self.min_width!r}")


def export_artefact(
    network: DemandNetwork, segment: np.ndarray, visits: np.ndarray, support: SupportConfig, run: str, created: str
) -> DemandArtefact:
    """Return the artefact for the period after the last one: season carried on, promotion as in the last periods.

    segment [U] and visits [U] say which segment each user is in and how often it came. A segment's factors are
    the visit-weighted mean of its members', so its appeal is exactly their mean appeal.
    """
    data = network.data
    segments, user_segments = segment_table(data, segment, visits)
    products = pl.concat([_product_rows(data, support), _fallback_rows(data, support)], how="vertical_relaxed")
    appeal, sensitivity = _product_factors(network)
    weight = torch.zeros(segments.height, data.users.height, dtype=torch.float64)
    weight[torch.from_numpy(segment), torch.arange(data.users.height)] = torch.from_numpy(visits).double()
    weight /= weight.sum(1, keepdim=True)
    user_appeal = torch.cat([network.user_taste.all_rows(), torch.ones(data.users.height, 1)], dim=1)
    user_sensitivity = torch.cat([network.user_sensitivity.all_rows(), torch.ones(data.users.height, 1)], dim=1)
    return DemandArtefact(
        info=DemandInfo(
            format_version=FORMAT_VERSION,
            kind="mnl",
            form="factors",
            run=run,
            created=created,
            training_start=data.periods[0].isoformat(),
            training_end=data.periods[data.trained_periods - 1].isoformat(),
            period_days=data.period_days,
            pricing_period=(data.periods[-1] + (data.periods[-1] - data.periods[-2])).isoformat(),
            outside_option=bool(torch.isfinite(data.outside).any()),
            currency=data.currency,
        ),
        factors={
            "segment_appeal": _float32(weight @ user_appeal.double()),
            "product_appeal": _float32(_with_fallbacks(data, appeal)),
            "segment_sensitivity": _float32(weight @ user_sensitivity.double()),
            "product_sensitivity": _float32(_with_fallbacks(data, sensitivity)),
        },
        segments=segments,
        products=products,
        user_segments=user_segments,
    )


def _product_factors(network: DemandNetwork) -> tuple[Tensor, Tensor]:
    """Return appeal [P, K + 2] and sensitivity [P, Kb + 2] factors; the ones meet the user's level, the last is the product's own."""
    data = network.data
    level = network.product_level.all_rows()
    season = network.carried_season()[data.product_category].detach()
    own = level[:, 0] + network.mean_level.detach() + season + (level[:, 1:] * _recent_context(network)).sum(1)
    ones = torch.ones(len(own), 1)
    appeal = torch.cat([network.product_taste.all_rows(), ones, own[:, None]], dim=1)
    response = network.product_sensitivity.all_rows()
    slope = response[:, -1:] + network.mean_sensitivity.detach()
    return appeal, torch.cat([response[:, :-1], ones, slope], dim=1)


def _recent_context(network: DemandNetwork) -> Tensor:
    """Mean promotion of every product over the last periods it was on the shelf in, 0 for the others, [P, C]."""
    data = network.data
    rows = torch.repeat_interleave(data.set_start.diff())
    recent = data.set_period[rows] >= len(data.periods) - network.config.carry_periods
    total = torch.zeros(data.products.height, data.context.shape[1])
    count = torch.zeros(data.products.height, 1)
    product = data.product[recent]
    total.index_add_(0, product, data.context[recent])
    count.index_add_(0, product, torch.ones(len(product), 1))
    return total / count.clamp(min=1)


def _product_rows(data: ChoiceData, support: SupportConfig) -> pl.DataFrame:
    """The artefact's row of every product, in the order of the factors."""
    return (
        data.products.select("product_id", "category_id", "reference_price", "availability")
        .join(_category_support(data, support), on="category_id", how="left", maintain_order="left")
        .with_columns(
            min_price=pl.col("reference_price") * pl.col("low_ratio"),
            max_price=pl.col("reference_price") * pl.col("high_ratio"),
        )
        .select(_COLUMNS)
    )


def _fallback_rows(data: ChoiceData, support: SupportConfig) -> pl.DataFrame:
    """One row with a null product_id per category of more than one product."""
    shared = data.products.group_by("category_id", maintain_order=True).agg(
        pl.len().alias("products"), pl.col("reference_price").median()
    )
    return (
        shared.filter(pl.col("products") > 1)
        .join(_category_support(data, support), on="category_id", how="left", maintain_order="left")
        .with_columns(
            product_id=pl.lit(None, dtype=data.products.schema["product_id"]),
            availability=pl.lit(1.0),
            min_price=pl.col("reference_price") * pl.col("low_ratio"),
            max_price=pl.col("reference_price") * pl.col("high_ratio"),
        )
        .select(_COLUMNS)
    )


_COLUMNS = (
    "product_id", "category_id", "reference_price", "min_price", "max_price", "availability", "choices_per_purchase",
    "units_per_choice",
)  # fmt: skip


def _category_support(data: ChoiceData, support: SupportConfig) -> pl.DataFrame:
    """Per category: lowest and highest price / reference price vouched for, and its units per choice."""
    ratio = pl.DataFrame({
        "category": data.product_category[data.product].numpy(), "ratio": data.price_ratio.numpy().astype(np.float64)
    }).group_by("category").agg(
        low_ratio=pl.col("ratio").quantile(support.quantile, "lower"),
        high_ratio=pl.col("ratio").quantile(1 - support.quantile, "higher"),
    )  # fmt: skip
    indexed = data.categories.with_row_index("category").with_columns(pl.col("category").cast(pl.Int64))
    return indexed.join(ratio, on="category", how="left").with_columns(
        low_ratio=pl.min_horizontal(pl.col("low_ratio").fill_null(1.0), pl.lit(1 - support.min_width)),
        high_ratio=pl.max_horizontal(pl.col("high_ratio").fill_null(1.0), pl.lit(1 + support.min_width)),
    )


def _with_fallbacks(data: ChoiceData, factor: Tensor) -> Tensor:
    """Append each shared category's mean factor, over its trained products where it has any."""
    trained = torch.from_numpy(data.products["is_trained"].to_numpy().copy())
    categories = data.categories.height
    total, count = torch.zeros(categories, factor.shape[1]), torch.zeros(categories, 1)
    has_trained = torch.zeros(categories).index_add(0, data.product_category, trained.float()) > 0
    counted = trained | ~has_trained[data.product_category]
    total.index_add_(0, data.product_category[counted], factor[counted])
    count.index_add_(0, data.product_category[counted], torch.ones(int(counted.sum()), 1))
    size = torch.bincount(data.product_category, minlength=categories)
    return torch.cat([factor, (total / count.clamp(min=1))[size > 1]])


def _float32(factor: Tensor) -> np.ndarray:
    return factor.float().numpy()
