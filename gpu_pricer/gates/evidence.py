"""The gates on what speaks for a version: its certificate, its audit, and its demand's sales and held-out scores."""

import json
import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from gpu_pricer.checks import require_flag
from gpu_pricer.constraints.certificate_file import find_certificate
from gpu_pricer.errors import InputError, first_line
from gpu_pricer.gates.outcome import Outcome, limited, unknown
from gpu_pricer.gates.published import Published
from gpu_pricer.gates.settings import STATUSES, Gates
from gpu_pricer.policy import Policy
from gpu_pricer.tables.version.names import FAIRNESS, METRICS, RECORD
from gpu_pricer.tables.version.price_version import PriceVersion

log = logging.getLogger(__name__)


class Evidence(NamedTuple):
    """What is known beside the version: the metrics.json of the last evaluation, and fairness.max_gap."""

    metrics: Path | None = None
    max_gap: float | None = None


def proof_outcomes(folder: Path, policy: Policy | None, gates: Gates, max_gap: float | None) -> Iterator[Outcome]:
    """Yield the outcomes of the gates on the certificate and on the audit, where the policy asks for them."""
    if gates.certificate is not None:
        if policy is None:
            yield unknown("certificate", "constraints of the policy", gates.certificate, "copy of its policy")
        elif policy.active_constraints:
            certificate = find_certificate(folder / RECORD)
            found = certificate.get("status") or "none"
            rule = f"the constraints' certificate must be {' or '.join(STATUSES[gates.certificate])}"
            is_passed = found in STATUSES[gates.certificate]
            remedy = "see certificate.json in its _record, loosen the constraints and score again"
            yield Outcome("certificate", rule, str(found), gates.certificate, is_passed, _decided(certificate), remedy)
    if gates.audit:
        yield from _audit(folder, max_gap)


def _decided(certificate: dict[str, Any]) -> str:
    """Return which limits of a certificate people relaxed by their decisions, "" for none."""
    names = (certificate.get("decided") or {}).get("relaxed") or {}
    return f", by people's decisions of {', '.join(names)}" if names else ""


def _audit(folder: Path, max_gap: float | None) -> Iterator[Outcome]:
    """Yield the outcome of the gate on the audit; none for a version without an audit that needs none."""
    audit = _read_audit(folder / FAIRNESS)
    if not audit and max_gap is None:
        return
    limit, kept = "no limit" if max_gap is None else f"{max_gap:g}", audit.get("max_gap")
    rule, found = f"the audit of {folder} must not refuse its prices", "that it did" if audit else "none"
    is_passed = bool(audit) and not audit["is_refused"]
    if is_passed and max_gap is not None and (kept is None or kept > max_gap):
        rule, found = (
            f"the audit must have kept to fairness.max_gap={max_gap:g}",
            "no limit" if kept is None else f"{kept:g}",
        )
        is_passed = False
    elif is_passed:
        found = "not refused"
    yield Outcome(
        "audit", rule, found, limit, is_passed, f", see {folder / FAIRNESS}", "score again under fairer rules"
    )


def sales_outcomes(version: PriceVersion, published: Published, gates: Gates) -> Iterator[Outcome]:
    """Yield the outcome of the gate on where the sales end that the version's demand knows.

    A version is priced for the first day after the whole periods of these sales. An earlier one than the published
    version's means that sales are missing which an earlier night had, as of a file that came only in part.
    """
    if not gates.no_older_sales:
        return
    found, least = (date.fromisoformat(day) for day in (version.valid_from, published.valid_from))
    yield Outcome(
        "no_older_sales",
        f"the sales behind the version must reach as far as those behind {published.run}, up to {least}",
        f"up to {found}", f"up to {least}", found >= least, "",
        "look at the end of the sales log, then prepare, train and score again",
    )  # fmt: skip


def held_out_outcomes(
    folder: Path, version: PriceVersion, published: Published, gates: Gates, metrics: Path | None
) -> Iterator[Outcome]:
    """Yield the outcome of the gate on the held-out log loss against that of the published version's demand.

    The lower end of the interval of the log loss counts, so that chance does not refuse. Nothing is compared where both
    were priced from one artefact, or where the published version has no scores, which the log says.
    """
    limit = gates.max_loss_increase
    if limit is None or version.artefact == published.artefact:
        return
    before = _log_loss(_read(published.folder / METRICS))
    if before is None:
        log.info("hold-out scores are not compared: %s has none", published.run)
        return
    now = _log_loss(known_metrics(folder, version, published, metrics))
    if now is None:
        missing = "scores of it: run gpu-pricer train and evaluate first"
        yield unknown("max_loss_increase", "held-out log loss of the version's demand", limit, missing)
        return
    increase = now[0] / before[1] - 1
    what = f"relative increase of the held-out log loss over that of {published.run}"
    detail = f" at least ({now[1]:.5f} after {before[1]:.5f})"
    remedy = "look at the log and the attributes that the demand was learned from, then train again"
    yield limited("max_loss_increase", what, increase, limit, remedy, detail)


def known_metrics(
    folder: Path, version: PriceVersion, published: Published | None, metrics: Path | None
) -> dict[str, Any]:
    """Return the metrics of the demand that the version was priced from, empty if there are none.

    They are the last evaluation's if that judged this demand, else those that the version keeps, or those of the
    published version if it was priced from the same demand.
    """
    others = [folder / METRICS] + ([] if published is None else [published.folder / METRICS])
    found = [_read(path) for path in ([] if metrics is None else [metrics]) + others]
    return next((content for content in found if content.get("fingerprint") == version.artefact), {})


def _log_loss(metrics: dict[str, Any]) -> tuple[float, float] | None:
    """Return the lower end of the interval of the held-out log loss, and the log loss; None if it was not measured."""
    test = metrics.get("test") or {}
    low, loss = (test.get("intervals") or {}).get("log_loss", [None])[0], test.get("log_loss")
    return None if low is None or loss is None else (float(low), float(loss))


def _read_audit(path: Path) -> dict[str, Any]:
    """Return the audit of a version, empty without one; InputError if it does not say whether it refused the prices."""
    if not path.is_file():
        return {}
    try:
        audit: dict[str, Any] = json.loads(path.read_text())
        require_flag("is_refused", audit["is_refused"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path} must say in is_refused whether the audit refused the prices, found {first_line(error)}: "
            "score again"
        ) from error
    return audit


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file, empty without the file; InputError if it is not an object of JSON."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} must hold JSON, found: {error}: score or evaluate again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold an object, found {content!r}: score or evaluate again")
    return content
