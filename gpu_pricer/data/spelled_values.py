"""Values as they are written on a command line, so that Hydra reads no sign of its own in them."""

import re

PLAIN = re.compile(r"[A-Za-z_%/][\w%./:-]*( [\w%./:-]+)*", re.ASCII)
"""Texts that Hydra takes as they are."""
WORDS_OF_YAML = ("null", "true", "false", "nan", "inf")


def spelled(value: object) -> str:
    """Return a text, a number, true, false or a list of these as the value of a setting."""
    if isinstance(value, list):
        return f"[{','.join(map(spelled, value))}]"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, str) and (not PLAIN.fullmatch(text) or text.lower() in WORDS_OF_YAML):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return text
