"""What Prometheus is to know of the jobs and of the published table, as text files for a node exporter's folder.

A file per job, because one job's numbers must not replace another's, and one for the table. prometheus_client, the
client that the Prometheus project keeps, writes each at once (by renaming).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from gpu_pricer.gates import last_gates
from gpu_pricer.tables.published.version_log import CURRENT, VersionEntry, version_entries
from gpu_pricer.tables.version.version_record import read_version


def write_metrics(folder: Path, job: str, record: Mapping[str, object], prices: Path) -> None:
    """Write gpu_pricer_<job>.prom of a finished job, and gpu_pricer_table.prom of what is published in `prices`.

    record: of the job, as in its run.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(folder / f"gpu_pricer_{job}.prom"), _of_job(job, record))
    current = next((entry for entry in version_entries(prices) if entry.status == CURRENT), None)
    if current is not None:
        write_to_textfile(str(folder / "gpu_pricer_table.prom"), _of_table(prices, current))


def _of_job(job: str, record: Mapping[str, object]) -> CollectorRegistry:
    registry = CollectorRegistry()

    def tell(name: str, what: str, value: float) -> None:
        Gauge(f"gpu_pricer_job_{name}", what, ["job"], registry=registry).labels(job).set(value)

    seconds, started = float(str(record["seconds"])), datetime.fromisoformat(str(record["started"])).timestamp()
    tell("seconds", "seconds that the job took when it last succeeded", seconds)
    tell("success_timestamp_seconds", "time at which the job last succeeded", started + seconds)
    cost = record["cost"]
    assert isinstance(cost, dict)
    tell("core_seconds", "seconds that processor cores worked for the job when it last succeeded", cost["core_seconds"])
    if "prices" in cost:
        made = cost["prices"] / seconds
        tell("prices_per_second", "prices that the job made per second, reading and writing included", made)
        for kind in ("core", "gpu"):
            name = f"{kind}_seconds_per_million_prices"
            tell(name, f"seconds of {kind}s that a million prices of the job cost", cost[name])
    return registry


def _products(prices: Path, current: VersionEntry) -> int:
    return read_version(prices / current.run).tally.products if current.is_kept else 0


def _of_table(prices: Path, current: VersionEntry) -> CollectorRegistry:
    registry = CollectorRegistry()

    def tell(name: str, what: str, value: float) -> None:
        Gauge(f"gpu_pricer_table_{name}", what, registry=registry).set(value)

    tell(
        "published_timestamp_seconds", "commit of the current version", datetime.fromisoformat(current.when).timestamp()
    )
    tell("version", "number of the current version in Delta's log", current.number or 0)
    if current.rows.isdigit():
        tell("rows", "prices of the current version", int(current.rows))
    tell("products", "products of the current version, 0 where its files are lost", _products(prices, current))
    if current.is_kept:
        end = datetime.fromisoformat(read_version(prices / current.run).valid_from).replace(tzinfo=UTC)
        tell("sales_end_timestamp_seconds", "end of the sales that the current version's demand knows", end.timestamp())
    gauges = {
        name: Gauge(f"gpu_pricer_gate_{name}", what, ["gate"], registry=registry)
        for name, what in (
            ("passed", "1: the current version passed the gate; 0: somebody accepted it"),
            ("found", "what the gate found of the current version"),
            ("limit", "the limit of the gate for the current version"),
        )
    }
    for gate, outcome in last_gates(prices / current.run).items():
        gauges["passed"].labels(gate).set(outcome["is_passed"])
        for name in ("found", "limit"):
            if isinstance(outcome[name], int | float):
                gauges[name].labels(gate).set(outcome[name])
    return registry
