"""Predictions for the periods that training never saw, for `evaluate` to judge."""

from pathlib import Path

import polars as pl
import torch

from gpu_pricer.network.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.demand_network import DemandNetwork
from gpu_pricer.network.likelihood import log_denominator

BATCH = 8192


def predict_held_out(network: DemandNetwork, path: Path) -> None:
    """Write one row per offer of the test periods: how likely it was bought in that visit, and whether it was.

    Columns: period, category_id, user_id, product_id, price_ratio, probability, bought, weight (how many
    occasions the sampled one stands for). No file is left when no period is kept for the test.
    Several occasions of a user in one period count as one purchase or none.
    """
    data = network.data
    _, _, test = data.split()
    if not len(test):
        path.unlink(missing_ok=True)
        return
    occasion = torch.stack([data.user[test], data.choice_set[test]], dim=1)
    _, group = torch.unique(occasion, dim=0, return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(test)).scatter_reduce(0, group, torch.arange(len(test)), "amin")
    generator = torch.Generator().manual_seed(0)
    frames = []
    with torch.no_grad():
        for index in test[first].split(BATCH):
            batch = gather_batch(data, index, EVERY_ALTERNATIVE, generator)
            utility = network(batch)
            share = torch.exp(
                utility - log_denominator(utility, batch.occasion, _unsampled(batch.outside))[batch.occasion]
            )
            frames.append(
                pl.DataFrame({
                    "user": batch.user[batch.occasion].numpy(),
                    "choice_set": batch.choice_set[batch.occasion].numpy(),
                    "shelf_row": batch.row.numpy(),
                    "share": share.double().numpy(),
                    "kept": batch.outside[batch.occasion].double().exp().numpy(),
                })
            )  # fmt: skip
    _describe(network, pl.concat(frames), test).write_parquet(path)


def _unsampled(outside: torch.Tensor) -> torch.Tensor:
    """The outside option's utility in the population: 0 where it is one."""
    return torch.where(torch.isfinite(outside), 0.0, outside)


def _describe(network: DemandNetwork, offers: pl.DataFrame, test: torch.Tensor) -> pl.DataFrame:
    """Names instead of row numbers, the fold from shares to purchases, and what was bought."""
    data = network.data
    chosen = data.chosen[test]
    bought = pl.DataFrame({"user": data.user[test].numpy(), "shelf_row": chosen.numpy()}).filter(
        pl.col("shelf_row") >= 0
    )
    product = data.product[torch.from_numpy(offers["shelf_row"].to_numpy().copy())].numpy()
    category = data.set_category[torch.from_numpy(offers["choice_set"].to_numpy().copy())].numpy()
    period = data.set_period[torch.from_numpy(offers["choice_set"].to_numpy().copy())].numpy()
    folded = (pl.col("share") * pl.col("choices_per_purchase")).clip(0, 1)
    return (
        offers.join(
            bought.unique().with_columns(bought=True), on=["user", "shelf_row"], how="left", maintain_order="left"
        )
        .with_columns(
            pl.col("bought").fill_null(False),
            product_id=data.products["product_id"].gather(product),
            category_id=data.categories["category_id"].gather(category),
            choices_per_purchase=data.categories["choices_per_purchase"].gather(category),
            period=pl.Series(data.periods).gather(period),
            user_id=data.users["user_id"].gather(offers["user"]),
            price_ratio=pl.Series(data.price_ratio.numpy()).gather(offers["shelf_row"]),
        )
        .with_columns(
            probability=folded,
            weight=pl.when(pl.col("bought").any().over("user", "choice_set")).then(1.0).otherwise(1 / pl.col("kept")),
        )
        .select(
            "period", "category_id", "user_id", "product_id", "price_ratio", "probability", "bought", "weight"
        )
    )  # fmt: skip
