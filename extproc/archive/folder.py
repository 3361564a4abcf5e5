"""Evidence in a folder of this machine.

The folder may have come from somebody else. So a link in it is not followed, because it would make a file of this
machine into evidence, or a folder without end; and what is no plain file, such as a pipe that nobody ever writes to, is
not opened. The folder itself may be a link: that is what a person named.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from extproc.archive.archive import LARGEST_FILE, ArchiveError


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
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        """Give the length of a file."""
        path = self._path(name)
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(str(path)) from None
        except OSError as error:
            raise ArchiveError(f"{path}: cannot be read: {error.strerror}. Mend: check the file") from None
        return _check(path, found)

    def read(self, name: str) -> bytes:
        """Give the whole of a file."""
        path = self._path(name)
        try:
            # Not to wait for whoever would write to a pipe, and not to follow a link, though it was put there just now.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(str(path)) from None
        except OSError as error:
            # What is refused for what it is says so.
            self.size(name)
            raise ArchiveError(f"{path}: cannot be read: {error.strerror}. Mend: check the file") from None
        try:
            _check(path, os.fstat(descriptor))
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(LARGEST_FILE)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ArchiveError(f"{path}: cannot be read: {error.strerror}. Mend: check the file") from None
        finally:
            os.close(descriptor)

    def _path(self, name: str) -> Path:
        """Give the path of a file. A name that a record made up must not lead out of the folder."""
        if name.startswith("/") or "\0" in name or ".." in name.split("/"):
            raise FileNotFoundError(name)
        return self.root / name


def _check(path: Path, found: os.stat_result) -> int:
    """Give the length of a plain file. Raises FileNotFoundError for a folder, ArchiveError for anything else."""
    if stat.S_ISDIR(found.st_mode):
        raise FileNotFoundError(str(path))
    if not stat.S_ISREG(found.st_mode):
        raise _odd(path)
    if found.st_size > LARGEST_FILE:
        raise ArchiveError(
            f"{path}: {found.st_size} bytes, more than {LARGEST_FILE}: not read. "
            "Mend: no file of evidence is so large; ask where it comes from"
        )
    return found.st_size


def _odd(path: Path | str) -> ArchiveError:
    return ArchiveError(
        f"{path}: a link, a pipe or a device: not read. Mend: copy the evidence with plain files and folders"
    )


def _names(folder: Path | str, prefix: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as found:
            for each in found:
                if each.name.startswith("."):
                    continue
                if each.is_dir(follow_symlinks=False):
                    yield from _names(each.path, f"{prefix}{each.name}/")
                elif each.is_file(follow_symlinks=False):
                    yield prefix + each.name
                else:
                    raise _odd(each.path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise ArchiveError(f"{folder}: cannot be listed: {error.strerror}. Mend: check the folder") from None
