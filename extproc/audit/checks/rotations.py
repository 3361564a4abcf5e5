"""Whose key signed which trees of a log: changes of keys, retired keys, and the times in which each might sign."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from extproc.audit.checks.logs import LogCheck
from extproc.audit.checks.trees import open_tiles
from extproc.audit.findings import Category, KeyEpoch
from extproc.ledger.checkpoint import Checkpoint, parse_checkpoint
from extproc.ledger.entries import parse_entry
from extproc.ledger.housekeeping import KeyRotation, rotation_from_entry
from extproc.notes.errors import MalformedError, NoteError
from extproc.notes.note import VerifierKey, open_note
from extproc.trust.chain import EpochKey
from extproc.trust.delegation import Delegation, covers, format_time, read_delegation

SLACK_S = 5.0
"""So much may lie between the making of an entry and its signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A change of keys that holds: trees of more than `entry` entries are signed by `new`, smaller ones by `old`."""

    entry: int
    old: VerifierKey
    new: VerifierKey


def check_keys(log: LogCheck) -> tuple[KeyEpoch, ...]:
    """Check every change of keys, who signed what, and when; give the reigns of the keys as far as they are known."""
    found = [_check_rotation(log, entry, data) for entry, data in log.rotations]
    rotations = [each for each in found if each is not None]
    _check_signed(log, rotations)
    by_id = {each.key.key_id: each for each in log.keys.epochs}
    epochs: list[KeyEpoch] = []
    for span_first, key_id in _reigns(log, rotations):
        epoch = by_id.get(key_id)
        if epoch is not None:
            epochs.append(
                KeyEpoch(
                    key=key_id.hex(),
                    first=span_first,
                    from_s=None if epoch.from_s == -inf else epoch.from_s,
                    until_s=None if epoch.until_s == inf else epoch.until_s,
                )
            )
    _check_windows(log, dict(_reigns(log, rotations)), by_id)
    return tuple(epochs)


def _check_rotation(log: LogCheck, entry: int, data: bytes) -> Rotation | None:
    """Check one KeyRotation: that the old key gave way to the new one here, over this tree, and both have signed."""

    def wrong(message: str, expected: str = "", found: str = "") -> Rotation | None:
        log.findings.add(Category.INTEGRITY, message, entry=entry, expected=expected, found=found)
        return None

    try:
        rotation = rotation_from_entry(parse_entry(data))
        delegation = read_delegation(rotation.delegation)
    except MalformedError as error:
        return wrong(f"key rotation: {error}")
    found = _find_keys(log, delegation)
    if found is None:
        if log.untrusted is None:
            message = f"key rotation: {delegation.issuer} or the key that it delegates to is not trusted for this log"
            log.findings.add(Category.TRUST, message, entry=entry)
        return None
    old, new = found
    if not covers(delegation.scope, log.origin):
        return wrong("key rotation: the new key is for other logs", log.origin, delegation.scope)
    try:
        open_note(rotation.delegation, [VerifierKey(name=delegation.issuer.rpartition("+")[0], public=old.public)])
        stated = _open_by_both(rotation, old, new)
    except NoteError as error:
        return wrong(f"key rotation: {error}")
    if stated.origin != log.origin or stated.size != entry:
        return wrong(
            "key rotation: the checkpoint is not of the tree before it",
            f"{log.origin} {entry}",
            f"{stated.origin} {stated.size}",
        )
    root = root_at(log, entry)
    if root is not None and root != stated.root:
        return wrong("key rotation: the checkpoint has another root", root.hex(), stated.root.hex())
    return Rotation(entry=entry, old=old, new=new)


def _find_keys(log: LogCheck, delegation: Delegation) -> tuple[VerifierKey, VerifierKey] | None:
    """Find the issuer and the delegate among the keys of the log, under its name."""
    name, _, key_id = delegation.issuer.rpartition("+")
    keys = log.keys.all()
    old = next((key for key in keys if VerifierKey(name=name, public=key.public).key_id.hex() == key_id), None)
    new = next((key for key in keys if key.public == delegation.key.public), None)
    return None if old is None or new is None else (old, new)


def _open_by_both(rotation: KeyRotation, old: VerifierKey, new: VerifierKey) -> Checkpoint:
    """Open the checkpoint that both keys must have signed. Raises NoteError."""
    opened = open_note(rotation.checkpoint, [old, new])
    signers = {each.key_id for each in opened.signatures}
    for key, which in ((old, "old"), (new, "new")):
        if key.key_id not in signers:
            raise MalformedError(f"the checkpoint is not signed by the {which} key {key.key_id.hex()}")
    return parse_checkpoint(opened.text)


def root_at(log: LogCheck, size: int) -> bytes | None:
    """Give the root of the first `size` entries of a log; None where its tiles do not give it."""
    if size == log.size and log.root_known:
        return log.root
    if size > log.published:
        return None
    try:
        return open_tiles(log.archive, log.files.name, log.published).root(size)
    except (FileNotFoundError, MalformedError):
        return None


def _check_signed(log: LogCheck, rotations: list[Rotation]) -> None:
    """Refuse signatures of keys that were retired before, or began only later."""
    for signed in log.signed:
        for rotation in rotations:
            if signed.key_id == rotation.old.key_id and signed.last > rotation.entry:
                message = (
                    f"a tree of {signed.last} entries is signed by a key that was retired at entry {rotation.entry}"
                )
            elif signed.key_id == rotation.new.key_id and signed.first <= rotation.entry:
                message = (
                    f"a tree of {signed.first} entries is signed by a key that began only at entry {rotation.entry}"
                )
            else:
                continue
            log.findings.add(Category.TRUST, message, file=signed.file, entry=rotation.entry, found=signed.key_id.hex())


def _reigns(log: LogCheck, rotations: list[Rotation]) -> Iterator[tuple[int, bytes]]:
    """Give from which entry on which key signed: from the start, each rotation, and where another took over."""
    first = rotations[0].old.key_id if rotations else next((each.key_id for each in log.signed[::-1]), None)
    early = min(log.signed, key=lambda each: each.first, default=None)
    if not rotations and early is not None and (not log.recovered or early.first <= log.recovered[-1]):
        first = early.key_id
    if first is not None:
        yield 0, first
    for rotation in rotations:
        yield rotation.entry, rotation.new.key_id
    late = max(log.signed, key=lambda each: each.last, default=None)
    if log.recovered and late is not None:
        # Who found the log without its end signed that end, by whatever key that process had.
        yield log.recovered[-1], late.key_id


def _check_windows(log: LogCheck, reigns: Mapping[int, bytes], by_id: Mapping[bytes, EpochKey]) -> None:
    """Hold the times of entries against the window of the key that reigned over them."""
    for span in log.spans:
        begun = [first for first in reigns if first <= span.first]
        epoch = by_id.get(reigns[max(begun)]) if begun else None
        if epoch is None:
            continue
        for at_s, entry, outside in (
            (span.earliest_s, span.earliest, span.earliest_s < epoch.from_s - SLACK_S),
            (span.latest_s, span.latest, span.latest_s >= epoch.until_s + SLACK_S),
        ):
            if outside:
                log.findings.add(
                    Category.TRUST,
                    f"made when the key that signed it, {epoch.key.key_id.hex()}, might not sign",
                    entry=entry,
                    expected=f"{_time(epoch.from_s)} until {_time(epoch.until_s)}",
                    found=_time(at_s),
                )


def _time(at_s: float) -> str:
    if at_s in (-inf, inf):
        return "any time"
    try:
        return format_time(int(at_s))
    except (OverflowError, ValueError):
        return f"{at_s} s"
