"""What every store of evidence can do. Names are relative and have slashes, as on the disk."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A file in a store, and the tag by which the store tells this version of it from others."""

    data: bytes
    tag: str


class Destination(Protocol):
    """One store. Called by several threads at once; each call is done, durably, when it returns."""

    @property
    def location(self) -> str:
        """The store, as a person wrote it."""
        ...

    def check(self) -> None:
        """Ask the store whether it may be used at all. Raises DestinationRefusedError and StoreAwayError."""
        ...

    def read(self, name: str) -> Stored | None:
        """Give a file; None where there is none. Raises StoreAwayError."""
        ...

    def put_immutable(self, name: str, data: bytes) -> bool:
        """Write a file that will never change; tell whether it was written now, or was there with these bytes.

        Raises ForeignObjectError when it is there with other bytes, and StoreAwayError.
        """
        ...

    def put_mutable(self, name: str, data: bytes, *, over: str | None) -> str:
        """Write a file over the version with the tag `over` (None: over nothing), and give the new tag.

        Raises StoreChangedError when something else stands there by now, and StoreAwayError.
        """
        ...
