"""The one error of this package."""

from pathlib import Path
from typing import Final

FETCH_AGAIN: Final = "fetch it again and put it in place with a rename"
"""The mend for a file whose bytes are not what the vendor made."""


class GeoDatabaseError(Exception):
    """A database cannot be used.

    `path` is the file, `what` says what is wrong with it and `mend` what the operator does about it. The text
    joins all three and names no client.
    """

    def __init__(self, path: Path, what: str, mend: str) -> None:
        super().__init__(f"{path}: {what}; {mend}")
        self.path = path
        self.what = what
        self.mend = mend
