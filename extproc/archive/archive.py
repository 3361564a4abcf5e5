"""What every place of evidence can do."""

from collections.abc import Iterator
from typing import Final, Protocol

LARGEST_FILE: Final = 256 << 20
"""Bytes of the largest file that is read. A full bundle of the largest entries has 16 MiB, a segment mostly 64 MiB."""


class ArchiveError(Exception):
    """A place that cannot be read; the message names it and the mend. A name that is not there is FileNotFoundError."""


class Archive(Protocol):
    """Files by their names, which are relative and have slashes: `node-1/0/000001-5f3a90c2/log/checkpoint`.

    Can be pickled, so that other processes and machines read the same place.
    """

    @property
    def location(self) -> str:
        """The place, as a person gave it."""
        ...

    def names(self, below: str = "") -> Iterator[str]:
        """Give the names of all files in the folder `below` and its folders, sorted; or none.

        Whatever begins with a dot is left out: it is not finished. Raises ArchiveError.
        """
        ...

    def exists(self, name: str) -> bool:
        """Tell whether there is a file of this name. Raises ArchiveError."""
        ...

    def size(self, name: str) -> int:
        """Give the length of a file in bytes. Raises FileNotFoundError and ArchiveError."""
        ...

    def read(self, name: str) -> bytes:
        """Give the whole of a file. Raises FileNotFoundError, and ArchiveError for one over :data:`LARGEST_FILE`."""
        ...
