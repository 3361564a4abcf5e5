"""What witnesses have seen of a log: that they saw this very log, that they are enough, and how long ago.

Only a witness shows that a log's owner never signed another one. A log that ended is witnessed through the next: the
Genesis there names its size and root.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from extproc.audit.checks.jobs import Signed
from extproc.audit.checks.logs import LogCheck
from extproc.audit.checks.notes import NoteReader
from extproc.audit.checks.rotations import root_at
from extproc.audit.findings import Category, Witnessed
from extproc.audit.trust import Trust
from extproc.ledger.checkpoint import Checkpoint, parse_checkpoint
from extproc.ledger.log import WITNESSED
from extproc.notes.errors import NoteError
from extproc.trust.tlog_policy import NONE, TrustPolicy, open_cosigned

LATE_S: Final = 3600.0
"""A sidecar asks the witnesses each second, so only outages and later deeds leave so much between."""


def check_witnesses(logs: Sequence[LogCheck], trust: Trust) -> Mapping[str, Witnessed]:
    """Check what witnesses have cosigned of each log; give it by the log's folder."""
    found: dict[str, Witnessed] = {}
    seen: set[str] = set()
    for log in logs:
        witnessed, enough = _check(log, trust)
        if witnessed is not None:
            found[log.files.name] = witnessed
        if enough:
            seen.add(log.origin)
    if trust.policy is not None and trust.policy.quorum != NONE:
        _check_all_seen(logs, seen)
    return found


def _check(log: LogCheck, trust: Trust) -> tuple[Witnessed | None, bool]:
    """Check the witnessed head of one log; also tell whether the quorum has seen it, and in time."""
    path = log.path(WITNESSED)
    try:
        note = log.archive.read(path)
    except FileNotFoundError:
        return None, False
    try:
        checkpoint, times = _open(log, note, path, trust.policy)
    except NoteError as error:
        log.findings.add(Category.INTEGRITY, str(error), file=path)
        return None, False
    if not _consistent(log, checkpoint, path):
        return None, False
    policy = trust.policy
    if policy is None:
        return Witnessed(size=checkpoint.size, cosigned_at_s={}, age_s=None), False
    if not policy.satisfied_by(times.keys()):
        log.findings.add(
            Category.TRUST,
            "too few witnesses have cosigned it",
            file=path,
            expected=f"the quorum {policy.quorum}",
            found=", ".join(sorted(times)) or "none",
        )
        return Witnessed(size=checkpoint.size, cosigned_at_s=times, age_s=None), False
    age_s = None
    if times and log.edge.at_s:
        # At a tree of all entries there is nothing that they have not seen.
        age_s = 0.0 if checkpoint.size == log.size else max(0.0, log.edge.at_s - _quorum_at_s(policy, times))
        _check_late(log, checkpoint, _quorum_at_s(policy, times), path)
    limit_s = trust.witnessed_within_s
    if limit_s is not None and (age_s is None or age_s > limit_s):
        log.findings.add(
            Category.TRUST,
            "the witnesses have not seen the end of the log in time",
            file=path,
            entry=checkpoint.size,
            expected=f"{limit_s:g} s or less before the last entry",
            found="no time" if age_s is None else f"{age_s:.0f} s",
        )
    return Witnessed(size=checkpoint.size, cosigned_at_s=times, age_s=age_s), True


def _open(log: LogCheck, note: bytes, path: str, policy: TrustPolicy | None) -> tuple[Checkpoint, Mapping[str, int]]:
    """Read the note and verify the log's own signature and the witnesses'. Raises NoteError."""
    notes = NoteReader(log.keys.all())
    checkpoint, ids = notes.open(note, path)
    log.signatures += notes.signatures
    size = checkpoint.size
    log.signed += [Signed(key_id=each, first=size, last=size, file=path) for each in ids]
    if not ids:
        if log.untrusted is None and notes.untrusted is not None:
            log.findings.take(notes.untrusted)
        return checkpoint, {}
    if policy is None:
        return checkpoint, {}
    opened = open_cosigned(note, policy, log.keys.all())
    log.signatures += len(opened.signatures) - len(ids)
    return parse_checkpoint(opened.text), policy.cosigned(opened)


def _consistent(log: LogCheck, checkpoint: Checkpoint, path: str) -> bool:
    """Refuse a witnessed tree that is not the beginning of this log: it was rolled back, or is another."""
    if checkpoint.origin != log.origin:
        message, expected, found = "witnesses have seen another log", log.origin, checkpoint.origin
    elif checkpoint.size > log.size:
        message = "witnesses have seen more entries than there are: the log was rolled back"
        expected, found = f"{checkpoint.size} entries", str(log.size)
    else:
        root = root_at(log, checkpoint.size)
        if root is None or root == checkpoint.root:
            return True
        message = f"witnesses have seen another tree of {checkpoint.size} entries: the log was forked"
        expected, found = checkpoint.root.hex(), root.hex()
    log.findings.add(Category.INTEGRITY, message, file=path, expected=expected, found=found)
    return False


def _check_late(log: LogCheck, checkpoint: Checkpoint, at_s: float, path: str) -> None:
    """Say where all was seen only long after it was made: what was written later with old times looks the same."""
    after_s = at_s - log.edge.at_s
    if checkpoint.size == log.size and after_s > LATE_S:
        message = f"the witnesses have seen this only {after_s / 3600:,.1f} h after its last entry was made"
        log.findings.add(Category.NOTE, message, file=path)


def _quorum_at_s(policy: TrustPolicy, times: Mapping[str, int]) -> float:
    """Give the latest time by which the quorum had cosigned this tree."""
    names: set[str] = set()
    for name, at_s in sorted(times.items(), key=lambda each: each[1]):
        names.add(name)
        if policy.satisfied_by(names):
            return at_s
    return 0.0


def _check_all_seen(logs: Sequence[LogCheck], seen: set[str]) -> None:
    """Say of which logs the quorum has seen neither themselves nor one that follows them."""
    before = {log.origin: log.genesis.previous.origin for log in logs if log.genesis is not None}
    through: set[str] = set()
    for each in seen:
        origin = each
        while origin and origin not in through:
            through.add(origin)
            origin = before.get(origin, "")
    for log in logs:
        if log.origin not in through and not log.archive.exists(log.path(WITNESSED)):
            message = "the quorum has seen neither this log nor one that follows it"
            log.findings.add(Category.TRUST, message, expected=f"{WITNESSED} beside it", found="none")
