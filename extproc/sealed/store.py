"""The key store: one SQLite file that only its owner may read, in a folder of its own, never beside a log.

Several processes may share it, workers and commands alike: SQLite's write-ahead log lets all of them read while one
writes, and a new key is whatever the first of them wrote. Share it on one machine only, not over a network file system.

Durability. A key is written before it is used, so it survives the end of the process. It is flushed within a second by
:mod:`extproc.sealed.keys` and not at once, because a request would wait for that: `synchronous=NORMAL` flushes at
checkpoints alone. After a power loss the store is sound and may lack the newest keys, whose pseudonyms and sealed
blocks are then as after an erasure; no decision and no proof depends on them. `OFF` would be no faster and might lose
the file.

Erasure. `secure_delete` overwrites a deleted key in its page. :meth:`KeyStore.scrub` then empties the write-ahead log.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from extproc.sealed.derive import KEY_BYTES
from extproc.sealed.errors import KeyStoreError

BUSY_S: Final = 5.0
"""Longest wait for another writer."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_APPLICATION: Final = 0x53495455
"""SQLite's application_id of this file: "SITU"."""
_SCHEMA: Final = """
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL) STRICT;
INSERT INTO state VALUES (1, 0);
CREATE TABLE days (tenant TEXT, day TEXT, key BLOB NOT NULL, PRIMARY KEY (tenant, day)) STRICT, WITHOUT ROWID;
CREATE TABLE subjects (tenant TEXT, day TEXT, subject BLOB, key BLOB NOT NULL, PRIMARY KEY (tenant, day, subject))
    STRICT, WITHOUT ROWID;
CREATE TABLE destroyed (id INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT NOT NULL) STRICT;
"""


class KeyStore:
    """One connection to the store, for one thread. Every failure of SQLite is a KeyStoreError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Wrap a connection; use :func:`open_store`."""
        self.path = path
        self._connection = connection
        self._file = _file_at(path)

    def again(self) -> "KeyStore":
        """Open another connection, for another thread."""
        return KeyStore(self.path, _connect(self.path))

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def check_in_place(self) -> None:
        """See that the file that is open is still the one at the path. May be called by any thread.

        Raises KeyStoreError where it was moved, removed or replaced: keys that are made in it would be lost with this
        process, and whoever destroys keys would look for them elsewhere.
        """
        if _file_at(self.path) != self._file:
            raise KeyStoreError(
                f"{self.path}: the key store was moved, removed or replaced while it was in use. "
                "Mend: put it back in its place, or start the sidecar anew"
            )

    def wait_at_most(self, busy_s: float) -> None:
        """Wait no longer than that for another writer, from now on."""
        with self.reporting():
            self._connection.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}").fetchall()

    def try_writing(self) -> None:
        """Write something, to see whether new keys can be written. Raises KeyStoreError where they cannot."""
        with self.reporting():
            self._connection.execute("UPDATE state SET generation = generation")

    def day_key(self, tenant: str, day: str) -> bytes:
        """Give the key of a tenant's day, made now if there is none. It is written when this returns."""
        with self.reporting():
            return self._kept_or_new(
                "SELECT key FROM days WHERE tenant = ? AND day = ?",
                "INSERT OR IGNORE INTO days VALUES (?, ?, ?)",
                (tenant, day),
            )

    def subject_key(self, tenant: str, day: str, row: bytes) -> bytes:
        """Give the key of a subject of that day, made now if there is none. It is written when this returns."""
        with self.reporting():
            return self._kept_or_new(
                "SELECT key FROM subjects WHERE tenant = ? AND day = ? AND subject = ?",
                "INSERT OR IGNORE INTO subjects VALUES (?, ?, ?, ?)",
                (tenant, day, row),
            )

    def find_day_key(self, tenant: str, day: str) -> bytes | None:
        """Give the key of a tenant's day, None where there is none."""
        with self.reporting():
            found = self._connection.execute("SELECT key FROM days WHERE tenant = ? AND day = ?", (tenant, day))
            row = found.fetchone()
            return None if row is None else bytes(row[0])

    def find_subject_key(self, tenant: str, day: str, row: bytes) -> bytes | None:
        """Give the key of a subject of that day, None where there is none."""
        with self.reporting():
            place = (tenant, day, row)
            found = self._connection.execute(
                "SELECT key FROM subjects WHERE tenant = ? AND day = ? AND subject = ?", place
            ).fetchone()
            return None if found is None else bytes(found[0])

    def days(self, tenant: str) -> tuple[str, ...]:
        """List the days of a tenant of which there are keys, in order."""
        with self.reporting():
            found = self._connection.execute("SELECT day FROM days WHERE tenant = ? ORDER BY day", (tenant,))
            return tuple(str(day) for (day,) in found)

    def subject_keys(self, tenant: str, day: str) -> Iterator[bytes]:
        """Give the keys of all subjects of a day."""
        with self.reporting():
            found = self._connection.execute("SELECT key FROM subjects WHERE tenant = ? AND day = ?", (tenant, day))
            yield from (bytes(key) for (key,) in found)

    def version(self) -> int:
        """Give a number that changes when another connection has written."""
        with self.reporting():
            (found,) = self._connection.execute("PRAGMA data_version").fetchone()
            return int(found)

    def generation(self) -> int:
        """Give how often keys were destroyed: what was read before a change must not be used any more."""
        with self.reporting():
            (found,) = self._connection.execute("SELECT generation FROM state").fetchone()
            return int(found)

    def flush(self) -> None:
        """Make all keys durable. Waits for nobody."""
        with self.reporting():
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def scrub(self, *, within_s: float = BUSY_S) -> None:
        """Empty the write-ahead log, where keys that were deleted may still stand, and make that durable.

        Raises KeyStoreError where somebody reads for all of that time; the keys are deleted all the same.
        """
        until = monotonic() + within_s
        with self.reporting():
            while True:
                busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return
                if monotonic() > until:
                    raise KeyStoreError(
                        f"{self.path}: the keys are deleted, but another process reads the file, and its -wal "
                        "may still hold them. Mend: end what reads it, and run the command again"
                    )
                sleep(0.02)

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Make changes that are all done, durably, or not at all."""
        with self.reporting():
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Turn what SQLite says into an error that names the file."""
        try:
            yield
        except sqlite3.Error as error:
            raise KeyStoreError(f"{self.path}: {error}. Mend: check the file, its folder and the disk") from None

    def _kept_or_new(self, select: str, insert: str, place: tuple[str | bytes, ...]) -> bytes:
        while True:
            found = self._connection.execute(select, place).fetchone()
            if found is not None:
                return bytes(found[0])
            # Another process may be first, or a command may destroy it again: what is in the store counts.
            self._connection.execute(insert, (*place, os.urandom(KEY_BYTES)))


