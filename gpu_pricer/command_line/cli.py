"""The command line: gpu-pricer JOB [hydra overrides].

Exit status: 0 the job is done; 2 the user can remove the cause of the failure (one line, no traceback); 3 a gate or an
infeasible policy refused; 1 a fault of this program; 128 + its number: a signal ended the job.
"""

import functools
import importlib.util
import io
import itertools
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import hydra
import polars as pl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gpu_pricer import CONF
from gpu_pricer.command_line.checked_config import checked_config
from gpu_pricer.command_line.completion import main as complete
from gpu_pricer.command_line.job_help import help_status, unknown_job
from gpu_pricer.command_line.sweep import rank, take_trial, trial_folder
from gpu_pricer.command_line.unknown_key import ELSEWHERE, require_place, unknown_key
from gpu_pricer.command_line.unread import flush_or_drop, unread
from gpu_pricer.command_line.words import divided, is_plain
from gpu_pricer.errors import InputError, Interrupted, Refused
from gpu_pricer.jobs import JOBS
from gpu_pricer.process.ending import farewell, interruptible, is_helper, signal_in
from gpu_pricer.process.logs import say_fault, say_last, start_logging
from gpu_pricer.process.refused_settings import refused_setting
from gpu_pricer.process.run_record import run_job
from gpu_pricer.tables.files.locking import locked
from gpu_pricer.tuning.objective import Objective
from gpu_pricer.tuning.trials import SWEPT, read_trial

WRITES_DEMAND = ("prepare", "train", "run")
"""The jobs that write canonical tables or demand, of which one at a time may run in a work folder."""
LOCK = ".lock"
CONFIG, JOB_NAME = "config", "cli"
"""The names of the composed configuration, and of the command for Hydra."""
OF_HYDRA = re.compile(r"[~+]*hydra\b")
"""How overrides of Hydra's own settings begin."""
EVERY = "..."
"""How an operand ends that takes every word."""


