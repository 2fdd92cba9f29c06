"""What a version of the price table and the files in its folder are called.

The folder holds the table's files and the folder `_record`, which pyarrow, Spark and Delta's vacuum ignore because of
its underscore.
"""

import re
import secrets
from datetime import UTC, datetime

RECORD = "_record"
RUN_RECORD = f"{RECORD}/run.json"
LOCK = f"{RECORD}/lock"
"""Shared by those who score the version, and held alone by the one who publishes it."""
PLAN, PLAN_LOCK = f"{RECORD}/plan.json", f"{RECORD}/plan.lock"
"""What one of the tasks that share a version found of its inputs for all of them, and who is finding it."""
SEAL = f"{RECORD}/SHA256SUMS"
"""Written last, by `seal`."""
FAIRNESS = f"{RECORD}/fairness.json"
PUBLICATION = f"{RECORD}/publication.json"
METRICS_FILE = "metrics.json"
"""In the work folder: what `evaluate` found. A version that judged itself by it keeps a copy."""
METRICS = f"{RECORD}/{METRICS_FILE}"
DECIDED, APPROVALS = f"{RECORD}/decisions.parquet", f"{RECORD}/approvals.parquet"
"""What people decided: the decisions that the version's prices contain, and all that let it be published."""
KEPT, PROMISES = "_artefacts", "_promises"
"""Folders beside the versions, of the artefacts that they were priced from and of what they promise: Delta's vacuum
passes them by because of the underscore."""
CATALOG_COPY = "catalog.parquet"
"""In the record: what pricing read of the catalog."""
UNPRICED = "unpriced.parquet"
"""In the record: the products without a price, and why."""
RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")
FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def new_run() -> str:
    """Return a run id that sorts by time and that no other process draws."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def file_name(run: str, shard: int, tile: int) -> str:
    """Return the name of one file of the price table."""
    return f"{run}-{shard:05d}-{tile:05d}.parquet"
