"""Logs against each other: each Genesis names the end of the log before."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from extproc.audit.checks.clocks import CLOCK_STEP_S
from extproc.audit.checks.logs import LogCheck
from extproc.audit.findings import Category, Tally
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.log import QUARANTINED

_INCARNATION: Final = re.compile(r"(?P<worker>.+)/(?P<number>[0-9]{6})-[0-9a-f]{8}", re.ASCII)
"""The name of a log whose worker counts its processes. Where names are made otherwise, no number is missing."""


def check_linkage(logs: Sequence[LogCheck]) -> None:
    """Hold each log's name, beginning and end against its neighbours'."""
    # Whoever names the folder of one log wants that one judged; in a folder of logs all should be there.
    alone = len(logs) == 1 and not logs[0].files.name
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
            _check_previous(log, genesis.previous, by_origin, alone=alone)
    _check_numbers(logs, followers, alone=alone)


def _check_numbers(logs: Sequence[LogCheck], followers: Mapping[str, LogCheck], *, alone: bool) -> None:
    """Say where a worker's logs, which are numbered, show that another one was there: before, beside or after."""
    numbered = {log.origin: _number(log.origin) for log in logs}
    present = {number for number in numbered.values() if number is not None}
    first: dict[tuple[str, int], LogCheck] = {}
    for log in logs:
        named = numbered[log.origin]
        if named is None:
            continue
        worker, number = named
        begins = log.genesis is not None and not log.genesis.HasField("previous")
        if begins and number > 1:
            log.findings.add(
                Category.INCOMPLETE, f"says nothing of the log before it, and is number {number} of {worker}", entry=0
            )
        elif log.genesis is None and number > 1 and (worker, number - 1) not in present and not alone:
            log.findings.add(Category.INCOMPLETE, f"the log before, number {number - 1} of {worker}, is not here")
        other = first.setdefault(named, log)
        if begins and other is not log and other.origin != log.origin:
            message = f"{worker} begins here, and begins in {other.files.shown} too: a lost disk, or a twin"
            log.findings.add(Category.NOTE, message, entry=0)
        # A recovery ends in Recovered and Close, and goes on in a log of its own.
        taken_over = log.edge.closed and log.recovered[-1:] == [log.size - 2]
        if taken_over and log.origin not in followers and (worker, number + 1) not in present:
            log.findings.add(
                Category.NOTE if alone else Category.INCOMPLETE,
                "a later process recovered this log, and its own log is not here",
                entry=log.recovered[-1],
            )


def _number(origin: str) -> tuple[str, int] | None:
    match = _INCARNATION.fullmatch(origin)
    return None if match is None else (match["worker"], int(match["number"]))


def _check_previous(log: LogCheck, previous: pb.Previous, by_origin: Mapping[str, LogCheck], *, alone: bool) -> None:
    """Hold what a Genesis says of the log before against that log."""
    _check_order(log, previous.origin)
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
    _check_times(before, log)


def _check_order(log: LogCheck, before: str) -> None:
    """Refuse a log that skips one of its worker's, by their numbers."""
    ours, theirs = _number(log.origin), _number(before)
    if ours is None or theirs is None or ours == (theirs[0], theirs[1] + 1):
        return
    message = f"continues {before}, which is not the log before it"
    log.findings.add(Category.INTEGRITY, message, entry=0, expected=f"number {ours[1] - 1} of {ours[0]}")


def _check_times(before: LogCheck, log: LogCheck) -> None:
    """Say where a log begins before the one that it continues ended, by the clock of its machine."""
    if not log.spans or not before.spans:
        return
    by_s = before.edge.at_s - log.spans[0].earliest_s
    if by_s > CLOCK_STEP_S:
        log.tallies[Tally.CLOCK_STEPS] += 1
        message = (
            f"begins {by_s:.1f} s before the end of {before.files.shown}, which it continues: the clock was set back"
        )
        log.findings.add(Category.NOTE, message, entry=0)


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
