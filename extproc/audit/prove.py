"""Proving that one entry was logged: the entry's bytes, and a proof of inclusion that stands by itself.

Owns finding the entry and making its proof. What is handed out with it is for :mod:`extproc.audit.handout`, and the
check, which trusts none of this, for :mod:`extproc.audit.check_proof`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from extproc.archive import Archive
from extproc.audit.check_proof import check_selection
from extproc.audit.published import (
    PublishedLog,
    covering_note,
    find_published,
    read_bundle,
    tree_of,
)
from extproc.audit.tlog_proof import TlogProof, format_tlog_proof
from extproc.core.ids import DecisionId
from extproc.engine import Engine, SerialEngine
from extproc.ledger.entries import parse_entry
from extproc.ledger.errors import LedgerError
from extproc.ledger.ids import id_to_bytes
from extproc.ledger.log import DELEGATIONS, LOG_VKEY
from extproc.ledger.merkle import leaf_hash, verify_inclusion
from extproc.ledger.proofs import TileTree
from extproc.ledger.tiles import TILE_WIDTH
from extproc.notes.errors import MalformedError

__all__ = ["NotFoundError", "Place", "Proof", "check_selection", "find_entry", "prove", "prove_all"]

_STEP: Final = 64
"""Bundles that one search reads: 16,384 entries."""
_DECISION: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class NotFoundError(LedgerError):
    """There is no such entry here; the message has the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an entry stands."""

    log: PublishedLog
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One entry and all that proves it. `delegations` and `vkeys` are the files beside the log, empty where none are.

    Both are claims of whoever keeps the log: what they are worth, the auditor's own keys tell.
    """

    log: PublishedLog
    index: int
    size: int
    entry: bytes
    proof: bytes
    delegations: bytes
    vkeys: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """A job: look for the decision `wanted` in some bundles of a log."""

    archive: Archive
    log: PublishedLog
    bundles: range
    wanted: bytes


def find_entry(
    archive: Archive,
    target: str,
    *,
    engine: Engine | None = None,
    progress: Callable[[int], None] | None = None,
) -> Place:
    """Find an entry by the id of its decision, or as `LOG:INDEX`, where LOG is the log's folder or its origin.

    `progress` is called with the number of entries searched since the last call. Raises NotFoundError, ArchiveError and
    MalformedError.
    """
    logs = find_published(archive)
    if not logs:
        raise NotFoundError(f"{archive.location}: no published log here. Mend: name the folder that holds the logs")
    if _DECISION.fullmatch(target):
        return _find_decision(archive, logs, DecisionId(target), engine or SerialEngine(), progress)
    name, colon, number = target.rpartition(":")
    if not colon or not number.isascii() or not number.isdigit():
        raise NotFoundError(f"{target}: neither a decision's UUID nor LOG:INDEX, such as node-1/0/000001-5f3a90c2:17")
    for log in logs:
        if name in (log.name, log.origin):
            if int(number) >= log.size:
                raise NotFoundError(f"{target}: the published log holds entries 0 to {log.size - 1}")
            return Place(log=log, index=int(number))
    raise NotFoundError(f"{name}: no such log here; there are {', '.join(log.name or log.origin for log in logs)}")


def prove(archive: Archive, place: Place) -> Proof:
    """Make the proof of one entry. Raises ProofError, MalformedError, ArchiveError and NotFoundError."""
    (proof,) = prove_all(archive, place.log, [place.index])
    return proof


def prove_all(archive: Archive, log: PublishedLog, indices: Sequence[int]) -> Iterator[Proof]:
    """Make the proofs of entries of one log, reading each tile once; ascending indices also read each bundle once.

    Each proof is checked against the root of its checkpoint before it is given: raises ProofError where the files
    contradict each other, NotFoundError for an entry that was pruned, MalformedError and ArchiveError.
    """
    tree = tree_of(archive, log)
    delegations, vkeys = (_read_if_there(archive, log.path(name)) for name in (DELEGATIONS, LOG_VKEY))
    at, bundle = -1, list[bytes]()
    for index in indices:
        if index // TILE_WIDTH != at:
            at = index // TILE_WIDTH
            try:
                bundle = read_bundle(archive, log, at)
            except FileNotFoundError:
                raise NotFoundError(f"{log.name or log.origin}: entry {index} is not here: it was pruned") from None
        entry = bundle[index % TILE_WIDTH]
        size, proof = _prove(archive, log, tree, index, entry)
        yield Proof(log=log, index=index, size=size, entry=entry, proof=proof, delegations=delegations, vkeys=vkeys)


def _prove(archive: Archive, log: PublishedLog, tree: TileTree, index: int, entry: bytes) -> tuple[int, bytes]:
    note, stated = covering_note(archive, log, index)
    hashes = tuple(tree.inclusion(index, stated.size))
    verify_inclusion(leaf_hash(entry), index, stated.size, hashes, stated.root)
    return stated.size, format_tlog_proof(TlogProof(index=index, hashes=hashes, checkpoint=note))


def _find_decision(
    archive: Archive,
    logs: Sequence[PublishedLog],
    decision: DecisionId,
    engine: Engine,
    progress: Callable[[int], None] | None,
) -> Place:
    jobs = [
        _Search(
            archive=archive,
            log=log,
            bundles=range(start, min(start + _STEP, -(-log.size // TILE_WIDTH))),
            wanted=id_to_bytes(decision),
        )
        for log in logs
        for start in range(0, -(-log.size // TILE_WIDTH), _STEP)
    ]
    for job, found in zip(jobs, engine.run(_search, jobs), strict=True):
        if found is not None:
            return Place(log=job.log, index=found)
        if progress is not None:
            progress(len(job.bundles) * TILE_WIDTH)
    entries = sum(log.size for log in logs)
    raise NotFoundError(f"{decision}: no decision with this id among {entries} entries of {len(logs)} logs")


def _search(job: _Search) -> int | None:
    """Give the index of the decision, None where it is not in these bundles."""
    for number in job.bundles:
        try:
            entries = read_bundle(job.archive, job.log, number)
        except FileNotFoundError:
            continue
        for offset, data in enumerate(entries):
            # Only what holds the sixteen bytes at all is worth parsing.
            if job.wanted in data and _decision_of(data) == job.wanted:
                return number * TILE_WIDTH + offset
    return None


def _decision_of(data: bytes) -> bytes:
    try:
        return parse_entry(data).decision.id
    except MalformedError:
        return b""


def _read_if_there(archive: Archive, name: str) -> bytes:
    return archive.read(name) if archive.exists(name) else b""
