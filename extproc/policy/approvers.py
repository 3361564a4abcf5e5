"""Who counts as a different person where a legal order needs two."""

import unicodedata


def person_of(name: str) -> str:
    """Give what makes a name the name of somebody: not its capitals, its blanks or the form of its letters.

    Empty for a name that names nobody.
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
