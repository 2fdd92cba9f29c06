"""Products and users that training never saw: what other tables tell of them."""

import logging

import polars as pl
from torch import Tensor

from gpu_pricer.network.encoding.attributes import Vocabulary, encode_attributes
from gpu_pricer.network.storage.saved_network import SavedNetwork
from gpu_pricer.tables.schemas import category_key

log = logging.getLogger(__name__)


def with_new_products(saved: SavedNetwork, offers: pl.DataFrame, catalog: pl.DataFrame) -> pl.DataFrame:
    """The saved network's products and all others on offer (product_id, price), with what the catalog says of them.

    catalog: product_id, category_id, price, attributes. What it does not tell is alone in its category, and its
    reference price is the median of those it is offered at.
    """
    offered = offers.group_by("product_id", maintain_order=True).agg(offered=pl.col("price").median())
    new = offered.join(saved.products, on="product_id", how="anti", maintain_order="left")
    told = new.join(catalog, on="product_id", how="left", maintain_order="left").with_columns(
        category_key(), reference_price=pl.coalesce("price", "offered"), is_trained=pl.lit(False)
    )
    return stacked(saved.products, told)


def with_new_users(
    saved: SavedNetwork, ids: pl.Series, users: pl.DataFrame, given: pl.DataFrame | None = None
) -> pl.DataFrame:
    """The users with these ids, each once, as trained on; of others `users` (user_id, attributes) tells the attributes.

    What `given` (user_id, attributes) tells of anybody counts more.
    """
    asked = pl.DataFrame({"user_id": ids.unique(maintain_order=True)})
    new = asked.join(saved.users, on="user_id", how="anti").join(users, on="user_id", how="left")
    everybody = stacked(saved.users, new.with_columns(is_trained=pl.lit(False)))
    found = asked.join(everybody, on="user_id", maintain_order="left")
    return found if given is None else found.update(stacked(saved.users.clear(), given), on="user_id")


def stacked(known: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Both tables' rows with the columns of the first; null where the second has none of that type."""
    columns = [
        pl.col(name).cast(dtype, strict=False)
        if name in new.columns
        and (dtype == new.schema[name] or not (dtype.is_nested() or new.schema[name].is_nested()))
        else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in known.schema.items()
    ]
    return pl.concat([known, new.select(columns)])


def say_who_is_new(products: pl.DataFrame, users: pl.DataFrame, saved: SavedNetwork) -> None:
    """Log once how many products and users training never saw, and what stands in for what it would have learned."""
    sides = {
        "products": (products, saved.settings.product_vocabulary),
        "users": (users, saved.settings.user_vocabulary),
    }
    for name, (table, vocabulary) in sides.items():
        new = table.filter(~pl.col("is_trained"))
        if new.height:
            told = int(has_attributes(new, vocabulary).sum())
            log.warning(
                "%d of %d %s were not seen in training: %d are judged by their attributes, %d as the average one",
                new.height, table.height, name, told, new.height - told,
            )  # fmt: skip


def has_attributes(table: pl.DataFrame, vocabulary: Vocabulary) -> Tensor:
    """Whether anything that the network knows is told of each row, bool [N]."""
    attributes = encode_attributes(table, vocabulary)
    return (attributes.codes > 0).any(1) | (attributes.numbers != 0).any(1)
