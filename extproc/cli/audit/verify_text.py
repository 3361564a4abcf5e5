"""A verification for people, and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Console

from extproc.audit.findings import Acknowledged, Category, LogSummary, Tally, Verification
from extproc.cli.audit.terminal import words
from extproc.core.delivery import Finding as Reconciled

_SHOWN: Final = 50
"""Most findings that are printed of one category; --json gives them all."""
_COLOURS: Final = {
    Category.INTEGRITY: "bold red",
    Category.TRUST: "bold red",
    Category.VIOLATION: "bold red",
    Category.INCOMPLETE: "yellow",
    Category.NOTE: "dim",
}


def print_verification(result: Verification, took_s: float) -> None:
    """Print what was checked, log by log, then what was found and the result."""
    console = Console()
    for log in result.logs:
        console.print(words(log.origin or log.directory, style="bold"), soft_wrap=True)
        for line in _describe(log):
            console.print(words(f"  {line}"), soft_wrap=True)
    if result.deliveries or result.undelivered:
        found = ", ".join(f"{count:,} {finding}" for finding, count in sorted(result.deliveries.items()))
        different = sum(result.deliveries.get(each.value, 0) for each in Reconciled if each.is_violation)
        line = (
            f"deliveries: {found or 'none'}; {result.undelivered:,} decisions of which Envoy reported nothing; "
            f"{different:,} differences between intent and fact"
        )
        console.print(words(line), soft_wrap=True)
    for category in Category:
        findings = [finding for finding in result.findings if finding.category is category]
        for finding in findings[:_SHOWN]:
            console.print(words(f"{category.value}: ", style=_COLOURS[category]) + words(str(finding)), soft_wrap=True)
            for each in result.acknowledgements_of(finding):
                said = f"  acknowledged by {each.by}, {_time(each.at_s)}: {each.reason}"
                console.print(words(said), soft_wrap=True)
        if len(findings) > _SHOWN:
            console.print(words(f"{category.value}: and {len(findings) - _SHOWN:,} more; --json gives all"))
    entries = sum(log.size for log in result.logs)
    verdict = words(result.result.upper(), style="bold green" if result.worst is None else _COLOURS[result.worst])
    console.print(words("RESULT ") + verdict + words(f"  ({entries:,} entries in {took_s:.1f} s)"))


def verification_to_json(result: Verification) -> dict[str, object]:
    """Give a result as an object of JSON."""
    return {
        "result": result.result,
        "exit_status": result.exit_status,
        "logs": [_log_to_json(log) for log in result.logs],
        "deliveries": dict(result.deliveries),
        "undelivered": result.undelivered,
        "findings": [
            {
                "category": finding.category.value,
                "file": finding.file,
                "entry": finding.entry,
                "message": finding.message,
                "expected": finding.expected,
                "found": finding.found,
                **_acknowledgements_to_json(result.acknowledgements_of(finding)),
            }
            for finding in result.findings
        ],
    }


def _acknowledgements_to_json(given: Sequence[Acknowledged]) -> dict[str, object]:
    """Say who has looked at a violation; nothing where nobody has."""
    if not given:
        return {}
    told = [
        {
            "by": each.approved_by,
            "at_s": each.at_s,
            "reason": each.reason,
            "finding": each.finding,
            "decision": each.decision,
            "recorded_in": each.recorded_in,
        }
        for each in given
    ]
    return {"acknowledged": told}


def _describe(log: LogSummary) -> Iterator[str]:
    """Say in lines what is known of a log."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(log.kinds.items()))
    between = "" if log.first_at_s is None else f", from {_time(log.first_at_s)} to {_time(log.last_at_s)}"
    yield f"{log.size:,} entries ({kinds or 'none was read'}){between}"
    yield f"root {log.root.hex()}, signed by key {', '.join(log.signed_by) or 'none trusted'}"
    for epoch in log.epochs:
        if epoch.from_s is not None or epoch.until_s is not None or len(log.epochs) > 1:
            window = f"may sign from {_time(epoch.from_s)} until {_time(epoch.until_s)}"
            yield f"key {epoch.key} from entry {epoch.first:,}; {window}"
    yield (
        f"{log.entries_hashed:,} entries hashed again, {log.tiles:,} tiles and {log.frames:,} batches compared, "
        f"{log.signatures:,} signatures verified, {'closed' if log.closed else 'open'}"
    )
    if log.witnessed is not None:
        names = ", ".join(sorted(log.witnessed.cosigned_at_s)) or "nobody that you named"
        age = "" if log.witnessed.age_s is None else f", {log.witnessed.age_s:,.0f} s before the last entry"
        yield f"witnessed at {log.witnessed.size:,} entries by {names}{age}"
    counts = [f"{_tally(log.tallies, tally):,} {words}" for tally, words in _WORDS.items()]
    erasures = f"{log.kinds.get('erasure', 0):,} erasures of {_tally(log.tallies, Tally.KEYS_ERASED):,} keys"
    yield ", ".join((*counts, erasures, f"{log.pruned:,} entries pruned"))


_WORDS: Final = {
    Tally.SEQUENCE_HOLES: "sequence holes",
    Tally.HEARTBEAT_GAPS: "heartbeat gaps",
    Tally.CLOCK_STEPS: "clock steps",
    Tally.LOST_ENTRIES: "entries not recorded",
    Tally.RELEASED_UNRECORDED: "of them released",
}


def _tally(tallies: Mapping[str, int], tally: Tally) -> int:
    return tallies.get(tally.value, 0)


def _time(at_s: float | None) -> str:
    if at_s is None:
        return "any time"
    try:
        return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, OSError, ValueError):
        return f"{at_s} s"


def _log_to_json(log: LogSummary) -> dict[str, object]:
    witnessed = log.witnessed
    return {
        "directory": log.directory,
        "origin": log.origin,
        "size": log.size,
        "root": log.root.hex(),
        "closed": log.closed,
        "signed_by": log.signed_by,
        "key_epochs": [
            {"key": each.key, "first": each.first, "from_s": each.from_s, "until_s": each.until_s}
            for each in log.epochs
        ],
        "entries_hashed": log.entries_hashed,
        "tiles": log.tiles,
        "frames": log.frames,
        "signatures": log.signatures,
        "kinds": dict(log.kinds),
        **{tally.value: _tally(log.tallies, tally) for tally in Tally},
        "pruned": log.pruned,
        "first_at_s": log.first_at_s,
        "last_at_s": log.last_at_s,
        "witnessed": None
        if witnessed is None
        else {
            "size": witnessed.size,
            "cosigned_at_s": dict(witnessed.cosigned_at_s),
            "age_s": witnessed.age_s,
        },
    }
