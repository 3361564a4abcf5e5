"""One log's folder, as the one who asks witnesses reads it.

Owns the way to the checkpoint, to proofs, and to the file `witnessed`: the latest checkpoint with enough cosignatures.
"""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident
from typing import Final

from extproc.ledger.checkpoint import Checkpoint
from extproc.ledger.disk import sync_directory
from extproc.ledger.errors import LedgerError, ProofError
from extproc.ledger.log import LOG, WITNESSED
from extproc.ledger.merkle import verify_consistency
from extproc.ledger.proofs import TileTree
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.readback import LogReader
from extproc.ledger.signing import DELEGATIONS, LOG_VKEY
from extproc.notes.errors import NoteError
from extproc.notes.keys import load_vkeys
from extproc.notes.note import parse_note
from extproc.witness.request import parse_head

_INCARNATION: Final = re.compile(r"[0-9]{6}-[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLog:
    """The log in `directory`, which holds `log/`."""

    directory: Path

    def checkpoint(self) -> bytes:
        """Give the published checkpoint, a note. Raises FileNotFoundError."""
        return (self.directory / LOG / CHECKPOINT).read_bytes()

    def proof_for(self, old: int, head: Checkpoint) -> Sequence[bytes]:
        """Make the proof that the first `old` entries are the beginning of `head`, and check that it leads there.

        So a proof that a witness refuses says something of the witness's tree, and nothing of our disk. Raises
        FileNotFoundError, and LedgerError or MalformedError when the tiles are not those of `head`.
        """
        tree = TileTree(lambda name: (self.directory / LOG / name).read_bytes(), head.size)
        proof = tree.consistency(old)
        try:
            verify_consistency(old, tree.root(old), head.size, head.root, proof)
        except ProofError:
            raise LedgerError(
                f"{self.directory / LOG}: the tiles are not those of its checkpoint; run `situs audit verify` on it"
            ) from None
        return proof

    def delegations(self) -> bytes:
        """Give the file of delegations; empty where there is none."""
        try:
            return (self.directory / DELEGATIONS).read_bytes()
        except FileNotFoundError:
            return b""

    def witnessed(self) -> Checkpoint | None:
        """Give the latest checkpoint with enough cosignatures, as the file has it; None where it is not to be read."""
        try:
            return parse_head(parse_note((self.directory / WITNESSED).read_bytes()).text)
        except (FileNotFoundError, NoteError):
            return None

    def write_witnessed(self, note: bytes) -> None:
        """Replace that file, whole or not at all, unless it holds a larger tree. Durable. Raises OSError."""
        last = self.witnessed()
        if last is not None and last.size > parse_head(parse_note(note).text).size:
            return
        # The sidecar and an operator's command may write at once: each has a scratch file of its own.
        scratch = self.directory / f".{WITNESSED}.{os.getpid()}.{get_ident()}"
        with scratch.open("wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self.directory / WITNESSED)
        sync_directory(self.directory)

    def durable(self, origin: str) -> int:
        """Give the number of entries that are good in the write-ahead log: what is published may be made again of it.

        After a loss of power, tiles and checkpoint may be older than what was durable.
        """
        try:
            reader = LogReader(self.directory, origin, load_vkeys(self.directory / LOG_VKEY))
        except (OSError, NoteError, LedgerError):
            return 0
        # What is good before something bad still counts.
        with suppress(OSError, NoteError, LedgerError):
            reader.scan()
        return reader.good.size


def last_log(worker: Path) -> Path | None:
    """Give the folder of a worker's last log, which a new process must find whole; None where there is none."""
    if not worker.is_dir():
        return None
    names = sorted(path.name for path in worker.iterdir() if _INCARNATION.fullmatch(path.name))
    return worker / names[-1] if names else None


def logs_below(folder: Path) -> list[Path]:
    """Give the folders of all logs at or below `folder`, by name: those with a published checkpoint."""
    return sorted(path.parent.parent for path in folder.rglob(f"{LOG}/{CHECKPOINT}"))
