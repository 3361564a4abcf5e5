"""Checking what an export says of itself: its list of files, its summary, and who signed that.

Owns the judgement over SHA256SUMS, summary.json and summary.dsse.json, held against what was found in the logs. Nothing
of it proves a record: that the logs do themselves. It shows what was taken out, put in or changed since the export.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from extproc.archive import Archive
from extproc.audit.findings import Category, Finding, LogSummary
from extproc.export.container import SUMS
from extproc.export.dsse import IN_TOTO, open_envelope
from extproc.export.parts import SIGNED_SUMMARY, SUMMARY
from extproc.export.statement import PREDICATE
from extproc.notes.errors import MalformedError, SignatureError, UnknownSignerError

PROJECTIONS: Final = ("csv", "otlp")
"""Folders of what the exporter made of the records, for other programs."""
_DIGEST_DIGITS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Summary:
    """What the summary states: size and root of each log by its origin, and the hash of the list of files."""

    trees: Mapping[str, tuple[int, str]]
    sums: str


def check_export(archive: Archive, publics: Sequence[bytes], logs: Sequence[LogSummary]) -> Iterator[Finding]:
    """Check what an export says of itself, if `archive` is one, by public keys of 32 bytes. Raises ArchiveError."""
    if not archive.exists(SUMMARY):
        return
    data = archive.read(SUMMARY)
    signed, finding = _check_signature(archive, data, publics)
    yield finding
    try:
        summary = _read_summary(data)
    except MalformedError as error:
        yield Finding(category=Category.INTEGRITY, message=str(error), file=SUMMARY)
        return
    yield from _check_trees(summary, logs)
    yield from _check_sums(archive, summary, signed=signed)
    for folder in PROJECTIONS:
        if any(True for _ in archive.names(folder)):
            message = "what the exporter made of the records, for other programs; it was not held against them"
            yield Finding(category=Category.NOTE, message=message, file=folder)


def _check_signature(archive: Archive, data: bytes, publics: Sequence[bytes]) -> tuple[bool, Finding]:
    """Tell whether somebody trusted has signed the summary, and say so."""

    def found(category: Category, message: str, file: str = SIGNED_SUMMARY) -> Finding:
        return Finding(category=category, message=message, file=file)

    if not archive.exists(SIGNED_SUMMARY):
        return False, found(Category.NOTE, "is signed by nobody: it is the word of whoever handed it over", SUMMARY)
    try:
        envelope = open_envelope(archive.read(SIGNED_SUMMARY), publics)
    except UnknownSignerError as error:
        return False, found(Category.NOTE, f"is signed by no key that you gave, so it is nobody's word: {error}")
    except (MalformedError, SignatureError) as error:
        return False, found(Category.INTEGRITY, str(error))
    if envelope.type != IN_TOTO or envelope.payload != data:
        return False, found(Category.INTEGRITY, f"signs another summary than {SUMMARY}")
    return True, found(Category.NOTE, f"{SUMMARY} is signed by a key that you gave")


def _read_summary(data: bytes) -> _Summary:
    """Read what is held against the files. Raises MalformedError."""
    try:
        statement: dict[str, Any] = json.loads(data)
        if statement["predicateType"] != PREDICATE:
            raise MalformedError(f"a statement of another kind: {statement['predicateType']!r}")
        trees = {str(log["origin"]): (int(log["size"]), str(log["root"])) for log in statement["predicate"]["logs"]}
        sums = [str(each["digest"]["sha256"]) for each in statement["subject"] if each["name"] == SUMS]
        (digest,) = sums
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedError(f"no summary of an export: {type(error).__name__}") from None
    return _Summary(trees=trees, sums=digest)


def _check_trees(summary: _Summary, logs: Sequence[LogSummary]) -> Iterator[Finding]:
    """Hold the logs that are here against those that the summary states."""
    here = {log.origin: (log.size, log.root.hex()) for log in logs}
    for origin, stated in summary.trees.items():
        found = here.get(origin)
        if found is None:
            message = f"states {stated[0]} entries of {origin}, which is not here"
            yield Finding(category=Category.INTEGRITY, message=message, file=SUMMARY)
        elif found != stated:
            message = f"states another tree of {origin} than there is"
            expected, other = (f"{size} {root}" for size, root in (stated, found))
            yield Finding(category=Category.INTEGRITY, message=message, file=SUMMARY, expected=expected, found=other)


def _check_sums(archive: Archive, summary: _Summary, *, signed: bool) -> Iterator[Finding]:
    """Hold every file against the list of files, and the list against the summary."""

    def wrong(message: str, file: str) -> Finding:
        return Finding(category=Category.INTEGRITY, message=message, file=file)

    try:
        data = archive.read(SUMS)
    except FileNotFoundError:
        yield wrong("is missing", SUMS)
        return
    if sha256(data).hexdigest() != summary.sums:
        yield wrong(f"is not the list that {SUMMARY} names", SUMS)
        return
    listed: set[str] = set()
    for line in data.decode(errors="replace").splitlines():
        digest, name = line[:_DIGEST_DIGITS], line[_DIGEST_DIGITS + 2 :]
        listed.add(name)
        try:
            content = archive.read(name)
        except FileNotFoundError:
            yield wrong(f"is missing, and {SUMS} lists it", name)
            continue
        if sha256(content).hexdigest() != digest:
            yield wrong(f"is not the file that {SUMS} lists", name)
    added = [name for name in archive.names() if name not in listed and name not in (SUMS, SUMMARY, SIGNED_SUMMARY)]
    if added:
        # Time-stamps may well have been added since. But nobody should take them for what was signed.
        message = f"{len(added)} files that {SUMS} does not list were added since, {added[0]} the first of them"
        yield Finding(category=Category.NOTE, message=message, file=SUMMARY if not signed else SIGNED_SUMMARY)
