"""The findings for people: leaks first, each with its place, what is there and the mend, and why it matters once."""

from collections.abc import Iterator
from textwrap import indent, wrap

from extproc.mesh.check.finding import Finding, Severity
from extproc.mesh.check.judge import Checked, Judgement
from extproc.strict_yaml.problems import printable

_WIDTH = 100
_HEADINGS = {
    Severity.LEAK: ("leak", "a request could reach a region that nobody permitted, or nobody would know"),
    Severity.FAULT: ("fault", "nothing leaks, and legal requests would be refused or less is done than was meant"),
}


def text_report(judgement: Judgement) -> Iterator[tuple[str, str]]:
    """Give the lines, each with its style in rich's words: a terminal may use it, and a file does without."""
    for severity in Severity:
        found = [finding for finding in judgement.findings if finding.rule.severity is severity]
        if found:
            name, meaning = _HEADINGS[severity]
            yield f"{_counted(len(found), name)}: {meaning}", "bold red" if severity is Severity.LEAK else "bold yellow"
            yield "", ""
            yield from _findings(found)
    yield summary(judgement), "" if judgement.findings else "green"


def _findings(found: list[Finding]) -> Iterator[tuple[str, str]]:
    explained: set[str] = set()
    for finding in found:
        yield f"  {finding.rule.id}  {printable(finding.origin)}", "bold"
        if finding.path:
            yield f"    at:   {printable(finding.path)}", "cyan"
        yield from _told("is:   ", finding.message)
        yield from _told("mend: ", finding.mend)
        if finding.rule.id not in explained:
            explained.add(finding.rule.id)
            yield from _told("why:  ", finding.rule.why, "dim")
        yield "", ""


def _told(label: str, text: str, style: str = "") -> Iterator[tuple[str, str]]:
    lines = wrap(printable(text), _WIDTH - 10, break_long_words=False, break_on_hyphens=False) or [""]
    yield f"    {label}{lines[0]}", style
    for line in lines[1:]:
        yield indent(line, " " * 10), style


def summary(judgement: Judgement) -> str:
    """Say in a line what was checked and found."""
    faults = len(judgement.findings) - judgement.leaks
    told = (
        "nothing found"
        if not judgement.findings
        else f"{_counted(judgement.leaks, 'leak')}, {_counted(faults, 'fault')}"
    )
    return f"{told}. Checked: {_checked(judgement.checked)}"


def _checked(checked: Checked) -> str:
    parts = []
    if checked.listeners or checked.clusters or not checked.resources:
        ways = _counted(checked.ways, "route")
        parts.append(
            f"{_counted(checked.listeners, 'listener')}, {_counted(checked.clusters, 'cluster')}, {ways} that "
            f"{'reaches' if checked.ways == 1 else 'reach'} a region"
        )
    if checked.resources:
        parts.append(_counted(checked.resources, "resource"))
    told = "; ".join(parts)
    if checked.others:
        told += f" (not judged: {', '.join(map(printable, checked.others))})"
    return told


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
