"""Logs of given sizes for the judges: real entries, a change of keys, cosignatures, and the key of an organisation."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from ledger.world import IDENTITY, NOW_S, config, decision

from extproc.ledger.checkpoint import Checkpoint, format_checkpoint
from extproc.ledger.entries import close_to_entry, decision_to_entry, genesis_to_entry
from extproc.ledger.housekeeping import Heartbeat, heartbeat_to_entry
from extproc.ledger.log import LOG, WAL, WITNESSED, LogWriter
from extproc.ledger.merkle import EMPTY_ROOT
from extproc.ledger.publish import CHECKPOINT, Publisher
from extproc.ledger.signing import admit
from extproc.notes.keys import SigningKey, generate_key
from extproc.notes.note import (
    KeyType,
    Note,
    VerifierKey,
    format_note,
    format_vkey,
    make_cosignature,
    parse_note,
    sign_note,
)
from extproc.trust.delegation import Delegation, name_issuer, sign_delegation

SIZES: Final = (0, 1, 255, 256, 257, 65_537, 200_000)
NAME: Final = "000001-0123abcd"
ORIGIN: Final = IDENTITY.origin(NAME)
ORGANISATION: Final = "acme/test"
NOW: Final = int(NOW_S)
DAY: Final = 86_400
_BATCH: Final = 8192
_DECISIONS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A log that was made: its folder, and the keys that a judge is told."""

    folder: Path
    size: int
    log_key: VerifierKey
    """The key that signs the published checkpoint, under the name of the log: the last one."""
    retired: tuple[SigningKey, ...]
    """The keys before it, oldest first."""
    organisation: VerifierKey
    witnesses: tuple[VerifierKey, ...]
    policy: Path
    """The tlog-policy file: this log, and both witnesses."""
    kept: bytes
    """A checkpoint of the first third of the log, as somebody has kept it: signed by the first key, not cosigned."""

    @property
    def log(self) -> Path:
        return self.folder / LOG

    @property
    def vkey(self) -> str:
        return format_vkey(self.log_key)

    @property
    def witness_vkeys(self) -> list[str]:
        return [format_vkey(key) for key in self.witnesses]


class Logs(Protocol):
    """Gives the log of a size. It is shared: who spoils it works on a copy."""

    def __call__(self, size: int) -> Made: ...


class Keys:
    """The private keys of a test: the organisation's, two of the log, two witnesses'."""

    def __init__(self) -> None:
        self.organisation = generate_key()
        self.first = generate_key()
        self.second = generate_key()
        self.witnesses = (generate_key(), generate_key())

    @property
    def witness_names(self) -> tuple[VerifierKey, ...]:
        return tuple(
            VerifierKey(name=f"witness{number}.example", public=key.public, type=KeyType.COSIGNATURE)
            for number, key in enumerate(self.witnesses, 1)
        )


def make_log(root: Path, size: int, keys: Keys) -> Made:
    """Write a log of `size` entries in a folder of its own below `root`, published and witnessed."""
    folder = root / NAME
    (folder / WAL).mkdir(parents=True)
    (folder / LOG).mkdir()
    issued = delegate(keys.organisation.verifier(ORGANISATION), keys.organisation, keys.first)
    admit(folder, origin=ORIGIN, key=keys.first, delegations=(issued,))
    nothing = _publish_nothing(folder, keys.first)
    last, kept, seen = _write(folder, size, keys, nothing) if size else (keys.first, nothing, nothing)
    named = last.verifier(ORIGIN)
    (folder / WITNESSED).write_bytes(cosign(seen, keys))
    policy = root / "policy"
    policy.write_text(format_policy(named, keys.witness_names))
    return Made(
        folder=folder,
        size=size,
        log_key=named,
        retired=() if last is keys.first else (keys.first,),
        organisation=keys.organisation.verifier(ORGANISATION),
        witnesses=keys.witness_names,
        policy=policy,
        kept=kept,
    )


def cosign(note: bytes, keys: Keys) -> bytes:
    """Add the cosignatures of both witnesses to a checkpoint."""
    signed = parse_note(note)
    cosigned = [
        make_cosignature(signed.text, name, key.sign, at_s=NOW + number)
        for number, (name, key) in enumerate(zip(keys.witness_names, keys.witnesses, strict=True))
    ]
    return format_note(Note(text=signed.text, signatures=(*signed.signatures, *cosigned)))


