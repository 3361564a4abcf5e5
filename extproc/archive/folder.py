"""Evidence in a folder of this machine."""

import os
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
        below = below.rstrip("/")
        return iter(sorted(_names(self.root / below, f"{below}/" if below else "")))

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return (self.root / name).is_file()

    def size(self, name: str) -> int:
        """Give the length of a file."""
        return (self.root / name).stat().st_size

    def read(self, name: str) -> bytes:
        """Give the whole of a file."""
        path = self.root / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise
        except (NotADirectoryError, IsADirectoryError):
            raise FileNotFoundError(str(path)) from None
        except OSError as error:
            raise ArchiveError(f"{path}: cannot be read: {error.strerror}. Mend: check the file") from None


def _names(folder: Path | str, prefix: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as found:
            for each in found:
                if each.name.startswith("."):
                    continue
                if each.is_dir():
                    yield from _names(each.path, f"{prefix}{each.name}/")
                else:
                    yield prefix + each.name
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise ArchiveError(f"{folder}: cannot be listed: {error.strerror}. Mend: check the folder") from None
