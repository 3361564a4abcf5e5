"""From what a person writes to an archive."""

from pathlib import Path

from extproc.archive.archive import Archive, ArchiveError
from extproc.archive.folder import FolderArchive


def open_archive(place: str) -> Archive:
    """Open a place of evidence. Raises ArchiveError for one that is not there."""
    path = Path(place)
    if not path.is_dir():
        raise ArchiveError(f"{place}: no folder is there. Mend: check the path")
    return FolderArchive(root=path)
