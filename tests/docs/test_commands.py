"""Every command and every setting that README.md and docs/ show is tried: a wrong key or flag fails here.

A page's commands run in their order in one folder, a copy of a small market's first run. Jobs that learn at length only
compose their configuration; what needs another machine is checked by its parts.
"""

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from tests.docs.conftest import SMALL_MODEL
from tests.docs.pages import PAGES, ROOT, Command, command_of, commands, fences, spans

LEARNING = ("train", "tune", "run")
"""Jobs whose commands are composed, not run, unless they read the user's own tables."""

SETTINGS = (
    "policy",
    "score",
    "frontier",
    "fairness",
    "publish",
    "reprice",
    "evaluate",
    "run",
    "split",
    "objective",
    "tune",
)
"""The parts of a configuration that become objects without any file, and then check their values."""

OPTIONAL_LOGGERS = {"MLflow": "mlflow", "WandB": "wandb"}
"""The package that a logger needs beyond what every installation has; the extra has the same name."""

QUICK = ["evaluate.plots=false", "evaluate.bootstrap.replicates=2"]
SMALLER = {"evaluate": QUICK, "run": [*QUICK, "model=tiny", *SMALL_MODEL]}
"""What makes a job quick in the shop."""

ARRAY = re.compile(r"--array=(\d+)-(\d+)")
REQUEUE = ["--signal=USR1@120"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.fixture
def job(gpu_pricer):
    """job(arguments) runs `gpu-pricer arguments` in the shop; a job that learns at length is only composed, and so is
    one that needs an object store."""

    def run(arguments):
        arguments = first_of_a_sweep(arguments) if "-m" in arguments else arguments
        name, overrides = arguments[0], arguments[1:]
        groups = {override.partition("=")[0] for override in overrides}
        if {"--help", "--cfg", "completion"} & {*arguments}:
            smaller = []
        elif any("=s3://" in override for override in overrides):  # tests/stores runs these
            smaller = ["--cfg", "job"]
        elif (name in LEARNING and not reads_own_tables(overrides)) or "evaluate=baselines" in overrides:
            require_settings(overrides)
            smaller = ["--cfg", "job"]
        else:
            smaller = [] if "data" in groups else ["data=synthetic"]
            smaller += SMALLER.get(name, [])
        ended = gpu_pricer(*arguments, *smaller)
        assert ended.status == 0, ended.said

    return run


def first_of_a_sweep(arguments):
    """The command of a sweep's first trial."""
    name, *overrides = (argument for argument in arguments if argument != "-m")
    parsed = OverridesParser.create().parse_overrides(overrides)
    assert any(entry.is_sweep_override() for entry in parsed)
    first = [next(entry.sweep_string_iterator()) if entry.is_sweep_override() else None for entry in parsed]
    pairs = zip(parsed, first, strict=True)
    return [name, *(entry.input_line if value is None else f"{entry.key_or_group}={value}" for entry, value in pairs)]


def reads_own_tables(overrides):
    """Whether a run learns from the shop's tables; one submitted to a cluster is not repeated here."""
    return bool({"data.path=tables", "--config-dir"} & {*overrides}) and "train.resume=true" not in overrides


def require_settings(overrides):
    """Make the objects of a configuration, which check their values."""
    config = composed(overrides)
    require_logger(config.logger)
    for part in (*(config[name] for name in SETTINGS), *config.model.values(), *config.train.values()):
        if OmegaConf.is_config(part):
            instantiate(part, _convert_="all")


def require_logger(settings):
    """Make the logger; where the package that it needs is missing, it must say how to install it, and only there."""
    package = OPTIONAL_LOGGERS.get(settings["_target_"].rpartition(".")[2])
    if package is None or importlib.util.find_spec(package) is not None:
        instantiate(settings, _convert_="all")
        return
    with pytest.raises(InstantiationException) as refusal:
        instantiate(settings, _convert_="all")
    assert f'pip install -e ".[{package}]"' in str(refusal.value.__cause__)


def composed(overrides):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("config", overrides)


class Checks(NamedTuple):
    """How a command of each program is tried; its methods are named like the programs."""

    job: object
    printed_help: object
    folder: Path

    def gpu_pricer(self, command):
        self.job(command.arguments)

    def python(self, command):
        """A module of ours runs; of a benchmark, every flag is one that its --help names."""
        module, *words = command.arguments[1:]
        assert command.arguments[0] == "-m"
        if module.startswith("gpu_pricer"):
            subprocess.run([sys.executable, "-m", module], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
            return
        described = self.printed_help(module)
        assert [word for word in words if word.startswith("--") and f"{word} " not in described] == []

    def make(self, command):
        subprocess.run(["make", "--dry-run", *command.arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)

    def pip(self, command):
        install, editable, target = command.arguments
        assert (install, editable) == ("install", "-e")
        extras = re.fullmatch(r"\.\[([\w,]+)\]", target)[1].split(",")
        assert {*extras} <= {*PROJECT["project"]["optional-dependencies"]}

    def pytest(self, command):
        """The marker exists, and the tests read the variables that the line sets."""
        flag, marker = command.arguments
        assert flag == "-m"
        assert marker in [line.partition(":")[0] for line in PROJECT["tool"]["pytest"]["ini_options"]["markers"]]
        sources = "".join(path.read_text() for path in (ROOT / "tests/kernels").rglob("*.py"))
        assert [name for name in command.variables if name not in sources] == []

    def docker(self, command):
        """The image is built from the Dockerfile, on the base that is looked up; docker run names a job after it."""
        if command.arguments[0] == "build":
            assert command.arguments[1:] == ["-t", "gpu-pricer", "."]
            return
        if command.arguments[:3] == ["buildx", "imagetools", "inspect"]:
            (image,) = command.arguments[3:]
            assert f"\nFROM {image}@sha256:" in DOCKERFILE
            return
        options = command.arguments[1 : command.arguments.index("gpu-pricer")]
        mounted = options[options.index("-v") + 1].partition(":")[2]
        assert command.arguments[0] == "run"
        assert f"WORKDIR {mounted}\n" in DOCKERFILE
        assert 'ENTRYPOINT ["gpu-pricer"]\n' in DOCKERFILE
        arguments = command.arguments[command.arguments.index("gpu-pricer") + 1 :]
        assert [word for word in arguments if word.startswith("data.path=")] == [f"data.path={mounted}/in"]
        self.job(arguments)

    def sbatch(self, command):
        """The batch script runs, once per task of an array, with an srun that says what it was given."""
        *flags, script = command.arguments[: command.arguments.index("slurm/reprice.sbatch") + 1]
        words = command.arguments[len(flags) + 1 :]
        arrays = [ARRAY.fullmatch(flag) for flag in flags if flag not in REQUEUE]
        assert all(arrays), flags
        tasks = range(int(arrays[0][1]), int(arrays[0][2]) + 1) if arrays else [None]
        for task in tasks:
            program, *arguments = self.given_to_srun(script, words, task)
            assert program == ".venv/bin/gpu-pricer"
            self.job(arguments)

    def reprice(self, command):
        """Every job waits for the one before, and its settings exist; the tasks of the array are as many as asked."""
        jobs = self.given_to_sbatch(command)
        names = ["prepare", "train", "score", "evaluate", "publish", "outcome", "history"]
        assert [words[0] for _, words in jobs] == names
        waits = [[flag for flag in flags if flag.startswith("--dependency")] for flags, _ in jobs]
        assert waits == [[], *([f"--dependency=afterok:{number}"] for number in range(1, len(names)))]
        assert f"--array=0-{int(command.variables['TASKS']) - 1}" in jobs[2][0]
        for _, words in jobs:
            require_settings(words[1:])

    def given_to_sbatch(self, command):
        """Return the flags and the words of each job that a chain of jobs submits."""
        sbatch, noted = self.folder / "sbatch", self.folder / "submitted"
        noted.unlink(missing_ok=True)
        sbatch.write_text(
            f'#!/usr/bin/env bash\nprintf "%s\\t" "$@" >> {noted}\necho >> {noted}\nwc --lines < {noted}\n'
        )
        sbatch.chmod(0o755)
        environment = os.environ | command.variables | {"PATH": f"{self.folder}:{os.environ['PATH']}"}
        subprocess.run([ROOT / command.program, *command.arguments], env=environment, capture_output=True, check=True)
        lines = [line.split("\t")[:-1] for line in noted.read_text().splitlines()]
        places = [line.index("slurm/reprice.sbatch") for line in lines]
        return [(line[:place], line[place + 1 :]) for line, place in zip(lines, places, strict=True)]

    def given_to_srun(self, script, words, task):
        srun = self.folder / "srun"
        srun.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
        srun.chmod(0o755)
        environment = os.environ | {"PATH": f"{self.folder}:{os.environ['PATH']}", "SLURM_SUBMIT_DIR": str(self.folder)}
        environment |= {} if task is None else {"SLURM_ARRAY_TASK_ID": str(task)}
        line = ["bash", str(ROOT / script), *words]
        return subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture
def printed_help(monkeypatch, capsys):
    """printed_help(module) is what `python -m module --help` prints."""

    def run(module):
        run_by_python = f"{module}.__main__" if (ROOT / module.replace(".", "/")).is_dir() else module
        file = ROOT / f"{run_by_python.replace('.', '/')}.py"
        assert 'if __name__ == "__main__":' in file.read_text()
        monkeypatch.setattr(sys, "argv", [module, "--help"])
        capsys.readouterr()
        with pytest.raises(SystemExit, match="0"):
            importlib.import_module(run_by_python).main()
        return capsys.readouterr().out

    return run


def what_is_wrong(command: Command, checks: Checks) -> str | None:
    """Return the command with what is wrong with it, None if nothing is."""
    try:
        getattr(checks, Path(command.program).stem.replace("-", "_"))(command)
    except Exception as error:
        return f"{command}: {type(error).__name__}: {error}"
    return None


WALKED = ("docs/tutorial.md",)
"""Pages whose commands another test runs: tests/jobs/test_newcomer.py, with the files that the page shows."""


@pytest.mark.parametrize("page", [page for page in PAGES if page not in WALKED])
def test_commands_of_a_page_run_one_after_the_other(page, job, printed_help, shop):
    checks = Checks(job, printed_help, shop)

    found = [what_is_wrong(command, checks) for command in commands(page)]

    assert "\n".join(filter(None, found)) == ""


READERS = [block.text for page in PAGES for block in fences(page) if block.language == "python"]
SPARK = "pyspark"


def test_python_of_a_page_runs_where_prices_are_published(shop, monkeypatch):
    monkeypatch.chdir(shop)
    blocks = [block for block in READERS if SPARK not in block]

    for block in blocks:
        assert len(read_by(block)["prices"]) == pl.scan_delta("prices").collect().height
    assert len(blocks) > 1


def test_spark_reads_what_is_published(shop, monkeypatch):
    pytest.importorskip("pyspark", reason="needs pyspark, which is 0.5 GB: pip install pyspark")
    if shutil.which("java") is None:
        pytest.skip("needs Java: apt-get install default-jre-headless")
    monkeypatch.chdir(shop)
    (block,) = (block for block in READERS if SPARK in block)

    found = read_by(block)

    assert found["prices"].count() == pl.scan_delta("prices").collect().height
    found["spark"].stop()


def read_by(block):
    """What a page's reader leaves, by name."""
    names = {}
    exec(block, names)
    return names


SETTING = re.compile(r"[+]?[a-z_]+(\.\w+)*=\S+")
SHOWN = sorted({span for page in PAGES for span in spans(page) if SETTING.fullmatch(span)})


@pytest.mark.parametrize("setting", SHOWN)
def test_setting_named_in_a_sentence_exists_and_takes_the_value(setting):
    config = composed([setting, "init_from=null"] if setting.startswith("data=") else [setting])

    for name in SETTINGS:
        instantiate(config[name], _convert_="all")
    require_logger(config.logger)


@pytest.mark.parametrize("choice", sorted(path.stem for path in (ROOT / "conf/logger").glob("*.yaml")))
def test_every_logger_is_made_or_says_what_to_install(choice):
    require_logger(composed([f"logger={choice}"]).logger)


KEY = re.compile(r"(policy|score|publish|fairness|data|train|model|run|paths|split)(\.(?!json)\w+)+")


@pytest.mark.parametrize("key", sorted({span for page in PAGES for span in spans(page) if KEY.fullmatch(span)}))
def test_key_named_in_a_sentence_exists(key):
    config = composed(["data=parquet" if key in ("data.path", "data.time_zone") else "data=synthetic"])

    found = config
    for name in key.split("."):
        assert name in found, key
        found = found[name]


def test_a_wrong_key_a_wrong_flag_and_an_unknown_program_fail(job, printed_help, shop):
    checks = Checks(job, printed_help, shop)
    lines = {
        "gpu-pricer score policy.bounds.max_rise=0.1": "max_rise",
        "gpu-pricer train train.segments.number=3": "number",
        "python -m tests.bench.portfolio --sed 4": "--sed",
        "make price": "returned non-zero",
        "sbatch --arrays=0-1 slurm/reprice.sbatch score": "--arrays",
        "rm -r prices": "no attribute",
    }

    for line, reason in lines.items():
        assert reason in (what_is_wrong(command_of(line), checks) or "")
