"""Logs that have more to say than those of the ledger's tests: keys that change, keepers, witnesses, root logs."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ledger.world import IDENTITY, KEY, NOW_S, clock, config, decision

from extproc.audit.findings import Category, Verification
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from extproc.ledger.entries import close_to_entry, decision_to_entry
from extproc.ledger.housekeeping import Heartbeat, heartbeat_to_entry
from extproc.ledger.incarnation import LogIdentity, start_log
from extproc.ledger.log import LogWriter
from extproc.notes.keys import Signer, SigningKey, generate_key
from extproc.notes.note import (
    KeyType,
    Note,
    VerifierKey,
    format_note,
    format_vkey,
    make_cosignature,
    make_signature,
    parse_note,
)
from extproc.trust.delegation import Delegation, name_issuer, sign_delegation
from extproc.trust.tlog_policy import TrustPolicy, parse_tlog_policy

KEEPER = replace(IDENTITY, worker="keeper")
ROOT_LOG = replace(IDENTITY, node="roots", worker="root")
DAY_S = 86_400
START_S = int(NOW_S) - DAY_S


def messages(result: Verification, category: Category) -> list[str]:
    return [str(finding) for finding in result.findings if finding.category is category]


def begin(
    root: Path,
    *,
    key: Signer = KEY,
    identity: LogIdentity = IDENTITY,
    delegations: Sequence[bytes] = (),
    segment_bytes: int = 1 << 16,
) -> LogWriter:
    writer, lock = start_log(
        root,
        identity=identity,
        key=key,
        delegations=delegations,
        durability="fsync",
        program="1",
        clock=clock,
        segment_bytes=segment_bytes,
    )
    lock.release()
    return writer


def write(writer: LogWriter, entries: Iterable[bytes], *, batch: int = 100) -> None:
    waiting = list(entries)
    for start in range(0, len(waiting), batch):
        writer.append(waiting[start : start + batch])
    writer.sync()


def end(writer: LogWriter, *, at_s: float = NOW_S + 500) -> Path:
    writer.append([close_to_entry(at_s=at_s, reason="shutdown")])
    writer.close()
    return writer.directory


def decisions(first: int, last: int) -> list[bytes]:
    return [decision_to_entry(decision(n), sequence=n) for n in range(first, last + 1)]


def many(count: int) -> list[bytes]:
    """As many decisions, made quickly: ids and numbers are put into one record."""
    entry = pb.Entry.FromString(decision_to_entry(decision(1), sequence=1))
    made = []
    for n in range(1, count + 1):
        entry.decision.id = n.to_bytes(16)
        entry.decision.sequence = n
        made.append(entry.SerializeToString())
    return made


def beat(running_s: float, *, at_s: float | None = None) -> bytes:
    heartbeat = Heartbeat(sequence=0, running_s=running_s, free_bytes=1 << 30)
    return heartbeat_to_entry(heartbeat, at_s=NOW_S + running_s if at_s is None else at_s)


def one_act(root: Path, *entries: bytes) -> Path:
    """An incarnation of the keeper's log."""
    writer = begin(root, identity=KEEPER)
    write(writer, entries)
    return end(writer, at_s=NOW_S + 900)


def checkpoint_of(log: Path) -> Checkpoint:
    return parse_checkpoint(parse_note((log / "log/checkpoint").read_bytes()).text)


def delegate(issuer: SigningKey, name: str, key: Signer, *, from_s: int = START_S, days: int = 30) -> bytes:
    """The note by which `issuer`, under `name`, lets `key` sign this worker's logs."""
    by = issuer.verifier(name)
    made = Delegation(
        scope=IDENTITY.signer,
        key=VerifierKey(name=IDENTITY.signer, public=key.public),
        from_s=from_s,
        until_s=from_s + days * DAY_S,
        successors_until_s=from_s + 365 * DAY_S,
        issuer=name_issuer(by),
    )
    return sign_delegation(made, signer=issuer, issuer=by)


def rotated(root: Path, *, close: bool = True) -> tuple[Path, SigningKey, int]:
    """A log whose key changes in its middle; gives also the new key and where that is."""
    new = generate_key()
    writer = begin(root)
    write(writer, [config(), *decisions(1, 5)])
    at = writer.rotate(new, delegate(KEY, IDENTITY.signer, new), at_s=NOW_S + 6)
    write(writer, decisions(6, 9))
    if close:
        return end(writer), new, at
    writer.publish()
    writer.abandon()
    return writer.directory, new, at


def resign(log: Path, key: SigningKey, checkpoint: Checkpoint | None = None) -> None:
    """Put a checkpoint in the place of the published one, signed by `key`."""
    text = format_checkpoint(checkpoint or checkpoint_of(log))
    verifier = key.verifier(checkpoint_of(log).origin)
    note = Note(text=text, signatures=(make_signature(text, verifier, key.sign),))
    (log / "log/checkpoint").write_bytes(format_note(note))


class Witnesses:
    """Some witnesses, and the policy of which two must have seen a log."""

    def __init__(self, count: int = 3) -> None:
        self.keys = [generate_key() for _ in range(count)]
        self.names = [f"w{n}" for n in range(count)]

    def vkey(self, n: int) -> VerifierKey:
        return VerifierKey(name=f"witness.example/{n}", public=self.keys[n].public, type=KeyType.COSIGNATURE)

    def policy_text(self, *, needed: int = 2) -> str:
        lines = [f"log {format_vkey(KEY.verifier(IDENTITY.signer))}"]
        lines += [f"witness {name} {format_vkey(self.vkey(n))}" for n, name in enumerate(self.names)]
        return "\n".join([*lines, f"group enough {needed} {' '.join(self.names)}", "quorum enough", ""])

    def policy(self, *, needed: int = 2) -> TrustPolicy:
        return parse_tlog_policy(self.policy_text(needed=needed), file="policy")

    def cosign(self, note: bytes, by: Sequence[int], *, at_s: int) -> bytes:
        parsed = parse_note(note)
        made = [make_cosignature(parsed.text, self.vkey(n), self.keys[n].sign, at_s=at_s) for n in by]
        return format_note(replace(parsed, signatures=(*parsed.signatures, *made)))


def flip(path: Path, at: int) -> bytes:
    """Flip a bit of a file and give what it was."""
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    return data
