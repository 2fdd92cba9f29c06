"""The command line: gpu-pricer JOB [hydra overrides].

Exit status: 0 done; 2 the user can mend it (one line, no traceback); 3 refused by a gate; 1 our fault.
"""

import difflib
import importlib
import inspect
import logging
import os
import sys
from pathlib import Path

import hydra
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.logging import RichHandler

from gpu_pricer.errors import InputError, Refused
from gpu_pricer.jobs import JOBS
from gpu_pricer.jobs.record import recorded

CONF = Path(__file__).parents[1] / "conf"


def run() -> None:
    """Run the job that the command line names and end the process with its exit status."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run one job and return its exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0 if arguments else InputError.exit_status
    job, overrides = arguments[0], arguments[1:]
    try:
        if job not in JOBS:
            raise InputError(_unknown_job(job))
        if "-h" in overrides or "--help" in overrides:
            print(_help(job))
            return 0
        _start_logging()
        _launch(job, overrides)
    except (InputError, Refused) as error:
        return _fail(job, error, error.exit_status)
    except (HydraException, OmegaConfBaseException) as error:
        return _fail(job, _config_error(error), InputError.exit_status)
    except KeyboardInterrupt:
        return _fail(job, "interrupted; nothing was published, run it again", 130)
    return 0


def _launch(job: str, overrides: list[str]) -> None:
    """Hand over to Hydra; HYDRA_FULL_ERROR makes it raise to us instead of printing and exiting itself."""
    _check_kernels()
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = ["gpu-pricer", *overrides]
    module = importlib.import_module(f"gpu_pricer.jobs.{job}")

    def task(config: DictConfig) -> None:
        with recorded(job, config):
            module.main(config)

    hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(task)()


def _check_kernels() -> None:
    """Another installed distribution called `kernels` would shadow ours: say so before it confuses."""
    kernels = importlib.import_module("kernels")
    found, expected = Path(inspect.getfile(kernels)).parent, CONF.parent / "kernels"
    if found != expected:
        raise InputError(
            f"the package `kernels` must be the one in {expected}, found {found}: "
            "uninstall the distribution that shadows it, or install gpu_pricer with `pip install -e .`"
        )


def _start_logging() -> None:
    """Rich on a terminal, plain dated lines elsewhere; both on standard error, results alone on standard output."""
    if sys.stderr.isatty():
        handler: logging.Handler = RichHandler(console=Console(stderr=True), show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _fail(job: str, reason: object, status: int) -> int:
    print(f"gpu-pricer {job}: {' '.join(str(reason).split())}", file=sys.stderr)
    return status


def _config_error(error: Exception) -> str:
    """One line for what Hydra or OmegaConf refused; the reason inside an instantiation comes first."""
    if isinstance(error, InstantiationException):
        cause = error.__cause__
        key = str(error).rpartition("full_key: ")[2].strip() if "full_key: " in str(error) else "?"
        return f"the configuration at {key} is not valid: {cause}; mend that key"
    return f"the configuration is not valid: {error}; `gpu-pricer JOB --help` lists the groups"


def _unknown_job(job: str) -> str:
    close = difflib.get_close_matches(job, JOBS, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(JOBS)}"
    return f"the first word must be a job, found {job!r}: {hint}"


def _overview() -> str:
    rows = "\n".join(f"  {name:<10}{line}" for name, line in JOBS.items())
    return f"usage: gpu-pricer JOB [key=value ...]\n\n{rows}\n\ngpu-pricer JOB --help explains one of them."


def _help(job: str) -> str:
    text = inspect.getdoc(importlib.import_module(f"gpu_pricer.jobs.{job}").main)
    options = {
        folder.name: ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
        for folder in sorted(CONF.iterdir())
        if folder.is_dir() and folder.name != "hydra"
    }
    groups = "\n".join(f"  {group}={names}" for group, names in options.items())
    return (
        f"usage: gpu-pricer {job} [key=value ...]\n\n{text}\n\nGroups, from the folder conf/:\n{groups}\n\n"
        f"gpu-pricer {job} --cfg job prints every key with its value and runs nothing."
    )
