"""evidence.zip: whole logs, or chosen records with their proofs, in one file that needs nothing else.

Owns what goes in, and in which order. The same input gives the same bytes: there is no time and no chance in it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from extproc.archive import Archive
from extproc.audit.check_proof import ENTRY_SUFFIX, SELECTION, check_proof
from extproc.audit.findings import Verification
from extproc.audit.prove import Proof, prove_all
from extproc.audit.published import PublishedLog, covering_note, read_range
from extproc.audit.tlog_proof import SUFFIX
from extproc.audit.trust import Trust
from extproc.export import readme
from extproc.export.container import SUMS, Container
from extproc.export.csv_text import csv_lines
from extproc.export.dsse import IN_TOTO, seal_envelope
from extproc.export.otlp import framed, json_line, requests_of
from extproc.export.picked import PickedArchive, claimed_keys, pick_logs
from extproc.export.statement import Stated, StatedLog, format_statement
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.log import DELEGATIONS
from extproc.ledger.projection import entry_to_json
from extproc.ledger.publish import CHECKPOINT
from extproc.notes.errors import MalformedError, NoteError
from extproc.notes.keys import Signer
from extproc.parquet.context import Context
from extproc.parquet.database import Database
from extproc.parquet.extra import load_extra
from extproc.parquet.tabulate import Tabulator

SUMMARY: Final = "summary.json"
SIGNED_SUMMARY: Final = "summary.dsse.json"
SCHEMA: Final = "entry.binpb"
CLAIMED_VKEY: Final = "claimed.vkey"
"""Beside the entries of a log: its own word for its key. Not named as beside a log, or it would pass for one."""
PROJECTION: Final = "entries.jsonl"
_MALFORMED: Final = "malformed"


class Verify(Protocol):
    """Verifies what was picked."""

    def __call__(self, archive: Archive) -> Verification:
        """Give the result."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What goes in beside the evidence. `signer` signs the summary; None leaves it unsigned and without an envelope."""

    signer: Signer | None = None
    csv: bool = False
    otlp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written: entries that are in it, entry bundles that had been pruned, and the statement."""

    entries: int
    pruned_bundles: int
    statement: bytes


def export_logs(  # noqa: PLR0913 - what an export is made of, each by name
    archive: Archive,
    logs: Sequence[PublishedLog],
    out: Path,
    *,
    verify: Verify,
    trust: Trust,
    extras: Extras,
    tables: Callable[[PickedArchive], Database] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Exported:
    """Write whole logs into a zip file at `out`.

    What goes in is verified first, as whoever receives it will, and the result is in the summary whatever it is.
    `tables` makes the tables for `extras.csv`. `progress` is called with the number of entries written since the last
    call. Raises LedgerError, MalformedError, ArchiveError, MissingExtraError and OSError.
    """
    picked = pick_logs(archive, logs)
    found = verify(picked)
    with Container(out) as container:
        container.add(readme.README, readme.LOGS.encode())
        container.add(SCHEMA, _schema())
        for name in picked.names():
            container.add(name, picked.read(name))
            if progress is not None and "/tile/entries/" in f"/{name}":
                progress(256)
        if extras.csv and tables is not None:
            database = tables(picked)
            _add_csv(container, database)
            database.close()
        if extras.otlp:
            for number, log in enumerate(logs):
                _add_otlp(container, number, log.origin, partial(read_range, picked, log, 0, log.size))
        stated = Stated(
            kind="logs",
            program=f"situs {version('situs')}",
            logs=[
                StatedLog(
                    directory=each.directory,
                    origin=each.origin,
                    size=each.size,
                    root=each.root,
                    entries=each.kinds,
                    first_at_s=each.first_at_s,
                    last_at_s=each.last_at_s,
                )
                for each in found.logs
            ],
            result=found.result,
            authorship=bool(trust.roots),
            findings=Counter(each.category.value for each in found.findings),
            counts={**found.deliveries, "undelivered_decisions": found.undelivered, "pruned_bundles": picked.pruned},
            sums=container.add_sums(),
        )
        statement = _finish(container, stated, extras.signer)
    entries = sum(sum(each.kinds.values()) for each in found.logs)
    return Exported(entries=entries, pruned_bundles=picked.pruned, statement=statement)


def export_selection(  # noqa: PLR0913 - as above
    archive: Archive,
    chosen: Mapping[PublishedLog, Sequence[int]],
    out: Path,
    *,
    trust_for: Callable[[PublishedLog], Trust],
    authorship: bool,
    extras: Extras,
    progress: Callable[[int], None] | None = None,
) -> Exported:
    """Write chosen entries, by log, with their proofs into a zip file at `out`.

    Each proof is checked as whoever receives it will; what does not hold is counted in the summary and is in the file
    all the same. Raises as :func:`export_logs`.
    """
    failed: Counter[str] = Counter()
    stated: list[StatedLog] = []
    shown: list[bytes] = []
    tables: list[Tabulator] = []
    records: list[tuple[str, list[tuple[int, bytes]]]] = []
    with Container(out) as container:
        container.add(readme.README, readme.SELECTION.encode())
        container.add(SCHEMA, _schema())
        for name, data in sorted(claimed_keys(archive, list(chosen)).items()):
            container.add(name, data)
        for log, indices in sorted(chosen.items(), key=lambda item: item[0].name):
            tabulator, kept = Tabulator(log.name, log.origin, Context()), list[tuple[int, bytes]]()
            kinds: Counter[str] = Counter()
            for number, proof in enumerate(prove_all(archive, log, sorted(set(indices)))):
                _add_proof(container, proof, first=number == 0)
                failed.update(_check(proof, trust_for(log)))
                kinds[_kind(proof.entry)] += 1
                shown.append(_show(proof))
                tabulator.take(proof.index, proof.entry)
                kept.append((proof.index, proof.entry))
                if progress is not None:
                    progress(1)
            stated.append(_state(archive, log, kept, kinds))
            tables.append(tabulator)
            records.append((log.origin, kept))
        container.add(PROJECTION, b"".join(shown))
        if extras.csv:
            database = _database_of(tables)
            _add_csv(container, database)
            database.close()
        if extras.otlp:
            for number, (origin, kept) in enumerate(records):
                _add_otlp(container, number, origin, partial(iter, kept))
        statement = _finish(
            container,
            Stated(
                kind="selection",
                program=f"situs {version('situs')}",
                logs=stated,
                result="integrity" if failed["integrity"] else "trust" if failed["trust"] else "verified",
                authorship=authorship,
                findings=failed,
                counts={"proofs": len(shown)},
                sums=container.add_sums(),
            ),
            extras.signer,
        )
    return Exported(entries=len(shown), pruned_bundles=0, statement=statement)


def _schema() -> bytes:
    """Give the schema of entries in protobuf's own form, by which any `protoc` decodes them."""
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    return FileDescriptorSet(file=[file]).SerializeToString(deterministic=True)


