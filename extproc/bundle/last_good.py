"""The last good bundle, kept on the disk, so that a sidecar starts while its source is away.

Owns one folder, which belongs to one sidecar::

    last-good   a digest line, then a line of JSON: the exact bytes, where they came from, and which policy they are
    confirmed   the digest of those bytes, and when the source last confirmed them

Both are replaced whole, and `last-good` is durable before the new policy is put in force. What is read back is checked
against its digest; a torn file is an error, and never a policy. The digest is no signature: whoever reads a bundle back
opens it by its keys again.
"""

import fcntl
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from extproc.bundle.errors import StateError
from extproc.bundle.rollback import Standing
from extproc.core.ids import PolicyRevision

LAST_GOOD: Final = "last-good"
CONFIRMED: Final = "confirmed"
_LOCK: Final = "lock"
_LARGEST: Final = 1 << 25
"""Far above the largest bundle in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastGood:
    """A bundle that was taken. Times are Unix seconds; `confirmed_at` is when its source last said that it holds it."""

    data: bytes
    source: str
    etag: str | None
    standing: Standing
    fetched_at: float
    confirmed_at: float

    def age_s(self, now: float) -> float:
        """Give the seconds since the source last confirmed it; 0 where the clock went back."""
        return max(0.0, now - self.confirmed_at)


class StateFolder:
    """The folder that keeps the last good bundle."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self) -> LastGood | None:
        """Give the last good bundle; None where none was kept. Raises StateError for one that cannot be read."""
        path = self._directory / LAST_GOOD
        try:
            with path.open("rb") as file:
                whole = file.read(_LARGEST)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"{path}: cannot be read ({error.strerror}). Mend: check who may read it") from None
        digest, _, body = whole.partition(b"\n")
        if digest != _digest(body):
            raise StateError(
                f"{path}: torn or changed: its digest is another. Mend: remove it, once the source answers again"
            )
        try:
            kept = _parse(json.loads(body))
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(f"{path}: not of this program's making ({error!r}). Mend: remove it") from None
        return self._with_confirmation(kept)

    def write(self, kept: LastGood) -> None:
        """Keep a bundle in the place of the one before, durably. Raises StateError; the one before then stays."""
        body = json.dumps(_format(kept), sort_keys=True).encode() + b"\n"
        with self._writing() as directory:
            _replace(directory / LAST_GOOD, _digest(body) + b"\n" + body)
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def confirm(self, kept: LastGood, at_s: float) -> None:
        """Note that the source still holds what is kept. Raises StateError.

        A note that a crash loses makes the bundle look older than it is, which is the safe side.
        """
        line = f"{sha256(kept.data).hexdigest()} {at_s!r}\n"
        with self._writing() as directory:
            _replace(directory / CONFIRMED, line.encode())

    def _with_confirmation(self, kept: LastGood) -> LastGood:
        try:
            digest, at_s = (self._directory / CONFIRMED).read_text(encoding="ascii").split()
            confirmed_at = float(at_s)
        except (OSError, ValueError):
            return kept
        if digest != sha256(kept.data).hexdigest() or not confirmed_at > kept.confirmed_at:
            return kept
        return replace(kept, confirmed_at=confirmed_at)

    @contextmanager
    def _writing(self) -> Iterator[Path]:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with (self._directory / _LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield self._directory
        except OSError as error:
            raise StateError(
                f"{self._directory}: the last good bundle cannot be kept ({error.strerror}). "
                "Mend: check the path, who may write there, and the space on the disk"
            ) from None


def _replace(path: Path, data: bytes) -> None:
    """Write beside the file, make it durable, and rename: a reader sees the old or the new."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _digest(body: bytes) -> bytes:
    return b"sha256:" + sha256(body).hexdigest().encode()


def _format(kept: LastGood) -> dict[str, object]:
    return {
        "format": 1,
        "source": kept.source,
        "etag": kept.etag,
        **asdict(kept.standing),
        "fetched_at": kept.fetched_at,
        "confirmed_at": kept.confirmed_at,
        "data": b64encode(kept.data).decode(),
    }


def _parse(body: dict[str, Any]) -> LastGood:
    if body["format"] != 1:
        raise ValueError(f"format {body['format']!r}")
    etag = body["etag"]
    return LastGood(
        data=b64decode(body["data"], validate=True),
        source=str(body["source"]),
        etag=None if etag is None else str(etag),
        standing=Standing(
            policy=str(body["policy"]),
            version=int(body["version"]),
            revision=PolicyRevision(str(body["revision"])),
            digest=str(body["digest"]),
        ),
        fetched_at=float(body["fetched_at"]),
        confirmed_at=float(body["confirmed_at"]),
    )
