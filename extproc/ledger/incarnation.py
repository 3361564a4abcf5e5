"""Incarnations: one log per life of a worker process, each naming the end of the one before.

Owns the folder of a worker, its lock, and the birth of a new log at each start. The log of the process before is
settled first, by :mod:`extproc.ledger.recovery`.

A worker's folder::

    <root>/<node>/<worker>/lock                     held while a process writes below it; holds its process id
    <root>/<node>/<worker>/signer.vkey              public keys by which the logs below are signed
    <root>/<node>/<worker>/<incarnation>/wal/       write-ahead log
    <root>/<node>/<worker>/<incarnation>/log/       the log as tlog-tiles
    <root>/<node>/<worker>/<incarnation>/policies/  canonical policies, by their digest
    <root>/<node>/<worker>/<incarnation>/log.vkey   public keys under the name of this log
    <root>/<node>/<worker>/<incarnation>/delegations   by which an organisation's key vouches for those, where it does
    <root>/<node>/<worker>/<incarnation>/QUARANTINED   only where the log was found corrupt: why

An incarnation is called by its number and eight random digits: numbers make a missing one plain, random digits keep a
wiped disk from giving two logs one name.
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from extproc.ledger.disk import sync_directory
from extproc.ledger.entries import genesis_to_entry
from extproc.ledger.errors import LedgerLockedError
from extproc.ledger.log import LOG, WAL, Clock, LogWriter
from extproc.ledger.readback import LogReader
from extproc.ledger.recovery import resume, settle
from extproc.ledger.signing import SIGNER_VKEY, admit, admit_signer
from extproc.ledger.wal import SEGMENT_BYTES, SHORT_SEGMENT_BYTES
from extproc.notes.errors import MalformedError
from extproc.notes.keys import Signer
from extproc.notes.note import VerifierKey

__all__ = ["LOCK", "SIGNER_VKEY", "LogIdentity", "WorkerLock", "start_log"]

LOCK: Final = "lock"
_UNBORN: Final = ".unborn"
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_NAME: Final = re.compile(r"(?P<number>[0-9]{6})-[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIdentity:
    """Who writes: the parts of an origin that come before the incarnation.

    Each is 1 to 63 letters, digits, dots, underscores or hyphens, beginning with a letter or digit.
    """

    org: str
    env: str
    region: str
    node: str
    worker: str

    def __post_init__(self) -> None:
        for each in fields(self):
            word = getattr(self, each.name)
            if _WORD.fullmatch(word) is None:
                raise MalformedError(f"log identity: {each.name} {word!r}: expected 1 to 63 of A-Z a-z 0-9 . _ -")

    @property
    def signer(self) -> str:
        """The name under which an auditor trusts the key of all of this worker's logs."""
        return f"{self.org}/{self.env}/{self.region}/{self.node}/{self.worker}"

    def origin(self, incarnation: str) -> str:
        """Name one log."""
        return f"{self.signer}/{incarnation}"

    def directory(self, root: Path) -> Path:
        """Give the worker's folder."""
        return root / self.node / self.worker


class WorkerLock:
    """The right to write below a worker's folder, held until released or the process ends."""

    def __init__(self, directory: Path) -> None:
        """Take the lock. Raises LedgerLockedError when another holder lives."""
        path = directory / LOCK
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            written = os.pread(self._descriptor, 20, 0).strip()
            os.close(self._descriptor)
            raise LedgerLockedError(path, int(written) if written.isdigit() else None) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another writer in."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def start_log(  # noqa: PLR0913 - what a log needs, each by name
    root: Path,
    *,
    identity: LogIdentity,
    key: Signer,
    delegations: Sequence[bytes] = (),
    durability: str,
    program: str,
    clock: Clock,
    segment_bytes: int = SEGMENT_BYTES,
) -> tuple[LogWriter, WorkerLock]:
    """Settle the log of the process before, and begin a new one with its Genesis durable and published.

    `delegations` are the notes that lead from a root of trust to `key`; they are kept beside every log that it signs.

    Raises LedgerLockedError while another process writes, and OSError when the disk does not take the log.
    """
    directory = identity.directory(root)
    directory.mkdir(parents=True, exist_ok=True)
    lock = WorkerLock(directory)
    try:
        admit_signer(directory, signer=identity.signer, key=key)
        last = _last_incarnation(directory)
        previous = (
            None
            if last is None
            else settle(
                last,
                origin=identity.origin(last.name),
                key=key,
                delegations=delegations,
                clock=clock,
                segment_bytes=segment_bytes,
            )
        )
        number = 1 if last is None else int(last.name[:6]) + 1
        writer = _give_birth(
            directory / f"{number:06}-{secrets.token_hex(4)}",
            identity=identity,
            key=key,
            delegations=delegations,
            segment_bytes=segment_bytes,
            genesis=lambda origin: genesis_to_entry(
                at_s=clock(), origin=origin, durability=durability, program=program, previous=previous
            ),
        )
    except BaseException:
        lock.release()
        raise
    return writer, lock


def _last_incarnation(directory: Path) -> Path | None:
    names = sorted(path.name for path in directory.iterdir() if _NAME.fullmatch(path.name))
    return directory / names[-1] if names else None


def _give_birth(  # noqa: PLR0913 - what a log needs, each by name
    directory: Path,
    *,
    identity: LogIdentity,
    key: Signer,
    delegations: Sequence[bytes],
    segment_bytes: int,
    genesis: Callable[[str], bytes],
) -> LogWriter:
    """Begin a log. It gets its name only when its Genesis is durable, so that no log is without one."""
    origin = identity.origin(directory.name)
    unborn = directory.with_name(_UNBORN)
    shutil.rmtree(unborn, ignore_errors=True)
    (unborn / WAL).mkdir(parents=True)
    (unborn / LOG).mkdir()
    admit(unborn, origin=origin, key=key, delegations=delegations)
    first = LogWriter(unborn, origin=origin, key=key, segment_bytes=min(segment_bytes, SHORT_SEGMENT_BYTES))
    try:
        first.append([genesis(origin)])
        first.close()
    finally:
        first.abandon()
    unborn.replace(directory)
    sync_directory(directory.parent)
    writer = LogWriter(directory, origin=origin, key=key, segment_bytes=segment_bytes)
    resume(writer, LogReader(directory, origin, (VerifierKey(name=origin, public=key.public),)).scan())
    return writer