def format_policy(log: VerifierKey, witnesses: tuple[VerifierKey, ...]) -> str:
    """Write the tlog-policy by which the log is trusted when all witnesses have cosigned."""
    # The Go implementations ask for an address of each witness, also of those who only verify.
    named = [f"witness w{n} {format_vkey(key)} https://{key.name}/" for n, key in enumerate(witnesses, 1)]
    members = " ".join(f"w{n}" for n, _ in enumerate(witnesses, 1))
    return "\n".join([f"log {format_vkey(log)}", *named, f"group everyone all {members}", "quorum everyone", ""])


def _publish_nothing(folder: Path, key: SigningKey) -> bytes:
    """Publish the checkpoint of an empty tree, which has no tiles."""
    text = format_checkpoint(Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT))
    publisher = Publisher(folder / LOG, folder / "scratch")
    note = sign_note(text, key.verifier(ORIGIN), key.sign)
    publisher.write_checkpoint(note)
    return note


def _write(folder: Path, size: int, keys: Keys, nothing: bytes) -> tuple[SigningKey, bytes, bytes]:
    """Write and publish `size` entries, the keys changed in the middle.

    Gives the key that signed last, a checkpoint of the first third, and that before the last entry: `nothing` where
    there is none.
    """
    writer = LogWriter(folder, origin=ORIGIN, key=keys.first)
    last, kept, seen = keys.first, nothing, nothing
    middle = size // 2
    made = _entries(size - 1 if middle else size)
    if middle:
        kept = _publish(writer, islice(made, size // 3))
        _append(writer, islice(made, middle - size // 3))
        delegation = delegate(keys.first.verifier(IDENTITY.signer), keys.first, keys.second)
        writer.rotate(keys.second, delegation, at_s=_at_s(middle))
        last = keys.second
        seen = _publish(writer, islice(made, size - middle - 2))
    _append(writer, made)
    writer.close()
    writer.abandon()
    return last, kept, seen


def _publish(writer: LogWriter, entries: Iterator[bytes]) -> bytes:
    """Write entries, publish them, and give the checkpoint."""
    _append(writer, entries)
    writer.publish()
    return (writer.directory / LOG / CHECKPOINT).read_bytes()


def _append(writer: LogWriter, entries: Iterator[bytes]) -> None:
    """Write entries in large batches, flushed seldom."""
    while batch := list(islice(entries, _BATCH)):
        writer.append(batch)


def _entries(size: int) -> Iterator[bytes]:
    """Give the entries of a log of `size`: a Genesis, a configuration, decisions, signs of life, and a Close."""
    yield genesis_to_entry(at_s=NOW_S, origin=ORIGIN, durability="fsync", program="1")
    if size > 1:
        yield config()
    decisions = min(_DECISIONS, size - 3)
    for number in range(1, decisions + 1):
        yield decision_to_entry(decision(number), sequence=number)
    for index in range(decisions + 2, size - 1):
        beat = Heartbeat(sequence=decisions, running_s=_at_s(index) - NOW_S, free_bytes=1 << 40)
        yield heartbeat_to_entry(beat, at_s=_at_s(index))
    if size > 2:
        yield close_to_entry(at_s=_at_s(size - 1), reason="shutdown")


def _at_s(index: int) -> float:
    """When an entry is made: decisions come each second, signs of life each ten."""
    return NOW_S + min(index, _DECISIONS + 1) - 1 + 10 * max(0, index - _DECISIONS - 1)


def delegate(
    issuer: VerifierKey, signer: SigningKey, to: SigningKey, *, scope: str = IDENTITY.signer, from_s: int = NOW - DAY
) -> bytes:
    """Let a key sign the logs of a worker, as `issuer`."""
    given = Delegation(
        scope=scope,
        key=to.verifier(scope),
        from_s=from_s,
        until_s=NOW + 30 * DAY,
        successors_until_s=NOW + 365 * DAY,
        issuer=name_issuer(issuer),
    )
    return sign_delegation(given, signer=signer, issuer=issuer)
