"""From what a person writes, a path or a URL, to the source that it names."""

from pathlib import Path

from extproc.bundle.errors import SourceError
from extproc.bundle.file import FileSource
from extproc.bundle.https import HttpsSource
from extproc.bundle.s3 import S3Source
from extproc.bundle.source import Source, SourceOptions, is_remote


def source_of(location: str, options: SourceOptions | None = None) -> Source:
    """Give the source of a path, an `https://` address or an `s3://BUCKET/KEY`. Raises SourceError."""
    options = options or SourceOptions()
    if not is_remote(location):
        return FileSource(Path(location))
    scheme = location.partition("://")[0].lower()
    if scheme in {"https", "http"}:
        return HttpsSource(location, options)
    if scheme == "s3":
        return S3Source(location, options)
    raise SourceError(f"{scheme}://", "no kind of source", "name a path, https://HOST/PATH or s3://BUCKET/KEY")
