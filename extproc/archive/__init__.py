"""Where evidence lies: a folder, a zip file or an object store, read-only and alike to whoever reads.

Owns listing and reading by name. What the files mean is for :mod:`extproc.audit`.
"""

from extproc.archive.archive import Archive, ArchiveError
from extproc.archive.locations import open_archive

__all__ = ["Archive", "ArchiveError", "open_archive"]
