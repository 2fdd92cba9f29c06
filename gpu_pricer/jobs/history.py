"""history: published versions -> the prices that each segment saw and from when, as the table group_prices."""

from pathlib import Path

from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.jobs.data_source import recorded_source
from gpu_pricer.jobs.next_command import next_command
from gpu_pricer.tables.published.group_history import Addition, add_publications
from gpu_pricer.tables.stores.local_copy import shown


def inputs(config: DictConfig) -> list[Path]:
    """Return no files: which versions are read is found in Delta's log and in the folder that is added to."""
    return []


def main(config: DictConfig) -> dict[str, object]:
    """Write the prices that each segment saw, and from when, as the table group_prices that `prepare` reads.

    Reads   paths.prices   Delta's log, and the prices of the publications that are not told yet
    Writes  history.out    a folder with a file for each publication: price_group (the segment_id as text), product_id,
                           time (the day from which the prices hold), price

    A file has the prices that differ from the last ones in the files before it; the first has all. Files that are there
    stay as they are, so that the table outlives the versions that `publish` and `vacuum` remove: run the job after each
    publication. A publication whose files were removed before the job ran is named in a warning. data=parquet reads the
    folder in data.path under the name group_prices.parquet.

    Example: gpu-pricer history
             gpu-pricer history history.out=tables/group_prices.parquet
    """
    prices, folder = Path(config.paths.prices), _folder(config.history.out)
    addition = add_publications(prices, folder)
    source = recorded_source(config.paths)
    print("\n".join(_lines(addition, prices, folder, [] if source is None else source.words)))
    return {"group_prices": str(folder), "files": addition.files, "rows": addition.rows}


def _folder(out: object) -> Path:
    if not isinstance(out, str) or not out:
        raise InputError(f"history.out must be a folder, found {out!r}: set history.out=DIR")
    return Path(out)


def _lines(addition: Addition, prices: Path, folder: Path, prepared: list[str]) -> list[str]:
    """Return what was written, and how to go on; prepared: the words with which the canonical tables were prepared."""
    if not addition.publications:
        return [f"no published versions in {shown(prices)}"]
    if not addition.files:
        return [f"nothing to add to {folder}: no publication whose files are kept came since"]
    last = f", the last from {addition.until}" if addition.until != addition.since else ""
    of_days = f"prices that hold from {addition.since}{last}" if addition.rows else "no price has changed"
    return [
        f"wrote {_counted(addition.files, 'file')} with {_counted(addition.rows, 'row')} to {folder}: {of_days}",
        "  this is the table group_prices: bring it with the column price_group, the segment whose prices a user saw, "
        "in transactions or offers",
        f"go on: {next_command('prepare', without=('history',), earlier=prepared)}",
    ]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
