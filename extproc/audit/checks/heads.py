"""Checkpoints that a root log has seen of other logs, held against those logs where they are here.

A head that is not the beginning of its log shows that the log was rolled back or forked after the root log saw it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from extproc.audit.checks.jobs import PART_ENTRIES, HeadOf, HeadsJob
from extproc.audit.checks.logs import LogCheck
from extproc.audit.checks.stated import contradiction
from extproc.audit.checks.trees import open_tiles
from extproc.audit.findings import Category, Finding, Findings
from extproc.engine import Engine
from extproc.ledger.checkpoint import Checkpoint, parse_checkpoint
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.log import LOG
from extproc.ledger.proofs import TileTree
from extproc.ledger.tiles import TILE_WIDTH, Tile, decode_entries, format_tile_path
from extproc.notes.errors import MalformedError, NoteError
from extproc.notes.note import open_note, parse_note


def check_heads(logs: Sequence[LogCheck], engine: Engine) -> Iterator[Finding]:
    """Hold the Head entries of all logs against the logs that they name."""
    named = {
        log.origin: HeadOf(log=log.files.name, size=log.size, published=log.published, keys=log.keys.all())
        for log in logs
        if log.checkpoint is not None
    }
    jobs = [
        HeadsJob(
            archive=log.archive,
            log=log.files.name,
            size=log.published,
            start=start,
            end=min(log.published, start + PART_ENTRIES),
            logs=named,
        )
        for log in logs
        for start in log.heads
        if start < log.published
    ]
    absent: dict[str, Absent] = {}
    for findings, not_here in engine.run(check_heads_of_part, jobs):
        yield from findings
        for each in not_here:
            if each.size >= absent.setdefault(each.origin, each).size:
                absent[each.origin] = each
    # Whoever runs a root log may judge it alone. With some of the logs at hand, the others should be there too.
    alone = not any(log.files.name not in {job.log for job in jobs} for log in logs)
    for each in absent.values():
        message = f"has seen {each.size} entries of {each.origin}, which is not here"
        category = Category.NOTE if alone else Category.INCOMPLETE
        yield Finding(category=category, message=message, file=each.file, entry=each.entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A log that is not here, and how much of it a root log has seen, in which entry."""

    origin: str
    size: int
    file: str
    entry: int


def check_heads_of_part(job: HeadsJob) -> tuple[list[Finding], list[Absent]]:
    """Check the heads of one part, and give those of logs that are not here. Raises ArchiveError."""
    findings = Findings(job.log or ".")
    absent: dict[str, Absent] = {}
    trees: dict[str, TileTree] = {}
    for index, note in _read_heads(job):
        try:
            stated = parse_checkpoint(parse_note(note).text)
            of = job.logs.get(stated.origin)
            if of is None:
                absent[stated.origin] = Absent(origin=stated.origin, size=stated.size, file=job.log or ".", entry=index)
                continue
            open_note(note, of.keys)
        except NoteError as error:
            findings.add(Category.INTEGRITY, f"head: {error}", entry=index)
            continue
        if stated.origin not in trees:
            trees[stated.origin] = open_tiles(job.archive, of.log, of.published)
        _compare(findings, index, stated, of, trees)
    return findings.all(), list(absent.values())


def _compare(findings: Findings, index: int, stated: Checkpoint, of: HeadOf, trees: Mapping[str, TileTree]) -> None:
    against = contradiction(stated, size=of.size, published=of.published, tiles=trees[stated.origin])
    if against is None:
        return
    name, origin = of.log or ".", stated.origin
    message = (
        f"has seen more of {origin} than there is: {name} was rolled back"
        if against.short
        else f"has seen another tree of {stated.size} entries of {origin} than {name} has: a fork"
    )
    findings.add(Category.INTEGRITY, message, entry=index, expected=against.expected, found=against.found)


def _read_heads(job: HeadsJob) -> Iterator[tuple[int, bytes]]:
    for start in range(job.start, job.end, TILE_WIDTH):
        width = min(TILE_WIDTH, job.size - start)
        tile = Tile(level=None, index=start // TILE_WIDTH, width=width)
        try:
            entries = decode_entries(job.archive.read(f"{job.log}/{LOG}/{format_tile_path(tile)}".lstrip("/")), width)
            for index, data in enumerate(entries, start):
                entry = parse_entry(data)
                if kind_of(entry) == "head":
                    yield index, entry.head.checkpoint
        except (FileNotFoundError, MalformedError):
            continue  # its own check has said so
