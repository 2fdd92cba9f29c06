"""The user's own tables: <path>/<table>.parquet, each of them a file, a folder of files or a Delta table."""

from dataclasses import dataclass
from pathlib import Path

from gpu_pricer.data.sources.source import RawTable
from gpu_pricer.errors import InputError
from gpu_pricer.tables.reading import scan_table

TABLES = ("transactions", "products", "users", "offers", "context")


@dataclass(frozen=True)
class ParquetDirectory:
    """A directory that holds the tables of the input contract."""

    path: str

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path:
            raise InputError(f"data.path must be the directory of your tables, found {self.path!r}: set data.path=DIR")

    def files(self) -> list[Path]:
        """Return <path>/<table>.parquet of every table, whether it exists or not."""
        return [Path(self.path) / f"{name}.parquet" for name in TABLES]

    def tables(self) -> dict[str, RawTable]:
        """Return every table in the directory; raise InputError if there is no directory or a table cannot be read."""
        directory = Path(self.path)
        if not directory.is_dir():
            raise InputError(f"data.path must be a directory, found no directory at {directory}: set data.path=DIR")
        paths = {name: directory / f"{name}.parquet" for name in TABLES}
        return {name: RawTable(scan_table(path), str(path)) for name, path in paths.items() if path.exists()}
