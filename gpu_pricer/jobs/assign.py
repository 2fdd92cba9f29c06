"""assign: users -> segments."""

import logging
from pathlib import Path

import numpy as np
import polars as pl
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.network.inference.new_entities import with_new_users
from gpu_pricer.network.inference.past import Past, read_past
from gpu_pricer.network.inference.segment_assignment import likely_segments, nearest_segments
from gpu_pricer.network.inference.user_tables import (
    checked_table,
    new_file,
    read_known_table,
    required_path,
    with_ids_of,
    write_new,
)
from gpu_pricer.network.storage.saved_network import SavedNetwork, read_network
from gpu_pricer.tables.artefact import NETWORK, moved_users, read_segments
from gpu_pricer.tables.delta_log import current_run
from gpu_pricer.tables.published.kept_artefacts import kept_artefact
from gpu_pricer.tables.schemas import LinesToAssign, Users
from gpu_pricer.tables.version.names import RUN_RECORD
from gpu_pricer.tables.version.version_record import read_version

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """Return what `assign` reads."""
    given = [Path(str(path)) for path in (config.assign.users, config.assign.transactions) if path is not None]
    return [*given, Path(config.paths.demand), Path(config.paths.data)]


def main(config: DictConfig) -> None:
    """Assign users to the segments of the demand artefact, by what they bought and how they respond to price.

    Reads   assign.users          user_id and attributes, if the network knows any
            assign.transactions   user_id, product_id, time: what they bought, added to the sales log; one of the
                                  two tables is enough
            paths.demand          the segments, and the network that `train` kept with them
            paths.data            what was on the shelf, and what known users bought, from `prepare`
            paths.prices          the published version, if any: a warning says where its prices are for other segments
    Writes  assign.out            user_id, segment_id: every user once, those of assign.users first, in their order

    Users who were in training and are not in assign.transactions keep their segments. Others get the segment whose
    members' learned demand is nearest to what they bought. Users without any visit get the segment
    that their attributes make most likely, or without attributes the largest one; their number is logged.

    Example: gpu-pricer assign assign.transactions=lines.parquet assign.out=segments.parquet
    """
    out, demand = new_file("assign.out", config.assign.out), Path(config.paths.demand)
    _warn_of_other_segments(demand, Path(config.paths.prices))
    saved = read_network(demand / NETWORK)
    path, vocabulary = Path(config.paths.data) / "users.parquet", saved.settings.user_vocabulary
    known = read_known_table(path, Users, saved.users, vocabulary)
    past = read_past(Path(config.paths.data), saved.settings.period_days)
    given, lines = _read_given(config, saved)
    users = with_new_users(saved, given["user_id"], known, given=given)
    segment = _segments(saved, users, past if lines is None else _with_lines(past, lines, saved), demand)
    placed = _stay(users.select("user_id", segment_id=segment), lines, demand)
    write_new(placed, out)
    log.info("wrote %s: %d users in %d segments", out, placed.height, placed["segment_id"].n_unique())


def _warn_of_other_segments(demand: Path, prices: Path) -> None:
    """Log how many members are in other segments than those that the published prices are for."""
    run = current_run(prices)
    if run is None or not (prices / run / RUN_RECORD).is_file():
        return
    kept = kept_artefact(prices, read_version(prices / run).artefact)
    moved, both = moved_users(kept, demand)
    if moved:
        log.warning(
            "%s of %s users are in other segments of %s than the published prices of %s are for (%s): publish prices "
            "of this demand first",
            f"{moved:,}", f"{both:,}", demand, run, kept / "user_segments.parquet",
        )  # fmt: skip


def _read_given(config: DictConfig, saved: SavedNetwork) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return the users to assign, with their attributes if given, and what they bought, if given."""
    if config.assign.users is None and config.assign.transactions is None:
        raise InputError(
            "assign.users or assign.transactions must be a Parquet file, found neither: set assign.users=FILE"
        )
    users, lines = pl.DataFrame(schema={"user_id": saved.users.schema["user_id"]}), None
    if config.assign.users is not None:
        path = required_path("assign.users", config.assign.users)
        users = read_known_table(path, Users, saved.users, saved.settings.user_vocabulary)
    if config.assign.transactions is not None:
        path = required_path("assign.transactions", config.assign.transactions)
        ids = {"user_id": saved.users, "product_id": saved.products}
        lines = with_ids_of(ids, checked_table(path, LinesToAssign)[1], str(path))
        users = pl.concat([users, lines.select("user_id")], how="diagonal")
    return users.unique("user_id", keep="first", maintain_order=True), lines


def _with_lines(past: Past, lines: pl.DataFrame, saved: SavedNetwork) -> Past:
    """Return the past with the lines; those of products that the network does not know are visits alone, and logged."""
    known = lines.join(saved.products, on="product_id", how="semi")
    if known.height < lines.height:
        log.warning(
            "%d of %d lines are of products that are not in the training data: they count as visits, not as purchases",
            lines.height - known.height,
            lines.height,
        )
    dated = lines.select("user_id", "product_id", period=past.start(pl.col("time").dt.date()))
    return past.with_lines(dated, saved.products["product_id"])


def _stay(placed: pl.DataFrame, lines: pl.DataFrame | None, demand: Path) -> pl.DataFrame:
    """Return user_id and segment_id of all users in their order; members without new lines are where they were."""
    members = read_segments(demand)[1]
    if members is None:
        return placed
    stay = members if lines is None else members.join(lines, on="user_id", how="anti")
    return placed.update(stay.select("user_id", "segment_id"), on="user_id", how="left", maintain_order="left")


def _segments(saved: SavedNetwork, users: pl.DataFrame, past: Past, demand: Path) -> pl.Series:
    """Return the segment_id of every user, in order."""
    segments, user_segments = read_segments(demand)
    segment, has_come = nearest_segments(saved, users, past)
    newcomers = users.filter(~pl.Series(has_come))
    if newcomers.height and user_segments is not None:
        places = segments.select("segment_id").with_row_index("segment")
        members = user_segments.join(places, on="segment_id").join(saved.users, on="user_id")
        largest = int(np.argmax(segments["visits"].to_numpy()))
        segment[~has_come], is_described = likely_segments(newcomers, members, saved.settings.user_vocabulary, largest)
        log.warning(
            "%d of %d users have no visit: %d are assigned by their attributes, %d to the largest segment, %s",
            newcomers.height, users.height, is_described.sum(), (~is_described).sum(), segments["segment_id"][largest],
        )  # fmt: skip
    return segments["segment_id"].gather(segment)
