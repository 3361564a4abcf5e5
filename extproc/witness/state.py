"""What a witness remembers, in one SQLite file: each log's latest checkpoint, forks that it was shown, delegations.

Owns durability. A transaction is on the disk when :meth:`State.transaction` ends, and not before the file system says
so; two at once come one after the other, from threads or from processes. What may be remembered is for
:mod:`extproc.witness.witness`.

The file and the witness's key belong together: the key with an older copy of the file would cosign a second history.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from extproc.ledger.disk import sync_directory
from extproc.ledger.merkle import EMPTY_ROOT
from extproc.witness.errors import StateError

_FORKS_KEPT: Final = 100
"""Most forks kept of one log: the first is the proof, and a broken log must not fill the disk."""
_BUSY_S: Final = 5.0
_HEADS: Final = "SELECT origin, size, root, note, cosigned_at_s FROM head"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS witness (one INTEGER PRIMARY KEY CHECK (one = 1), vkey TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS head (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL,
    cosigned_at_s INTEGER NOT NULL, origin_hash TEXT NOT NULL UNIQUE, rooted INTEGER NOT NULL DEFAULT -1
);
CREATE INDEX IF NOT EXISTS unrooted ON head (origin) WHERE size > rooted;
CREATE TABLE IF NOT EXISTS fork (
    origin TEXT NOT NULL, size INTEGER NOT NULL, cosigned BLOB NOT NULL, refused BLOB NOT NULL, at_s INTEGER NOT NULL,
    UNIQUE (origin, refused)
);
CREATE TABLE IF NOT EXISTS delegations (scope TEXT PRIMARY KEY, until_s INTEGER NOT NULL, notes BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The latest cosigned checkpoint of a log. `note` bears the log's signatures and the witness's; empty for none."""

    origin: str
    size: int = 0
    root: bytes = EMPTY_ROOT
    note: bytes = b""
    cosigned_at_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Two checkpoints of one size and different roots, both signed by the log: proof that it has two histories."""

    origin: str
    size: int
    cosigned: bytes
    refused: bytes
    at_s: int


class State:
    """An open state file. Every method may be called from any thread."""

    def __init__(self, path: Path, *, vkey: str | None) -> None:
        """Open the file, or make it. `vkey` is the witness's own key; None to read what another process keeps.

        Raises StateError.
        """
        self._lock = threading.Lock()
        self._path = path
        try:
            if vkey is None:
                self._database = _connect(f"{path.absolute().as_uri()}?mode=ro")
            else:
                self._database = _connect(f"{path.absolute().as_uri()}?mode=rwc")
                # Every commit waits for the disk, and readers do not wait for it.
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = FULL")
                self._database.executescript(_SCHEMA)
                self._claim(vkey)
                # The name of a new file must be as durable as what is in it.
                sync_directory(path.absolute().parent)
            self._database.execute("SELECT 1 FROM head LIMIT 1")
        except (sqlite3.Error, OSError) as error:
            raise StateError(f"{path}: cannot be used as a witness's state: {error}") from None

    def close(self) -> None:
        """Close the file, after whatever runs."""
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        """Read and change in one step, alone. Durable at the end; nothing has happened if it raises.

        Raises StateError when the disk does not take it.
        """
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    yield Transaction(self._database)
                    self._database.execute("COMMIT")
                finally:
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise StateError(f"{self._path}: cannot be written: {error}") from None

    def latest(self, origin: str) -> Latest:
        """Give the latest cosigned checkpoint of a log."""
        rows = self._read(f"{_HEADS} WHERE origin = ?", origin)
        return _to_latest(rows[0]) if rows else Latest(origin=origin)

    def latest_by_hash(self, origin_hash: str) -> Latest | None:
        """Give that of the log whose origin has this SHA-256, in hex; None for no such log."""
        rows = self._read(f"{_HEADS} WHERE origin_hash = ?", origin_hash)
        return _to_latest(rows[0]) if rows else None

    def all_latest(self) -> list[Latest]:
        """Give the latest cosigned checkpoint of every log, by origin."""
        return [_to_latest(row) for row in self._read(f"{_HEADS} ORDER BY origin")]

    def unrooted(self) -> list[Latest]:
        """Give those that have grown since the root log took them up."""
        return [_to_latest(row) for row in self._read(f"{_HEADS} WHERE size > rooted ORDER BY origin")]

    def count(self) -> tuple[int, int]:
        """Give the number of logs, and of forks kept."""
        ((logs, forks),) = self._read("SELECT (SELECT count(*) FROM head), (SELECT count(*) FROM fork)")
        return logs, forks

    def forks(self) -> list[Fork]:
        """Give every fork that is kept, oldest first."""
        return [
            Fork(origin=origin, size=size, cosigned=cosigned, refused=refused, at_s=at_s)
            for origin, size, cosigned, refused, at_s in self._read(
                "SELECT origin, size, cosigned, refused, at_s FROM fork ORDER BY rowid"
            )
        ]

    def describe(self) -> dict[str, list[dict[str, str | int]]]:
        """Give what may be seen of all logs, as JSON has it."""
        heads: list[dict[str, str | int]] = [
            {"origin": each.origin, "size": each.size, "root": each.root.hex(), "cosigned_at_s": each.cosigned_at_s}
            for each in self.all_latest()
        ]
        forks: list[dict[str, str | int]] = [{"origin": fork.origin, "size": fork.size} for fork in self.forks()]
        return {"heads": heads, "forks": forks}

    def delegations(self) -> dict[str, bytes]:
        """Give the files of delegations, by the scope of the last one in each."""
        return dict(self._read("SELECT scope, notes FROM delegations ORDER BY scope"))

    def _read(self, query: str, *values: str) -> list[Any]:
        with self._lock:
            try:
                return self._database.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise StateError(f"{self._path}: cannot be read: {error}") from None

    def _claim(self, vkey: str) -> None:
        with self.transaction() as transaction:
            owner = transaction.claim(vkey)
        if owner != vkey:
            self._database.close()
            raise StateError(
                f"{self._path}: belongs to the witness {owner}, not to {vkey}; give each key a state of its own"
            )


class Transaction:
    """What can be done in one step."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def claim(self, vkey: str) -> str:
        """Give the key to which this state belongs: `vkey` from now on, if it belonged to none."""
        self._database.execute("INSERT OR IGNORE INTO witness VALUES (1, ?)", (vkey,))
        (owner,) = self._database.execute("SELECT vkey FROM witness").fetchone()
        return str(owner)

    def latest(self, origin: str) -> Latest:
        """Give the latest cosigned checkpoint of a log."""
        row = self._database.execute(f"{_HEADS} WHERE origin = ?", (origin,)).fetchone()
        return Latest(origin=origin) if row is None else _to_latest(row)

    def put(self, latest: Latest) -> None:
        """Replace the latest cosigned checkpoint of a log."""
        self._database.execute(
            "INSERT INTO head (origin, size, root, note, cosigned_at_s, origin_hash) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note, "
            "cosigned_at_s = excluded.cosigned_at_s",
            (*astuple(latest), sha256(latest.origin.encode()).hexdigest()),
        )

    def put_fork(self, fork: Fork) -> None:
        """Keep a fork, unless many of that log are kept already."""
        (kept,) = self._database.execute("SELECT count(*) FROM fork WHERE origin = ?", (fork.origin,)).fetchone()
        if kept < _FORKS_KEPT:
            self._database.execute(
                "INSERT OR IGNORE INTO fork VALUES (?, ?, ?, ?, ?)",
                (fork.origin, fork.size, fork.cosigned, fork.refused, fork.at_s),
            )

    def put_rooted(self, latest: Latest) -> None:
        """Remember that the root log has taken up a checkpoint."""
        self._database.execute(
            "UPDATE head SET rooted = ? WHERE origin = ? AND rooted < ?", (latest.size, latest.origin, latest.size)
        )

    def put_delegations(self, scope: str, notes: bytes, *, until_s: int) -> bool:
        """Keep a file of delegations unless the kept one lasts longer; tell whether it is kept."""
        cursor = self._database.execute(
            "INSERT INTO delegations VALUES (?, ?, ?) ON CONFLICT (scope) DO UPDATE "
            "SET until_s = excluded.until_s, notes = excluded.notes WHERE excluded.until_s >= until_s",
            (scope, until_s, notes),
        )
        return cursor.rowcount > 0


def _connect(uri: str) -> sqlite3.Connection:
    # Transactions are begun and ended by us alone, in whatever thread holds the lock.
    return sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)


def _to_latest(row: tuple[str, int, bytes, bytes, int]) -> Latest:
    origin, size, root, note, cosigned_at_s = row
    return Latest(origin=origin, size=size, root=root, note=note, cosigned_at_s=cosigned_at_s)
