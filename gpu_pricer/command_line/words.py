"""The words of a command line: the flags of Hydra, each with its value, and the others."""

import itertools
import re
from collections.abc import Sequence

VALUED = {
    "--cfg": ("job", "hydra", "all"), "-c": ("job", "hydra", "all"), "--package": (), "-p": (), "--config-path": (),
    "-cp": (), "--config-name": (), "-cn": (), "--config-dir": (), "-cd": (), "--experimental-rerun": (),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"), "-i": (),
}  # fmt: skip
"""The flags of Hydra whose value is the next word, and the values that there are, if they are few."""
PLAIN = ("--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m")
"""The flags of Hydra that stand alone."""
NUMBER = re.compile(r"-[\d.]+")
"""A number below 0, which is no flag."""


def is_flag(word: str) -> bool:
    """Return whether a word is a flag of Hydra by its form."""
    return word.startswith("-") and not NUMBER.fullmatch(word)


def is_plain(word: str) -> bool:
    """Return whether a word is neither a flag nor an override."""
    return "=" not in word and word[:1] not in ("~", "+") and not is_flag(word)


def divided(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the flags with their values, and the other words: a flag may stand anywhere on the line."""
    flags, words, rest = [], [], iter(arguments)
    for word in rest:
        if is_flag(word):
            flags += [word, *itertools.islice(rest, 1)] if word in VALUED else [word]
        else:
            words.append(word)
    return flags, words
