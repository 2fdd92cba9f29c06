"""What a part of the fault harness found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """The number of faults done and of those after which a promise was broken, with examples, one line each."""

    name: str
    done: int
    wrong: int
    examples: tuple[str, ...]
