"""The plan of a version's shards: the first task reads all inputs, so that the others need only their own products.

_record/plan.json holds a ShardPart for every shard. The first of the tasks that share a version reads and checks all
inputs and writes the plan, while the others wait; it goes when the version is finished. It counts for input files with
the same SHA-256, which have then passed every check.
"""

import hashlib
import json
import logging
from pathlib import Path

import numpy as np

from gpu_pricer.policy import with_rule_columns
from gpu_pricer.pricing import POINT, Tiling, match_products
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.files.locking import in_turn, locked
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.priced_products import catalog_fingerprint
from gpu_pricer.tables.version.code import code_fingerprint
from gpu_pricer.tables.version.names import LOCK, PLAN, PLAN_LOCK, RECORD
from gpu_pricer.versions.priced_catalog import ShardPart, warn_of_idle_rules
from gpu_pricer.versions.scored_inputs import ScoredInputs
from gpu_pricer.versions.scored_version import require_unpublished, write_unpriced

log = logging.getLogger(__name__)

Parts = list[ShardPart | None]
"""For every shard its part, None for one that needs all products, or none."""


def shard_part(folder: Path, inputs: ScoredInputs, tiling: Tiling, uncertainty: str) -> ShardPart | None:
    """Return the part of this process's shard; make the plan if there is none yet.

    None where the process must read all: it writes all shards, its shard has no categories, or a price depends on more
    than its category.
    """
    if tiling.shard is None or uncertainty != POINT or inputs.policy.whole_catalog_rules:
        return None
    made_of = _made_of(inputs, tiling)
    with locked(folder / LOCK, "score this version", shared=True), in_turn(folder / PLAN_LOCK):
        require_unpublished(folder)
        parts = _read(folder / PLAN, made_of)
        if parts is None:
            parts = _planned(inputs, tiling, folder / RECORD)
            inputs.require_unchanged()
            with replacing_file(folder / PLAN) as fresh:
                fresh.write_text(json.dumps({"made_of": made_of, "parts": parts}) + "\n")
            log.info("the plan of the %d shards is in %s", tiling.shards, folder / PLAN)
    return parts[tiling.shard]


def _made_of(inputs: ScoredInputs, tiling: Tiling) -> str:
    """Return a hash of all that the plan follows from."""
    files = sorted([Path(path).name, digest] for path, digest in inputs.files.items())
    content = [files, inputs.policy.fingerprint(), tiling.shards, code_fingerprint()]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _planned(inputs: ScoredInputs, tiling: Tiling, record: Path) -> Parts:
    """Return the parts of all shards; the products without a price are written into the record."""
    catalog, artefact = inputs.read_catalog().catalog, inputs.read_demand()
    warn_of_idle_rules(catalog, inputs.policy.bounds)
    if _has_cell_offsets(artefact):
        return [None] * tiling.shards
    matched = match_products(with_rule_columns(catalog, inputs.policy.bounds), artefact)
    write_unpriced(matched.unpriced, record)
    sources = artefact.fingerprint(), catalog_fingerprint(catalog), matched.unpriced.height
    runs = matched.products["category_id"].rle().struct.unnest()
    start = np.concatenate([[0], np.cumsum(runs["len"].to_numpy())]).astype(np.int64)
    row, parts = matched.products["demand_row"].to_numpy(), []
    for first, end in (tiling.categories(shard, start) for shard in range(tiling.shards)):
        rows = row[start[first] : start[end]]
        parts.append(
            ShardPart(
                *sources,
                first_category=first,
                categories=(runs["value"][first], runs["value"][end - 1]),
                demand_rows=(int(rows.min()), int(rows.max()) + 1),
            )
            if first < end
            else None
        )
    return parts


def _has_cell_offsets(artefact: DemandArtefact) -> bool:
    """Return whether an offset is for a single segment: one such offset decides how the demand of all is computed."""
    offsets = artefact.offsets
    return offsets is not None and "segment_id" in offsets.columns and not offsets["segment_id"].is_null().all()


def _read(path: Path, made_of: str) -> Parts | None:
    """Return the parts of a plan that was made of the same, None where there is none."""
    try:
        content = json.loads(path.read_text())
        return [part and ShardPart(*part) for part in content["parts"]] if content["made_of"] == made_of else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
