"""The audit of a scored version: whether the same basket costs some groups of users more than others."""

import logging
from pathlib import Path
from typing import Any

from gpu_pricer.errors import InputError, Refused
from gpu_pricer.gates.fairness import Fairness, audit, price_index, require_attributes, write_audit
from gpu_pricer.tables.artefact import read_segments
from gpu_pricer.tables.price_table import scan_prices
from gpu_pricer.tables.reading import collect, scan_table

log = logging.getLogger(__name__)

NO_GROUP = "no group of two or more users has a price index"


def require_known_attributes(fairness: Fairness) -> None:
    """Raise InputError unless the users' table, if there is one, has protected attributes that form groups."""
    users = Path(fairness.users)
    if users.exists():
        require_attributes(fairness, scan_table(users))


def audit_version(folder: Path, demand: Path, fairness: Fairness) -> None:
    """Write fairness.json into the version's record. Raises Refused where a gap beyond chance exceeds max_gap.

    It is also refused where fairness.max_gap is set and an attribute has no group with a price index; without a limit
    this is logged.

    Without protected attributes, the users' table, their segments or the long layout no audit is possible: this is
    logged, or raises InputError if fairness.max_gap is set.
    """
    segments, user_segments = read_segments(demand)
    users = Path(fairness.users)
    missing = [
        what
        for what, is_there in (
            ("protected attributes (fairness.protected)", bool(fairness.attributes)),
            (f"the users table {users}", users.exists()),
            (f"{demand}/user_segments.parquet", user_segments is not None),
            ("score.layout=long", "expected_units" in scan_prices(folder).collect_schema()),
        )
        if not is_there
    ]
    if missing or user_segments is None:
        if fairness.max_gap is not None:
            raise InputError(
                f"fairness.max_gap must have prices to audit, found it without {', '.join(missing)}: "
                "provide that or set fairness.max_gap=null"
            )
        log.info("no audit of the prices: it needs %s", ", ".join(missing))
        return
    require_known_attributes(fairness)
    table = collect(scan_table(users).select("user_id", *fairness.attributes), str(users))
    index = price_index(folder, segments.select("segment_id", "visits"))
    content: dict[str, Any] = audit(index, user_segments, table, fairness)
    path = write_audit(content, folder)
    log.info("audited the prices of %d users by %s: %s", content["users"], ", ".join(fairness.attributes), path)
    lacking = [name for name, entry in content["attributes"].items() if not entry["is_compared"]]
    if lacking:
        log.warning("the audit cannot compare groups by %s: %s", ", ".join(lacking), NO_GROUP)
    if content["is_refused"]:
        raise Refused(_refusal(content, path))


def _refusal(content: dict[str, Any], path: Path) -> str:
    gaps = {name: entry["largest_gap"] for name, entry in content["attributes"].items() if entry["is_too_wide"]}
    if not gaps:
        return (
            f"the audit must compare groups of users for fairness.max_gap={content['max_gap']}, found that "
            f"{NO_GROUP}, see {path}: score prices at which something is expected to sell, with users of known "
            "attributes, or set fairness.max_gap=null"
        )
    name = max(gaps, key=lambda name: gaps[name]["proven"])
    gap = gaps[name]
    return (
        f"the same basket must cost groups of {name} the same to within fairness.max_gap={content['max_gap']}, found "
        f"{gap['dearer']} paying {gap['gap']:.2%} more than {gap['cheaper']} (at least {gap['proven']:.2%} is more "
        f"than chance), see {path}: limit policy.bounds.max_segment_ratio, or change the segments"
    )