def run() -> None:
    """Run the job that the command line names, and end the process with its exit status."""
    status = main(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the job has ended, and its status stands
    sys.exit(status)


def main(arguments: list[str]) -> int:
    """Run one job and return its exit status."""
    status = help_status(arguments)
    if status is not None:
        return status
    if arguments[0] == "completion":
        return complete(arguments[1:])
    flags, words = divided(arguments)
    job, overrides = words[0] if words else flags[0], words[1:]
    start_logging()
    try:
        with interruptible():
            return _status(job, lambda: _launch(job, flags, overrides), overrides)
    except SystemExit as end:
        return int(end.code or 0)


def _status(job: str, work: Callable[[], object], overrides: Sequence[str] = ()) -> int:
    """Call `work` and return the exit status; print a failure as one line, with a traceback if it is our fault.

    overrides: those of which the configuration is composed in `work`.
    """
    try:
        work()
        sys.stdout.flush()
        return 0
    except (InputError, Refused) as error:
        return max(_fail(job, line, error.exit_status) for line in error.args or (error,))
    except (HydraException, OmegaConfBaseException) as error:
        return _fail(job, _config_error(job, error, overrides), InputError.exit_status)
    except BrokenPipeError:  # such as in `gpu-pricer versions | head -1`
        return unread()
    except OSError as error:
        flush_or_drop()
        reason = f"files and folders must be there, with rights and room, found: {error}; mend that"
        return _fail(job, reason, InputError.exit_status)
    except KeyboardInterrupt:
        return _interrupted(job, signal.SIGINT)
    except Interrupted as error:
        return _interrupted(job, error.number)
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Lightning ends interrupted training with 1
            return _interrupted(job, signal.SIGINT)
        if isinstance(end.__context__, BrokenPipeError):  # Rich ends the output of a table with 1
            return unread()
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        number = signal_in(error)
        if number is not None:
            return _interrupted(job, number)
        say_fault()
        return _fail(job, f"this is a fault of gpu_pricer: {type(error).__name__}: {error}", 1)


def _launch(job: str, flags: list[str], overrides: list[str]) -> None:
    """Let Hydra compose the configuration, once or for every point of a sweep, and run the job with each.

    A failed job raises SystemExit, the only exception for which Hydra prints no line of its own.
    """
    if job not in JOBS:
        raise InputError(unknown_job(job))
    _check_kernels()
    module = importlib.import_module(f"gpu_pricer.jobs.{job}")
    operands = getattr(module, "OPERANDS", ())
    overrides = _keyed(overrides, operands)
    _require_keys(job, operands, overrides)
    if not {flag.partition("=")[0] for flag in flags} & {*ELSEWHERE}:
        require_place(job, overrides)
    command_line = sys.argv
    sweeps: dict[Path, Objective] = {}

    def task(config: DictConfig) -> float | None:
        """Run the job with one composed configuration; return a trial's value, None where it is no trial."""
        sys.argv = command_line  # distributed training starts its other processes with it
        is_trial = job in SWEPT and HydraConfig.get().mode == RunMode.MULTIRUN
        alone = functools.partial(_alone, job, module)
        work = functools.partial(take_trial, sweeps, job, alone) if is_trial else alone
        status = _status(job, lambda: work(_with_log(checked_config(config))))
        if status:
            raise SystemExit(status)
        return read_trial(trial_folder()).value if is_trial else None

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises what is wrong with an override instead of printing it
    sys.argv = ["gpu-pricer", *flags, *overrides]
    try:
        _call_hydra(job, flags, overrides, task)
    except (ValueError, YAMLError) as error:  # Hydra checks some overrides with bare ValueErrors
        raise InputError(
            f"the overrides must be Hydra's, found {' '.join(overrides)}: {error}; see gpu-pricer {job} --help"
        ) from error
    finally:
        sys.argv = command_line
        for sweep, objective in sweeps.items():
            rank(sweep, objective)


def _keyed(words: list[str], operands: Sequence[str]) -> list[str]:
    """Return the words with the first ones as values of the keys in `operands`, up to one that is Hydra's by its form.

    So `compare 3 4` is `compare compare.before=3 compare.after=4`, with the values as quoted texts. A key that ends
    with ... takes all of the words, as a list.
    """
    given = list(itertools.takewhile(is_plain, words))
    quoted = ["'{}'".format(word.replace("\\", "\\\\").replace("'", "\\'")) for word in given]
    if operands and operands[0].endswith(EVERY):
        return [*([f"{operands[0].removesuffix(EVERY)}=[{','.join(quoted)}]"] if given else []), *words[len(given) :]]
    keyed = [f"{key}={value}" for key, value in zip(operands, quoted, strict=False)]
    return [*keyed, *words[len(keyed) :]]


def _require_keys(job: str, operands: Sequence[str], overrides: Sequence[str]) -> None:
    """Raise InputError for a word that is neither an operand nor an override, of which Hydra says only where it is."""
    stray = [word for word in overrides if is_plain(word)]
    if stray:
        plain = (
            f"at most {len(operands)} plain words ({', '.join(operands)}), then key=value" if operands else "key=value"
        )
        raise InputError(
            f"after {job} there must be {plain}, found {' '.join(stray)}: leave it out, or see gpu-pricer {job} --help"
        )


def _alone(job: str, module: ModuleType, config: DictConfig) -> None:
    """Run the job; raise InputError while another job that writes demand or its tables runs in the same work folder.

    A process that helps another to train works under that one's lock.
    """
    if job not in WRITES_DEMAND or is_helper():
        run_job(job, module, config)
        return
    with locked(Path(config.paths.work) / LOCK, job):
        run_job(job, module, config)


def _call_hydra(job: str, flags: Sequence[str], overrides: list[str], task: Callable[[DictConfig], object]) -> None:
    """Let Hydra compose the configuration and call the task with it.

    Hydra's own entry point composes twice, first to learn whether the line is a sweep. Without flags it is none, unless
    an override of Hydra's settings or a file of the configuration makes it one.
    """
    if flags or any(OF_HYDRA.match(word) for word in overrides):
        _call_hydra_main(job, task)
        return
    with hydra.initialize_config_dir(str(CONF), job_name=JOB_NAME, version_base="1.3"):
        composing = GlobalHydra.instance().hydra
        assert composing is not None
        try:
            composing.run(config_name=CONFIG, task_function=task, overrides=overrides)
            return
        except AssertionError:  # Hydra's own, where a file sets hydra.mode to MULTIRUN; the task raises none
            pass
    _call_hydra_main(job, task)


def _call_hydra_main(job: str, task: Callable[[DictConfig], object]) -> None:
    """Let Hydra read sys.argv and call the task; raise InputError for a flag that Hydra does not know.

    Standard error is kept back until the task begins, because argparse, which reads the flags for Hydra, prints its
    usage there, and a failed job must print one line only.
    """
    stderr, held_back = sys.stderr, io.StringIO()

    def release() -> None:
        if sys.stderr is held_back:
            sys.stderr = stderr
            stderr.write(held_back.getvalue())

    def released_task(config: DictConfig) -> object:
        release()
        return task(config)

    sys.stderr = held_back
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=CONFIG)(released_task)()
    except SystemExit as end:
        if not end.code or sys.stderr is not held_back:
            raise
        sys.stderr, reason = stderr, held_back.getvalue().rpartition("error: ")[2].strip()
        raise InputError(
            f"every word after the job must be key=value or a flag of Hydra, found {reason}: "
            f"see gpu-pricer {job} --help"
        ) from None
    finally:
        release()


def _check_kernels() -> None:
    """Raise InputError if another installed distribution called `kernels` shadows ours."""
    spec = importlib.util.find_spec("kernels")  # without importing Numba, which not every job needs
    assert spec is not None
    assert spec.origin is not None
    found, expected = Path(spec.origin).parent, CONF.parent / "kernels"
    if found != expected:
        raise InputError(
            f"the package `kernels` must be the one in {expected}, found {found}: "
            "uninstall the distribution that shadows it, or install gpu_pricer with `pip install -e .`"
        )


def _with_log(config: DictConfig) -> DictConfig:
    """Log in the form, and from the level, that the configuration asks for, and return the configuration."""
    start_logging(config.log)
    logging.getLogger().setLevel(logging.WARNING if config.quiet else logging.INFO)
    return config


def _fail(job: str, reason: object, status: int) -> int:
    say_last(job, reason, status)
    return status


def _interrupted(job: str, number: int) -> int:
    """Return the exit status of a job that the signal ended; the first of several processes says so."""
    status = 128 + number
    return status if is_helper() else _fail(job, farewell(number), status)


def _config_error(job: str, error: Exception, overrides: Sequence[str]) -> str:
    """Return one line on what Hydra or OmegaConf refused."""
    if isinstance(error, InstantiationException):
        return refused_setting(error)
    unknown = unknown_key(job, error, overrides)
    if unknown is not None:
        return unknown
    reason = str(error).partition("Config search path:")[0].strip()
    return f"the configuration is not valid: {reason}; gpu-pricer {job} --help lists the groups"
