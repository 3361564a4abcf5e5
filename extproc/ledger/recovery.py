"""Recovery: how the log of a process that is gone gets its end.

Owns what becomes of a log, by what :mod:`extproc.ledger.readback` finds in it. A log that ends with its own Close is
left as it is. One that just stops is checked frame by frame, cut behind its last good frame when the rest is a torn
write, and closed. Anything else is corruption, which is evidence: nothing of that log is written or removed, and a mark
beside it says why.
"""

from collections.abc import Sequence
from pathlib import Path

from extproc.ledger.entries import Previous, close_to_entry, kind_of, parse_entry, recovered_to_entry
from extproc.ledger.errors import LedgerError
from extproc.ledger.log import LOG, LOG_VKEY, QUARANTINED, Clock, LogWriter
from extproc.ledger.readback import LogReader, Scan, published_checkpoint
from extproc.ledger.restore import RESTORED, Restoration
from extproc.ledger.signing import admit
from extproc.ledger.tiles import TILE_WIDTH, Tile, decode_entries, format_tile_path
from extproc.ledger.wal import SHORT_SEGMENT_BYTES
from extproc.notes.errors import NoteError
from extproc.notes.keys import Signer, load_vkeys
from extproc.notes.note import VerifierKey


def settle(  # noqa: PLR0913 - what a log needs, each by name
    directory: Path,
    *,
    origin: str,
    key: Signer,
    clock: Clock,
    segment_bytes: int,
    delegations: Sequence[bytes] = (),
) -> Previous:
    """See to it that the log in `directory` has an end, and describe that end. Raises OSError.

    `key` signs that end, whichever key signed before; `delegations` are what makes it believed.
    """
    ended = _ended(directory, origin)
    if ended is not None:
        return ended
    restoration = Restoration(directory / LOG, directory / RESTORED)
    keys = (*_listed_keys(directory), VerifierKey(name=origin, public=key.public))
    reader = LogReader(directory, origin, keys, restoration.take)
    try:
        found = reader.scan()
    except (LedgerError, NoteError) as error:
        restoration.drop()
        (directory / QUARANTINED).write_text(f"{error}\n", encoding="utf-8")
        good = reader.good
        return Previous(origin=origin, size=good.size, root=good.root(), state="quarantined", reason=str(error))
    # What comes is two entries, not another segment's worth.
    writer = LogWriter(directory, origin=origin, key=key, segment_bytes=min(segment_bytes, SHORT_SEGMENT_BYTES))
    try:
        resume(writer, found)
        if found.last_kind != "close":
            admit(directory, origin=origin, key=key, delegations=delegations)
            recovered = recovered_to_entry(
                at_s=clock(), size=found.size, segment=found.segment.name, offset=found.offset, cut=found.cut
            )
            writer.append([recovered, close_to_entry(at_s=clock(), reason="recovery")])
        restoration.adopt()
        writer.close()
    finally:
        writer.abandon()
    state = "closed" if found.last_kind == "close" else "recovered"
    return Previous(origin=origin, size=writer.size, root=writer.root(), state=state)


def resume(writer: LogWriter, found: Scan) -> None:
    """Bring a writer to the end of what was found good, so that it goes on from there; a torn write is cut."""
    writer.resume(found.segment, found.offset, found.flushed, tree=found.tree, tiles=found.tiles, note=found.note)


def _listed_keys(directory: Path) -> tuple[VerifierKey, ...]:
    try:
        return load_vkeys(directory / LOG_VKEY)
    except FileNotFoundError:
        return ()


def _ended(directory: Path, origin: str) -> Previous | None:
    """Describe the end of a log whose published form is complete; None where it has to be read back first.

    The last checkpoint is published when everything else is durable, so one that covers a Close is proof enough here;
    an auditor checks it all.
    """
    try:
        checkpoint = published_checkpoint(directory, origin, load_vkeys(directory / LOG_VKEY))
        if checkpoint is None or checkpoint.size == 0:
            return None
        index, last = divmod(checkpoint.size - 1, TILE_WIDTH)
        bundle = directory / LOG / format_tile_path(Tile(level=None, index=index, width=last + 1))
        entry = decode_entries(bundle.read_bytes(), last + 1)[last]
        if kind_of(parse_entry(entry)) != "close":
            return None
    except (LedgerError, NoteError, OSError):
        return None
    return Previous(origin=origin, size=checkpoint.size, root=checkpoint.root, state="closed")