def _finish(container: Container, stated: Stated, signer: Signer | None) -> bytes:
    """Add the summary, and its envelope where somebody signs it."""
    statement = format_statement(stated, sums_name=SUMS)
    container.add_unlisted(SUMMARY, statement)
    if signer is not None:
        container.add_unlisted(SIGNED_SUMMARY, seal_envelope(IN_TOTO, statement, signer))
    return statement


def _add_proof(container: Container, proof: Proof, *, first: bool) -> None:
    folder = f"{SELECTION}/{proof.log.name or proof.log.origin}"
    if first:
        container.add(f"{folder}/{CHECKPOINT}", proof.log.note)
        for name, data in ((CLAIMED_VKEY, proof.vkeys), (DELEGATIONS, proof.delegations)):
            if data:
                container.add(f"{folder}/{name}", data)
    container.add(f"{folder}/{proof.index}{ENTRY_SUFFIX}", proof.entry)
    container.add(f"{folder}/{proof.index}{SUFFIX}", proof.proof)


def _check(proof: Proof, trust: Trust) -> list[str]:
    """Check a proof, and give what it fails by: nothing, "trust" or "integrity"."""
    try:
        check_proof(proof.proof, proof.entry, trust, delegations=proof.delegations)
    except NoteError as error:
        return ["integrity" if isinstance(error, MalformedError) else "trust"]
    return []


def _state(
    archive: Archive, log: PublishedLog, kept: Sequence[tuple[int, bytes]], kinds: Mapping[str, int]
) -> StatedLog:
    times = [each for each in (_at_s(data) for _, data in kept) if each is not None]
    _, stated = covering_note(archive, log, max(index for index, _ in kept))
    return StatedLog(
        directory=log.name,
        origin=log.origin,
        size=stated.size,
        root=stated.root,
        entries=kinds,
        first_at_s=min(times, default=None),
        last_at_s=max(times, default=None),
    )


def _show(proof: Proof) -> bytes:
    place = {"log": proof.log.name, "index": proof.index}
    try:
        projected = entry_to_json(parse_entry(proof.entry))
    except (MalformedError, ValueError) as error:
        projected = {"kind": _MALFORMED, "reason": str(error)}
    return json.dumps({**place, **projected}, ensure_ascii=False).encode() + b"\n"


def _kind(data: bytes) -> str:
    try:
        return kind_of(parse_entry(data))
    except MalformedError:
        return _MALFORMED


def _at_s(data: bytes) -> float | None:
    try:
        at_s = parse_entry(data).at_s
    except MalformedError:
        return None
    return at_s if 0 <= at_s < 253_402_300_800 else None  # noqa: PLR2004 - the year 10000, which has no ISO form


def _database_of(tabulators: Sequence[Tabulator]) -> Database:
    """Put the tables of several logs together."""
    pa = load_extra("pyarrow")
    parts: dict[str, list[object]] = {}
    for tabulator in tabulators:
        for name, table in tabulator.tables().items():
            parts.setdefault(name, []).append(table)
    return Database({name: pa.concat_tables(tables) for name, tables in parts.items()})


def _add_csv(container: Container, database: Database) -> None:
    """Add each table that has rows as a file."""
    for name in database.tables():
        result = database.select(f'SELECT * FROM {name} ORDER BY log, "index"')  # noqa: S608 - our own names
        lines = csv_lines(result.columns, result.rows)
        header, first = next(lines), next(lines, None)
        if first is not None:
            container.add_pieces(f"csv/{name}.csv", _encoded(header, first, lines))


def _encoded(header: str, first: str, lines: Iterator[str]) -> Iterator[bytes]:
    yield (header + first).encode()
    for line in lines:
        yield line.encode()


def _add_otlp(
    container: Container, number: int, origin: str, entries: Callable[[], Iterator[tuple[int, bytes]]]
) -> None:
    """Add the entries of one log as log records, in both encodings."""
    name = f"otlp/{number:03}-{origin.rpartition('/')[2]}"
    container.add_pieces(f"{name}.jsonl", (json_line(each) for each in requests_of(origin, entries())))
    container.add_pieces(f"{name}.binpb", (framed(each) for each in requests_of(origin, entries())))
