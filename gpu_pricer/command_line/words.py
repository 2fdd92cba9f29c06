"""The words of a command line: the flags of Hydra, each with its value, and the others."""

import itertools
from collections.abc import Sequence

VALUED = {
    "--cfg": ("job", "hydra", "all"), "-c": ("job", "hydra", "all"), "--package": (), "-p": (), "--config-path": (),
    "-cp": (), "--config-name": (), "-cn": (), "--config-dir": (), "-cd": (), "--experimental-rerun": (),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"), "-i": (),
}  # fmt: skip
"""The flags of Hydra whose value is the next word, and the values that there are, if they are few."""
PLAIN = ("--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m")
"""The flags of Hydra that stand alone."""


def divided(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the flags with their values, and the other words: a flag may stand anywhere on the line."""
    flags, words, rest = [], [], iter(arguments)
    for word in rest:
        if word.startswith("-"):
            flags += [word, *itertools.islice(rest, 1)] if word in VALUED else [word]
        else:
            words.append(word)
    return flags, words
