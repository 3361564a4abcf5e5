"""What an export says of itself: an in-toto statement about the logs in it.

Owns the words. It says what the exporter found and under which roots; whoever receives it finds out for themselves.

SPEC: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "urn:situs:evidence:v1"
TREE_DIGEST: Final = "rfc6962Sha256"
"""The digest of a log is the root of its Merkle tree, which is no hash of a file: it has a name of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedLog:
    """One log in the statement. Times are Unix seconds; None where nothing was read."""

    directory: str
    origin: str
    size: int
    root: bytes
    entries: Mapping[str, int]
    first_at_s: float | None
    last_at_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """All that is stated. `kind` is "logs" or "selection", `result` the verification's word, `findings` its counts."""

    kind: str
    program: str
    logs: Sequence[StatedLog]
    result: str
    authorship: bool
    findings: Mapping[str, int]
    counts: Mapping[str, int]
    sums: str
    """SHA-256 of the list of files, in hex."""


def format_statement(stated: Stated, *, sums_name: str) -> bytes:
    """Write the statement as JSON, the same bytes for the same content."""
    firsts = [log.first_at_s for log in stated.logs if log.first_at_s is not None]
    lasts = [log.last_at_s for log in stated.logs if log.last_at_s is not None]
    entries: Counter[str] = Counter()
    for log in stated.logs:
        entries.update(log.entries)
    statement = {
        "_type": STATEMENT,
        "subject": [
            *({"name": log.origin, "digest": {TREE_DIGEST: log.root.hex()}} for log in stated.logs),
            {"name": sums_name, "digest": {"sha256": stated.sums}},
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "kind": stated.kind,
            "program": stated.program,
            "period": {"from": _time(min(firsts, default=None)), "until": _time(max(lasts, default=None))},
            "logs": [
                {
                    "directory": log.directory,
                    "origin": log.origin,
                    "size": log.size,
                    "root": log.root.hex(),
                    "entries": dict(sorted(log.entries.items())),
                    "period": {"from": _time(log.first_at_s), "until": _time(log.last_at_s)},
                }
                for log in stated.logs
            ],
            "entries": dict(sorted(entries.items())),
            "counts": dict(sorted(stated.counts.items())),
            "verification": {
                "result": stated.result,
                "by_keys_of_the_exporter": stated.authorship,
                "findings": dict(sorted(stated.findings.items())),
            },
        },
    }
    return (json.dumps(statement, indent=1, ensure_ascii=False) + "\n").encode()


def _time(at_s: float | None) -> str | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds")
