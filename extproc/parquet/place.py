"""Where tables are kept: a folder here, or an object store by its address."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from extproc.extra import load_extra

FileSystem: TypeAlias = Any
"""A `pyarrow.fs.FileSystem`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlace:
    """A folder, or an address such as `s3://bucket/tables` that pyarrow reads; its options stand in the address.

    Can be pickled: whoever works elsewhere must reach the same place.
    """

    uri: str

    @classmethod
    def of(cls, out: Path | str) -> "TablePlace":
        """Take what a person gave."""
        return cls(uri=out if isinstance(out, str) and "://" in out else str(Path(out).absolute()))

    @property
    def local(self) -> Path | None:
        """The folder; None for an address."""
        return None if "://" in self.uri else Path(self.uri)

    def open(self) -> tuple[FileSystem, str]:
        """Give the file system and the path in it. Raises OSError and ValueError for an address that is none."""
        fs = load_extra("pyarrow.fs")
        if self.local is not None:
            return fs.LocalFileSystem(), self.uri
        system, path = fs.FileSystem.from_uri(self.uri)
        return system, path.rstrip("/")

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all. Raises OSError."""
        if self.local is None:
            system, base = self.open()
            with system.open_output_stream(f"{base}/{name}") as stream:
                stream.write(data)
            return
        path = self.local / name
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        scratch.write_bytes(data)
        scratch.replace(path)

    def read(self, name: str) -> bytes | None:
        """Give a file; None where there is none. Raises OSError."""
        try:
            if self.local is not None:
                return (self.local / name).read_bytes()
            system, base = self.open()
            with system.open_input_stream(f"{base}/{name}") as stream:
                data: bytes = stream.read()
        except FileNotFoundError:
            return None
        return data

    def size(self, name: str) -> int | None:
        """Give the length of a file in bytes; None where there is none. Raises OSError."""
        system, base = self.open()
        (found,) = system.get_file_info([f"{base}/{name}"])
        size: int | None = found.size
        return size if found.is_file else None

    def remove(self, name: str) -> None:
        """Remove a file if it is there. Raises OSError."""
        system, base = self.open()
        try:
            system.delete_file(f"{base}/{name}")
        except FileNotFoundError:
            return
