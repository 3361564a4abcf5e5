"""Evidence in a folder of this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from extproc.archive.archive import ArchiveError


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderArchive:
    """The files below `root`."""

    root: Path

    @property
    def location(self) -> str:
        """The folder."""
        return str(self.root)

    def names(self, below: str = "") -> Iterator[str]:
        """List what is there, sorted; see :class:`extproc.archive.archive.Archive`."""
        return iter(sorted(self._names(self.root / below)))

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return (self.root / name).is_file()

    def size(self, name: str) -> int:
        """Give the length of a file."""
        return (self.root / name).stat().st_size

    def read(self, name: str) -> bytes:
        """Give the whole of a file."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ArchiveError(f"{self.root / name}: cannot be read: {error.strerror}") from None

    def _names(self, folder: Path) -> Iterator[str]:
        if not folder.is_dir():
            return
        try:
            for path in folder.iterdir():
                if path.name.startswith("."):
                    continue
                if path.is_dir():
                    yield from self._names(path)
                else:
                    yield path.relative_to(self.root).as_posix()
        except PermissionError as error:
            raise ArchiveError(f"{folder}: cannot be listed: {error.strerror}") from None
