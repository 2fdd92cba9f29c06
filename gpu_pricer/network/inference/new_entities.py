"""Products and users that training never saw, completed from other tables."""

import logging

import polars as pl
from torch import Tensor

from gpu_pricer.network.encoding.attributes import Vocabulary, encode_attributes
from gpu_pricer.network.storage.saved_network import SavedNetwork
from gpu_pricer.tables.schemas import category_key

log = logging.getLogger(__name__)


def with_new_products(saved: SavedNetwork, offers: pl.DataFrame, catalog: pl.DataFrame) -> pl.DataFrame:
    """Return the saved network's products and the new products on offer (product_id, price), completed from catalog.

    catalog: product_id, category_id, price, attributes. A new product without a category is alone in its category; one
    without a price takes the median of its offered prices as its reference price. The number of these is logged.
    """
    offered = offers.group_by("product_id", maintain_order=True).agg(offered=pl.col("price").median())
    new = offered.join(saved.products, on="product_id", how="anti", maintain_order="left")
    found = new.join(catalog, on="product_id", how="left", maintain_order="left")
    unpriced = found["price"].null_count()
    if unpriced:
        log.warning(
            "%d of %d new products have no price in the catalog: the median of their offered prices counts as their "
            "reference price, so predictions for a product that is offered at one price alone do not depend on it",
            unpriced, found.height,
        )  # fmt: skip
    completed = found.with_columns(
        category_key(), reference_price=pl.coalesce("price", "offered"), is_trained=pl.lit(False)
    )
    return stack_tables(saved.products, completed)


def with_new_users(
    saved: SavedNetwork, ids: pl.Series, users: pl.DataFrame, given: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the users with these ids, each once: as trained on, or with the attributes that `users` holds.

    users, given: user_id, attributes. Attributes in `given` override all others.
    """
    required = pl.DataFrame({"user_id": ids.unique(maintain_order=True)})
    new = required.join(saved.users, on="user_id", how="anti").join(users, on="user_id", how="left")
    known = stack_tables(saved.users, new.with_columns(is_trained=pl.lit(False)))
    found = required.join(known, on="user_id", maintain_order="left")
    return found if given is None else found.update(stack_tables(saved.users.clear(), given), on="user_id")


def stack_tables(known: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of both tables with the columns of the first; null where `new` has no column of that type."""
    found = new.schema
    columns = [
        pl.col(name).cast(dtype, strict=False)
        if name in found and (dtype == found[name] or not (dtype.is_nested() or found[name].is_nested()))
        else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in known.schema.items()
    ]
    return pl.concat([known, new.select(columns)])


def log_new_entities(products: pl.DataFrame, users: pl.DataFrame, saved: SavedNetwork) -> None:
    """Log how many products and users training never saw, and how many of them have attributes to be judged by."""
    sides = {
        "products": (products, saved.settings.product_vocabulary),
        "users": (users, saved.settings.user_vocabulary),
    }
    for name, (table, vocabulary) in sides.items():
        new = table.filter(~pl.col("is_trained"))
        if new.height:
            described = int(has_attributes(new, vocabulary).sum())
            log.warning(
                "%d of %d %s were not in the training data: %d are predicted by their attributes, %d as the average",
                new.height, table.height, name, described, new.height - described,
            )  # fmt: skip


def has_attributes(table: pl.DataFrame, vocabulary: Vocabulary) -> Tensor:
    """Return whether each row has an attribute that the network knows, bool [N]."""
    attributes = encode_attributes(table, vocabulary)
    return (attributes.codes > 0).any(1) | (attributes.numbers != 0).any(1)
