"""What a job says on standard error: by Rich on a terminal, in plain dated lines elsewhere, or as JSON on request."""

import logging
import sys
import traceback

from pythonjsonlogger.json import JsonFormatter

from gpu_pricer.errors import InputError
from gpu_pricer.heartbeat import last_line

PLAIN, JSON = FORMS = ("plain", "json")

log = logging.getLogger(__name__)


def start_logging(form: str = PLAIN) -> None:
    """Log to standard error in one of FORMS; raise InputError for another."""
    if form not in FORMS:
        raise InputError(f"log must be {' or '.join(FORMS)}, found {form!r}: set log={PLAIN}")
    if form == JSON:
        handler: logging.Handler = logging.StreamHandler()
        renamed = {"levelname": "level", "name": "logger"}
        handler.setFormatter(JsonFormatter(["levelname", "name", "message"], rename_fields=renamed, timestamp="time"))
    elif sys.stderr.isatty():
        from gpu_pricer.process.on_terminal import coloured_handler  # and Rich, which no task of a cluster needs

        handler = coloured_handler()
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for each in (handler, last_line):
        each.addFilter(_is_shown)  # a filter, because Lightning resets the level of its logger
    logging.basicConfig(level=logging.INFO, handlers=[handler, last_line], force=True)


def say_last(job: str, reason: object, status: int) -> None:
    """Say why a job ends with an exit status: a line, or an object of JSON with the job and the status."""
    line = " ".join(str(reason).split())
    if _is_json():
        log.error(line, extra={"job": job, "status": status})
    else:
        print(f"gpu-pricer {job}: {line}", file=sys.stderr)


def say_fault() -> None:
    """Say where the exception that is being handled came from."""
    if _is_json():
        log.error("a fault of gpu_pricer", exc_info=True)
    else:
        traceback.print_exc()


def _is_json() -> bool:
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)


def _is_shown(record: logging.LogRecord) -> bool:
    """Return whether a record is one of ours or a warning."""
    return record.name.startswith(("gpu_pricer", "kernels")) or record.levelno >= logging.WARNING
