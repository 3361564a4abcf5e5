"""Who has looked at which violation, by the keepers' logs. A violation stays one, whatever is said of it."""

from collections.abc import Iterator, Sequence

from extproc.audit.checks.logs import LogCheck
from extproc.audit.findings import Acknowledged, Category, Finding, Findings


def check_acknowledged(logs: Sequence[LogCheck], found: Sequence[Finding], findings: Findings) -> list[Acknowledged]:
    """Give the acknowledgements of the violations among `found`, and say which are about none of them."""
    violations = {(each.file, each.entry) for each in found if each.category is Category.VIOLATION}
    shown: dict[str, list[str]] = {}
    for log in logs:
        shown.setdefault(log.origin, []).append(log.files.shown)
    given: list[Acknowledged] = []
    for each in _all(logs):
        files = [file for file in shown.get(each.origin, ()) if (file, each.entry) in violations]
        given += [each.of(file) for file in files]
        if not files:
            message = (
                f"{each.by} acknowledged a violation at entry {each.entry} of {each.origin}, which is not found here"
            )
            findings.add(Category.NOTE, message, file=each.recorded_in)
    return given


def _all(logs: Sequence[LogCheck]) -> Iterator[Acknowledged]:
    for log in logs:
        for at_s, each in log.acknowledgements:
            yield Acknowledged(
                file="",
                entry=each.index,
                origin=each.origin,
                decision=each.decision,
                finding=each.finding,
                reason=each.reason,
                approved_by=each.approved_by,
                at_s=at_s,
                recorded_in=log.files.shown,
            )
