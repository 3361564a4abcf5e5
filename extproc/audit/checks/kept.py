"""Checkpoints that an auditor kept from before, held against the logs as they are now.

A log shows that nobody changed it after signing, not that its owner never signed another one, nor that the last log of
a worker is here at all. Whoever keeps a checkpoint now and then finds both, without a witness.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from extproc.audit.checks.logs import LogCheck
from extproc.audit.checks.stated import contradiction
from extproc.audit.checks.trees import open_tiles
from extproc.audit.findings import Category, Finding
from extproc.ledger.checkpoint import Checkpoint, parse_checkpoint
from extproc.notes.errors import NoteError
from extproc.notes.note import open_note, parse_note


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A signed checkpoint as the auditor kept it, and the file that it is in."""

    file: str
    note: bytes

    @property
    def checkpoint(self) -> Checkpoint:
        """What it states. Raises MalformedError."""
        return parse_checkpoint(parse_note(self.note).text)


def check_kept(kept: Sequence[Kept], logs: Sequence[LogCheck]) -> Iterator[Finding]:
    """Hold each checkpoint against the log that it names. Raises MalformedError for one that is none."""
    by_origin = {log.origin: log for log in logs}
    for each in kept:
        stated = each.checkpoint
        log = by_origin.get(stated.origin)
        if log is None:
            message = f"is of {stated.origin} with {stated.size} entries, which is not here"
            yield Finding(category=Category.INCOMPLETE, message=message, file=each.file)
            continue
        try:
            open_note(each.note, log.keys.all())
        except NoteError as error:
            # What nobody signed says nothing against a log; that it was kept for nothing, the auditor should hear.
            yield Finding(category=Category.TRUST, message=str(error), file=each.file)
            continue
        yield from _compare(each.file, stated, log)


def _compare(file: str, stated: Checkpoint, log: LogCheck) -> Iterator[Finding]:
    tiles = open_tiles(log.archive, log.files.name, log.published)
    against = contradiction(stated, size=log.size, published=log.published, tiles=tiles)
    if against is None:
        return
    name, origin = log.files.shown, stated.origin
    message = (
        f"states more of {origin} than there is: {name} was set back"
        if against.short
        else f"states another tree of {stated.size} entries of {origin} than {name} has: a fork"
    )
    yield Finding(
        category=Category.INTEGRITY, message=message, file=file, expected=against.expected, found=against.found
    )
