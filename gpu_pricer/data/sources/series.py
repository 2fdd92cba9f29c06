"""Series of files, whose names differ in their numbers: a delivery adds another file, such as one for each day."""

import re
from pathlib import Path

ANY = "*"
"""What stands in a pattern for a number."""


def pattern_of(path: Path) -> Path:
    """Return the pattern of a file's name, with ANY in place of each number, such as sales_*-*.csv."""
    return path.with_name(re.sub(r"\d+", ANY, path.name))


def files_of(path: Path) -> list[Path]:
    """Return the files, or folders, that a path means, in order of their names: its own, or those of its pattern.

    Only the last name in the path may be a pattern. A path of which there is no file means itself.
    """
    if ANY not in path.name or path.exists() or not path.parent.is_dir():
        return [path]
    pattern = re.compile(r"\d+".join(map(re.escape, path.name.split(ANY))))
    return sorted(file for file in path.parent.iterdir() if pattern.fullmatch(file.name)) or [path]
