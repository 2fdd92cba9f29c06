"""Which configuration the canonical tables are prepared with: the record of `prepare` says it to later jobs."""

import json
from pathlib import Path
from typing import NamedTuple

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from gpu_pricer.jobs.next_command import CONFIG_DIR, group_of, line_words

SOURCE = "source"
"""In the record of `prepare`."""
READ = (CONFIG_DIR, "experiment", "data", "split", "seed", "paths")
"""Groups of the words that say what `prepare` reads and where it writes."""


class DataSource(NamedTuple):
    """The option of the group `data`, and the words of the command line with which it is prepared."""

    data: str
    words: list[str]


def source_of_line() -> DataSource | None:
    """Return the source that the present command line names, None where no command line began the job."""
    if not HydraConfig.initialized():
        return None
    words = [word for word in line_words() if group_of(word) in READ]
    return DataSource(HydraConfig.get().runtime.choices["data"], words)


def recorded_source(paths: DictConfig) -> DataSource | None:
    """Return the source of the tables in paths.data, None where no record in paths.work says it."""
    path, folder = Path(paths.work) / "prepare" / "run.json", Path(paths.data)
    try:
        record = json.loads(path.read_text())
        is_of_folder = folder.exists() and Path(record["config"]["paths"]["data"]).resolve() == folder.resolve()
        return DataSource(**record[SOURCE]) if is_of_folder else None
    except (OSError, ValueError, LookupError, TypeError):  # none, a broken one, or one of an earlier release
        return None
