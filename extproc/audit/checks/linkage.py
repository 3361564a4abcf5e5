"""Logs against each other: each Genesis names the end of the log before."""

from collections.abc import Mapping, Sequence

from extproc.audit.checks.logs import LogCheck
from extproc.audit.findings import Category
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.log import QUARANTINED


def check_linkage(logs: Sequence[LogCheck]) -> None:
    """Hold each log's name, beginning and end against its neighbours'."""
    by_origin: dict[str, LogCheck] = {}
    for log in logs:
        first = by_origin.setdefault(log.origin, log)
        if first is not log:
            message = f"has the origin of {first.files.shown}: a fork"
            log.findings.add(Category.INTEGRITY, message, found=log.origin)
    followers: dict[str, LogCheck] = {}
    for log in logs:
        genesis = log.genesis
        if genesis is None:
            continue
        if genesis.origin != log.origin:
            message = "the Genesis is that of another log"
            log.findings.add(Category.INTEGRITY, message, entry=0, expected=log.origin, found=genesis.origin)
        if genesis.HasField("previous"):
            other = followers.setdefault(genesis.previous.origin, log)
            if other is not log and other.origin != log.origin:
                message = f"continues {genesis.previous.origin}, as {other.files.shown} does: a fork"
                log.findings.add(Category.INTEGRITY, message, entry=0)
            _check_previous(log, genesis.previous, by_origin, alone=len(logs) == 1)


def _check_previous(log: LogCheck, previous: pb.Previous, by_origin: Mapping[str, LogCheck], *, alone: bool) -> None:
    """Hold what a Genesis says of the log before against that log."""
    before = by_origin.get(previous.origin)
    if before is None:
        message = f"the log before, {previous.origin} with {previous.size} entries, is not here"
        log.findings.add(Category.NOTE if alone else Category.INCOMPLETE, message, entry=0)
        return
    stated = f"{previous.size} {previous.root.hex()}"
    found = f"{before.size} {before.root.hex()}"
    if previous.state == "quarantined":
        message = f"the log before was found corrupt at that start: {previous.reason}"
        before.findings.add(Category.INTEGRITY, message)
    elif stated != found:
        message = f"does not end as {log.files.shown} found it"
        before.findings.add(Category.INTEGRITY, message, expected=stated, found=found)


def check_end(log: LogCheck) -> None:
    """Say how a log ended: set aside as corrupt, or not at all."""
    try:
        reason = log.archive.read(log.path(QUARANTINED)).decode(errors="replace").strip()
    except FileNotFoundError:
        if not log.edge.closed:
            message = "no Close: its process runs, or was killed and nothing has recovered the log yet"
            log.findings.add(Category.NOTE, message)
        return
    message = f"a later process found this log corrupt and set it aside: {reason}"
    log.findings.add(Category.INTEGRITY, message)
