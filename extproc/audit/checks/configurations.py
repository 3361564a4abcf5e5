"""What decisions are made by: the ConfigSnapshot that each names, and the policies that are kept beside the log."""

from hashlib import sha256
from typing import Final

from extproc.archive import Archive
from extproc.audit.checks.jobs import Configuration
from extproc.audit.findings import Category, Findings
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.log import POLICIES

_DIGEST: Final = "sha256:"
_HEX: Final = frozenset("0123456789abcdef")


def check_configuration(
    key: tuple[str, tuple[str, ...] | None, str], known: Configuration
) -> list[tuple[Category, str, str, str]]:
    """Hold revision, judged regions and shadow's revision of a decision against its configuration."""
    _, judged, shadow = key
    findings: list[tuple[Category, str, str, str]] = []
    if judged is not None and judged != known.catalogue:
        message = "the verdict is over other regions than those of the configuration"
        findings.append((Category.INTEGRITY, message, " ".join(known.catalogue), " ".join(judged)))
    if shadow != known.shadow:
        message = "the shadow policy is not that of the configuration"
        findings.append((Category.INTEGRITY, message, known.shadow or "none", shadow or "none"))
    return findings


def check_policy(archive: Archive, log: str, policy: pb.Policy, entry: int, findings: Findings) -> None:
    """Hold the canonical form that was kept beside the log against its digest."""
    digest = policy.revision.removeprefix(_DIGEST)
    name = f"{POLICIES}/{digest}.json"
    try:
        # What is no digest might lead elsewhere.
        stored = archive.read(f"{log}/{name}".lstrip("/")) if _HEX.issuperset(digest) else None
    except FileNotFoundError:
        stored = None
    if stored is None:
        findings.add(Category.INCOMPLETE, f"{name} is missing", entry=entry)
    elif (found := sha256(stored).hexdigest()) != digest:
        findings.add(Category.INTEGRITY, f"{name} is another", entry=entry, expected=digest, found=found)
