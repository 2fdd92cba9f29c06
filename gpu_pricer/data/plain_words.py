"""Words as columns, files and their cells have them, without what writers of files differ in."""

import re
import unicodedata

UNCOMPOSED = str.maketrans({"ß": "ss", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe"})
"""Letters that Unicode does not take apart into a plain one and an accent."""


def plain_word(text: str) -> str:
    """Return the letters and digits of a text without accents, in small letters."""
    spelled = text.lower().translate(UNCOMPOSED)
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(sign))
    return re.sub(r"[^a-z0-9]", "", bare)
