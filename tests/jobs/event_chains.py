"""Chains of random events on a small market, and the full runs that they must equal."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from gpu_pricer.constraints.kept_multipliers import Tolerance
from gpu_pricer.pricing import Tiling
from gpu_pricer.tables.events import updated_catalog
from gpu_pricer.tables.version.price_history import EarlierPrices, earlier_prices
from gpu_pricer.versions.priced_catalog import continued_catalog
from gpu_pricer.versions.repriced_version import Base, catalog_of_base, reprice
from gpu_pricer.versions.scored_version import score
from gpu_pricer.versions.version_sources import Sources
from tests.markets import USUAL, a_policy, catalog_of, small_artefact

ARTEFACT = small_artefact(71, segments=3, products=36, categories=9)
ALL = catalog_of(ARTEFACT).with_columns(
    competitor_price=pl.col("price") * 1.02, frozen=pl.lit(False), family=pl.col("product_id").str.tail(1)
)
OFFERED = ALL.filter(~pl.col("product_id").is_in(["p004", "p017", "p030"]))
TILING = Tiling(layout="long", cells_per_file=30, shards=1, shard=None, writers=2, details=["parts", "note"])

POLICIES = {
    "usual": a_policy(),
    "rules": a_policy(replace(USUAL, max_above_competitor=0.05, frozen="frozen", max_segment_ratio=1.1)),
    "whole cents and families": a_policy(replace(USUAL, family_column="same"), None),
    "days": a_policy(
        replace(USUAL, anchor={"days": 28, "max_increase": 0.02, "max_decrease": 0.05}, min_days_between_changes=7)
    ),
    "a budget of changes": a_policy(replace(USUAL, max_changes=20)),
}
COUPLING = ("a budget of changes",)
NO_TOLERANCE = Tolerance(max_violation=0.0, max_gap_increase=0.0)
DAY = date(2026, 3, 1)


def catalog_for(policy):
    """The offered products with the columns that the policy reads."""
    catalog = OFFERED.with_columns(same=pl.col("category_id") + pl.col("family").cast(pl.Int64).mod(2).cast(pl.String))
    needed = ["product_id", "category_id", "price", "cost", "availability", *policy.columns]
    needed = [name for name in needed if name in catalog.columns]
    return catalog.select([*dict.fromkeys(needed)])


def random_events(rng, catalog):
    """A few changes of one or two products' rows, at times a withdrawn product, a new one or one without demand."""
    known = catalog["product_id"].to_list()
    rows = []
    for product in rng.choice(known, rng.integers(1, 4), replace=False):
        price = round(float(rng.uniform(2, 8)), 2)
        change = {"cost": price * 0.6} if rng.random() < 0.5 else {"price": price, "cost": price * 0.55}
        if rng.random() < 0.2:
            change = {"availability": float(rng.choice([0.0, 0.7]))}
        if rng.random() < 0.15:
            change = {"withdrawn": True}
        if "competitor_price" in catalog.columns and rng.random() < 0.3:
            change |= {"competitor_price": price * 0.97, "frozen": bool(rng.random() < 0.5)}
        rows.append({"product_id": str(product), **change})
    absent = [name for name in [*ALL["product_id"], "unheard of"] if name not in known]
    if absent and rng.random() < 0.4:
        name = str(rng.choice(absent))
        category = dict(ALL.select("product_id", "category_id").rows()).get(name, "c2")
        rows.append({"product_id": name, "category_id": category, "price": 4.5, "cost": 2.25})
    schema = {"product_id": pl.String, "category_id": pl.String, "withdrawn": pl.Boolean, "frozen": pl.Boolean}
    schema |= dict.fromkeys(("price", "cost", "availability", "competitor_price"), pl.Float64)
    events = pl.DataFrame(rows, schema=schema)
    is_read = [name for name in schema if name in (*catalog.columns, "withdrawn")]
    return events.select(is_read).with_columns(pl.col("withdrawn").cast(pl.Float64))


def by_hand(catalog, events):
    """The catalog after events, row by row in plain Python."""
    table = {row["product_id"]: row for row in catalog.iter_rows(named=True)}
    for event in events.iter_rows(named=True):
        given = {name: value for name, value in event.items() if value is not None and name in catalog.columns}
        if event["withdrawn"]:
            table.pop(event["product_id"], None)
        else:
            empty = dict.fromkeys(catalog.columns)
            table[event["product_id"]] = table.get(event["product_id"], empty) | given
    return pl.DataFrame([*table.values()], schema=catalog.schema).sort("product_id")


def rows_of(folder):
    return pl.read_parquet(folder / "*.parquet").sort("product_id", "segment_id")


def full_run(folder, catalog, policy, earlier=None):
    """A full run on the catalog on the day, as the base of events; earlier: the prices until then."""
    priced = continued_catalog(catalog, policy, earlier, DAY)
    made = score(ARTEFACT, priced, policy, TILING, folder, "cpu")
    return Base(folder, made, Sources(ARTEFACT, priced.catalog, policy))


def after(base, catalog, folder):
    """The version after events, as the base of further ones."""
    priced = catalog_of_base(base, catalog, base.sources.policy)
    version = reprice(base, priced, folder, TILING, NO_TOLERANCE, lambda version: None)
    return Base(folder, version, base.sources._replace(catalog=priced.catalog))


class Chain:
    """A version of a policy, changed by one batch of events after the other, in numbered folders below `folder`."""

    def __init__(self, folder, name, seed):
        self.folder, self.policy, self.rng = folder, POLICIES[name], np.random.default_rng(seed)
        self.catalog, self.number = catalog_for(self.policy), 0
        past = self.catalog.select("product_id", price=pl.col("price") * 1.1, since=date(2026, 1, 1))
        recent = self.catalog.head(9).select("product_id", "price", since=date(2026, 2, 25))
        self.past = EarlierPrices(pl.concat([past, recent]), DAY)
        self.base = full_run(folder / "base", self.catalog, self.policy, self.past)

    def advance(self):
        """Change the version by a random batch; return the full run on the catalog after it."""
        events = random_events(self.rng, self.catalog)
        self.catalog = updated_catalog(self.catalog, events)
        before = self.base.sources.catalog
        assert_frame_equal(self.catalog.sort("product_id"), by_hand(before.select(self.catalog.columns), events))
        published = None if self.policy.bounds.days_needed is None else earlier_prices(self.base.folder)
        self.base = after(self.base, updated_catalog(before, events), self.folder / f"event{self.number}")
        full = full_run(self.folder / f"full{self.number}", self.catalog, self.policy, published)
        self.number += 1
        return full