def open_store(path: Path, *, create: bool = False, apart_from: Path | None = None) -> KeyStore:
    """Open the store at `path`; with `create`, make it and its folder where there is none.

    `apart_from` is the place of the logs, within which it must not be: whoever copies or ships that would take the keys
    along. Raises KeyStoreError for such a place, for a file or a folder that others may enter, and for what is none.
    """
    path = path.absolute()
    if apart_from is not None and path.resolve().is_relative_to(apart_from.resolve()):
        raise KeyStoreError(
            f"{path}: within {apart_from}, where the logs are, so a copy of these would hold the keys. "
            "Mend: give the key store a folder of its own"
        )
    if path.exists():
        _check_modes(path)
        return KeyStore(path, _connect(path))
    if not create:
        raise KeyStoreError(f"{path}: there is no key store. Mend: name the file of `situs serve --key-store`")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path)
    except OSError as error:
        raise KeyStoreError(f"{path}: cannot be made: {error.strerror}. Mend: check the folder") from None
    return KeyStore(path, _connect(path))


def _create(path: Path) -> None:
    """Make the file whole under another name first, so that several processes that start at once get one store."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    os.close(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        connection = sqlite3.connect(scratch, isolation_level=None)
        try:
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.executescript(_SCHEMA)
        finally:
            connection.close()
        try:
            os.link(scratch, path)
        except FileExistsError:
            _check_modes(path)
    finally:
        scratch.unlink()


def _check_modes(path: Path) -> None:
    """Refuse what others may read. SQLite gives the files beside it the mode of the file itself."""
    for place in (path, path.with_name(f"{path.name}-wal"), path.parent):
        try:
            mode = place.stat().st_mode
        except FileNotFoundError:
            continue
        folder = place == path.parent
        if not folder and not stat.S_ISREG(mode):
            raise KeyStoreError(f"{place}: not a regular file. Mend: name the key store's file")
        # Names in a folder tell nothing, but who may write there may put another store in its place.
        forbidden = stat.S_IWGRP | stat.S_IWOTH if folder else _OTHERS
        if mode & forbidden:
            wanted = "0700" if folder else "0600"
            raise KeyStoreError(
                f"{place}: mode {stat.S_IMODE(mode):04o} lets others at the keys. "
                f"Mend: chmod {wanted.removeprefix('0')} {place}"
            )


def _file_at(path: Path) -> tuple[int, int] | None:
    """Tell one file from another; None where there is none that can be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    try:
        # Not by its path alone, by which SQLite would make a file that is not there.
        place = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(place, timeout=BUSY_S, isolation_level=None, check_same_thread=False, uri=True)
        (found,) = connection.execute("PRAGMA application_id").fetchone()
        if found != _APPLICATION:
            raise KeyStoreError(f"{path}: not a key store. Mend: name the file of `situs serve --key-store`")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON").fetchall()
        # No request waits for a checkpoint: a thread makes them.
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    except sqlite3.Error as error:
        raise KeyStoreError(f"{path}: {error}. Mend: name the file of `situs serve --key-store`") from None
    return connection
