"""Words as columns, files and their cells have them, without what writers of files differ in."""

import re
import unicodedata


def plain_word(text: str) -> str:
    """Return the letters and digits of a text without accents, in small letters."""
    spelled = text.lower().replace("ß", "ss")
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(sign))
    return re.sub(r"[^a-z0-9]", "", bare)
