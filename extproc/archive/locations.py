"""From what a person writes to an archive."""

from pathlib import Path

from extproc.archive.archive import Archive, ArchiveError
from extproc.archive.folder import FolderArchive
from extproc.archive.zip import ZipArchive, is_zip


def open_archive(place: str) -> Archive:
    """Open a folder, a zip file or `s3://BUCKET/PREFIX`.

    Raises ArchiveError for a folder or file that is not there and for an address that cannot be. A store is not asked
    yet: that it cannot be reached shows when it is read.
    """
    if place.startswith("s3://"):
        # Costs tens of milliseconds to import, and few need it.
        from extproc.archive.bucket import open_bucket  # noqa: PLC0415 - see above

        return open_bucket(place)
    path = Path(place)
    try:
        if path.is_dir():
            return FolderArchive(root=path)
        if path.is_file():
            if is_zip(path):
                return ZipArchive(path=path)
            raise ArchiveError(f"{place}: no folder and no zip file. Mend: name the folder or the zip file")
    except OSError as error:
        raise ArchiveError(f"{place}: cannot be opened: {error.strerror}. Mend: check the path") from None
    raise ArchiveError(f"{place}: no folder and no file is there. Mend: check the path")
