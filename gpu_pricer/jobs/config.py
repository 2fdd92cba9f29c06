"""config: the settings of a job, each with the file that it comes from."""

import logging
from collections.abc import Iterator
from pathlib import Path

import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from gpu_pricer.errors import InputError
from gpu_pricer.jobs import JOBS
from gpu_pricer.jobs.config_origins import Origins

log = logging.getLogger(__name__)

OPERANDS = ("job",)
SHARED = ("paths", "backend", "seed", "quiet", "log")
"""The keys that every job reads: its folders, what its record says, and what it says meanwhile."""
TRAINING = ("split", "init_from", "model", "trainer", "logger", "train")
SCORING = ("day", "uncertainty", "policy", "score", "frontier", "fairness")
READS = {
    "inspect": ("inspect", "train"),
    "prepare": ("data", "day", "split", "train"),
    "train": TRAINING,
    "score": ("data", *SCORING),
    "publish": ("day", "publish", "fairness"),
    "pricetest": ("pricetest", "day", "policy"),
    "review": ("review", "policy", "score", "publish", "fairness", "report"),
    "explore": ("explore", "review", "day", "policy", "score", "publish", "fairness", "report"),
    "reprice": ("events", "watch", "watch_seconds", "day", "reprice", "score", "fairness", "publish", "policy"),
    "whatif": ("whatif", "events", "policy", "score"),
    "compare": ("compare", "report", "publish", "fairness", "policy"),
    "outcome": ("outcome",),
    "history": ("history",),
    "versions": (),
    "rollback": ("day", "rollback", "publish", "fairness"),
    "vacuum": ("publish",),
    "predict": ("predict",),
    "assign": ("assign",),
    "explain": ("product", "segment", "explain", "policy"),
    "evaluate": ("day", "policy", "evaluate"),
    "report": ("report", "frontier", "publish", "fairness", "policy"),
    "config": ("job",),
    "tune": ("tune", "objective", "run", *TRAINING),
    "run": ("run", "data", *TRAINING, *SCORING, "evaluate", "publish", "outcome", "report"),
}
"""The further keys that each job reads, in the order in which they are shown."""
FURTHEST = 60  # columns before the origins, where a value is not longer


def inputs(config: DictConfig) -> list[Path]:
    """Return no files: the job reads configurations alone."""
    return []


def main(config: DictConfig) -> None:
    """Print the settings that a job reads, as YAML, and beside each the file and line that set it, or the command line.

    The words after the job's name are those of that job: `config train model=tiny` shows what `train model=tiny` would
    read. Without a job it prints all settings. What is printed can be read as YAML.

    Example: gpu-pricer config train model=tiny
             gpu-pricer config job=score policy=growth
    """
    if config.job is not None and config.job not in READS:
        raise InputError(f"job must be one of {', '.join(JOBS)}, found {config.job!r}: gpu-pricer config train")
    shown = [*SHARED, *READS[config.job]] if config.job is not None else [key for key in config if key != "job"]
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    origins = Origins(str(HydraConfig.get().job.config_name), list(HydraConfig.get().overrides.task))
    rows = [row for key in shown for row in _rows(str(key), values[key], str(key), 0)]
    width = max((len(text) for text, key in rows if key and len(text) <= FURTHEST), default=0)
    for text, key in rows:
        print(f"{text:<{width}}  # {origins.of(key)}" if key else text)


def _rows(name: str, value: object, key: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the lines of a setting, each with the dotted key whose origin it shows, empty for a heading."""
    indent = "  " * depth
    if isinstance(value, dict) and value:
        yield f"{indent}{name}:", ""
        for inner, entry in value.items():
            yield from _rows(str(inner), entry, f"{key}.{inner}", depth + 1)
    else:
        yield f"{indent}{_text(name)}: {_text(value)}", key


def _text(value: object) -> str:
    """Return the value as YAML in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
