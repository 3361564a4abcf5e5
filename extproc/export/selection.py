"""A selection: chosen records, each with the proof that it was logged, in one file that needs nothing else.

Owns its layout: `entries/<log>/<index>.entry` beside `<index>.tlog-proof`. It cannot show that there are no others.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

from extproc.archive import Archive
from extproc.audit.check_proof import ENTRY_SUFFIX, SELECTION, check_proof
from extproc.audit.check_shown import PROJECTION
from extproc.audit.handout import project
from extproc.audit.prove import Proof, prove_all
from extproc.audit.published import PublishedLog, covering_note
from extproc.audit.tlog_proof import SUFFIX
from extproc.audit.trust import Trust
from extproc.export import readme
from extproc.export.container import Container
from extproc.export.parts import SCHEMA, Exported, Extras, add_csv, add_otlp, finish, schema_bytes
from extproc.export.picked import claimed_keys
from extproc.export.statement import Stated, StatedLog
from extproc.extra import load_extra
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.log import DELEGATIONS
from extproc.ledger.publish import CHECKPOINT
from extproc.notes.errors import MalformedError, NoteError
from extproc.parquet.context import Context
from extproc.parquet.database import Database
from extproc.parquet.tabulate import Tabulator

CLAIMED_VKEY: Final = "claimed.vkey"
"""Beside the entries of a log: its own word for its key. Not named as beside a log, or it would pass for one."""
_MALFORMED: Final = "malformed"


def export_selection(  # noqa: PLR0913 - what an export is made of, each by name
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
        container.add(SCHEMA, schema_bytes())
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
            add_csv(container, database)
            database.close()
        if extras.otlp:
            for number, (origin, kept) in enumerate(records):
                add_otlp(container, number, origin, partial(iter, kept))
        statement = finish(
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
    return json.dumps({**place, **project(proof.entry)}, ensure_ascii=False).encode() + b"\n"


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
