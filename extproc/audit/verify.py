"""Verification: the main path of the auditor's side.

Reads files and nothing else. What is checked, and in which order, stands in :func:`verify`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extproc.audit.findings import Category, Finding, LogSummary, Verification
from extproc.audit.meaning import Decisions, LogMeaning
from extproc.audit.tree import Tree, TreeCheck
from extproc.audit.trust import Trust
from extproc.ledger.errors import LedgerError
from extproc.ledger.log import LOG, QUARANTINED, WAL
from extproc.notes.errors import MalformedError
from extproc.notes.note import VerifierKey

_STEP: Final = 1024
"""Entries between two reports of progress."""


class NoLogError(LedgerError):
    """There is no log where one was to be verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """One log after its own checks."""

    name: str
    tree: Tree
    meaning: LogMeaning


def verify(
    directory: Path, trust: Trust | None = None, *, progress: Callable[[int], None] | None = None
) -> Verification:
    """Verify the log in `directory`, or every log below it. Raises NoLogError when there is none.

    Without `trust`, the `.vkey` beside each log stands in: that proves the files consistent, not who made them.
    `progress` is called with the number of entries read since the last call.
    """
    trust = trust or Trust()
    directories = sorted(find_logs(directory))
    if not directories:
        raise NoLogError(f"{directory}: no log here or below; expected folders named {LOG} or {WAL}")
    findings: list[Finding] = []
    if not trust.keys:
        message = "no key was given, so the keys beside the logs were used: this shows integrity, not authorship"
        findings.append(Finding(category=Category.NOTE, message=message, file=str(directory)))

    # 1. Each log by itself: hashes, signatures, tiles, write-ahead log, and the order of its entries.
    decisions = Decisions()
    checked = [
        _check(each, base=directory, trust=trust, decisions=decisions, findings=findings, progress=progress)
        for each in directories
    ]

    # 2. Logs against each other: each names the end of the one before.
    findings += _check_linkage(checked)

    # 3. Deliveries against decisions, wherever they were recorded.
    decisions.settle()
    findings += decisions.findings

    return Verification(
        logs=[_summarise(each) for each in checked],
        findings=findings,
        deliveries=decisions.deliveries,
        undelivered=decisions.undelivered,
    )


def find_logs(directory: Path) -> Iterator[Path]:
    """Give every folder at or below `directory` that holds a log."""
    if (directory / LOG).is_dir() or (directory / WAL).is_dir():
        yield directory
        return
    if directory.is_dir():
        for child in directory.iterdir():
            if child.is_dir() and not child.name.startswith("."):
                yield from find_logs(child)


def _check(  # noqa: PLR0913 - what verify holds
    directory: Path,
    *,
    base: Path,
    trust: Trust,
    decisions: Decisions,
    findings: list[Finding],
    progress: Callable[[int], None] | None,
) -> _Checked:
    """Check one log by itself."""
    name = directory.relative_to(base).as_posix()
    meaning = LogMeaning(directory, name, decisions)

    def take(index: int, entry: bytes) -> None:
        meaning.take(index, entry)
        if progress is not None and (index + 1) % _STEP == 0:
            progress(_STEP)

    def keys_for(origin: str) -> Sequence[VerifierKey]:
        if origin not in cached:
            try:
                cached[origin] = trust.keys_for(origin, directory)
            except MalformedError as error:
                findings.append(Finding(category=Category.TRUST, message=str(error), file=name))
                cached[origin] = ()
        return cached[origin]

    cached: dict[str, Sequence[VerifierKey]] = {}
    check = TreeCheck(directory, base, keys_for, take, lambda: meaning.closed)
    tree = check.run()
    findings += check.findings
    findings += meaning.findings
    if meaning.genesis is not None and meaning.genesis.origin != tree.origin:
        findings.append(
            Finding(
                category=Category.INTEGRITY,
                message="the Genesis is that of another log",
                file=name,
                entry=0,
                expected=tree.origin,
                found=meaning.genesis.origin,
            )
        )
    if (directory / QUARANTINED).exists():
        reason = (directory / QUARANTINED).read_text(encoding="utf-8", errors="replace").strip()
        message = f"a later process found this log corrupt and set it aside: {reason}"
        findings.append(Finding(category=Category.INTEGRITY, message=message, file=name))
    elif not meaning.closed:
        message = "no Close: its process runs, or was killed and nothing has recovered the log yet"
        findings.append(Finding(category=Category.NOTE, message=message, file=name))
    return _Checked(name=name, tree=tree, meaning=meaning)


def _check_linkage(checked: Sequence[_Checked]) -> Iterator[Finding]:
    """Hold what each Genesis says of the log before against that log."""
    by_origin: dict[str, _Checked] = {}
    for each in checked:
        first = by_origin.setdefault(each.tree.origin, each)
        if first is not each:
            message = f"has the origin of {first.name}: a fork"
            yield Finding(category=Category.INTEGRITY, message=message, file=each.name, found=each.tree.origin)
    for each in checked:
        genesis = each.meaning.genesis
        if genesis is None or not genesis.HasField("previous"):
            continue
        previous = genesis.previous
        before = by_origin.get(previous.origin)
        if before is None:
            message = f"the log before, {previous.origin} with {previous.size} entries, is not here"
            category = Category.NOTE if len(checked) == 1 else Category.INCOMPLETE
            yield Finding(category=category, message=message, file=each.name, entry=0)
            continue
        stated = f"{previous.size} {previous.root.hex()}"
        found = f"{before.tree.size} {before.tree.root.hex()}"
        if previous.state == "quarantined":
            message = f"the log before was found corrupt at that start: {previous.reason}"
            yield Finding(category=Category.INTEGRITY, message=message, file=before.name)
        elif stated != found:
            yield Finding(
                category=Category.INTEGRITY,
                message=f"does not end as {each.name} found it",
                file=before.name,
                expected=stated,
                found=found,
            )


def _summarise(each: _Checked) -> LogSummary:
    return LogSummary(
        directory=each.name,
        origin=each.tree.origin,
        size=each.tree.size,
        root=each.tree.root,
        closed=each.meaning.closed,
        signed_by=each.tree.signed_by,
        tiles=each.tree.tiles,
        frames=each.tree.frames,
        kinds=Counter(each.meaning.kinds),
    )
