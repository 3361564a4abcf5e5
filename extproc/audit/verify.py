"""Verification: the main path of the auditor's side.

Reads evidence and nothing else. What is checked, and in which order, stands in :func:`verify`; each thing that is
checked has a module in :mod:`extproc.audit.checks`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

from extproc.archive import Archive, open_archive
from extproc.audit.checks.acknowledged import check_acknowledged
from extproc.audit.checks.heads import check_heads
from extproc.audit.checks.inventory import find_logs
from extproc.audit.checks.jobs import PartJob
from extproc.audit.checks.joins import Join, count_buckets
from extproc.audit.checks.kept import Kept, check_kept
from extproc.audit.checks.linkage import check_end, check_linkage
from extproc.audit.checks.logs import Job, LogCheck, Result, run_job
from extproc.audit.checks.prunes import check_prunes
from extproc.audit.checks.rotations import check_keys
from extproc.audit.checks.witnesses import check_witnesses
from extproc.audit.findings import Category, Finding, Findings, KeyEpoch, LogSummary, Verification, Witnessed
from extproc.audit.trust import Trust
from extproc.engine import Engine, SerialEngine
from extproc.ledger.errors import LedgerError
from extproc.ledger.log import LOG, WAL

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["NoLogError", "Progress", "find_logs", "verify"]

Progress = Callable[[int, int], None]
"""Is told how many entries were checked since the last call, and how many there are in all."""


class NoLogError(LedgerError):
    """There is no log where one was to be verified."""


def verify(  # noqa: PLR0913 - what may be asked, each by name
    place: str | Path | Archive,
    trust: Trust | None = None,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
    every_signature: bool = False,
    kept: Sequence[Kept] = (),
) -> Verification:
    """Verify every log in a folder, a zip file or a store. Raises NoLogError when there is none.

    Without `trust`, the `.vkey` beside each log stands in: that proves the files consistent, not who made them.
    `engine` does the work, by default one part after the other here. Of a write-ahead log the last signature of each
    segment is verified, because it vouches for those before it; with `every_signature` all of them are. `kept` are
    checkpoints from before, which the logs must continue. Raises ArchiveError for a place that cannot be read,
    EngineError, and MalformedError for a kept checkpoint that is none.
    """
    trust = trust or Trust()
    engine = engine or SerialEngine()
    archive = open_archive(str(place)) if isinstance(place, str | Path) else place
    found = find_logs(archive)
    if not found:
        raise NoLogError(f"{archive.location}: no log here or below; expected folders named {LOG} or {WAL}")
    findings = Findings(archive.location)
    if not trust.roots:
        message = "no key was given, so the keys beside the logs were used: this shows integrity, not authorship"
        findings.add(Category.NOTE, message)
    logs = [LogCheck(archive, files, trust, every_signature=every_signature) for files in found]

    # 1. Each log by itself: hashes, tiles, frames and the meaning of entries, in parts that are put together in order.
    total = sum(log.published for log in logs)
    buckets = count_buckets(total)
    with Join(buckets) as join:
        jobs = [(log, job) for log in logs for job in log.jobs(buckets)]
        results = cast("Generator[Result]", engine.run(run_job, [job for _, job in jobs]))
        with closing(results):
            for (log, job), result in zip(jobs, results, strict=True):
                log.take(job, result, join)
                if progress is not None:
                    progress(_entries_of(job), total)

        # 2. Each log as a whole: its root, its end, and whose key signed what, and when.
        for log in logs:
            log.finish()
            check_end(log)

        # 3. What may be missing, what witnesses and root logs have seen, and what each log says of the one before.
        pruned = check_prunes(logs)
        witnessed = check_witnesses(logs, trust)
        epochs = {log.files.name: check_keys(log) for log in logs}
        check_linkage(logs)
        seen = [*check_heads(logs, engine), *check_kept(kept, logs)]

        # 4. Deliveries against decisions, wherever they were recorded.
        for log in logs:
            join.know(log.files.shown, log.orders)
        join.settle(findings)

    # 5. Who has looked at the violations.
    acknowledged = check_acknowledged(logs, _in_order(findings, logs, ()), findings)
    return Verification(
        logs=[_summarise(log, pruned, witnessed, epochs) for log in logs],
        findings=_in_order(findings, logs, seen),
        acknowledged=acknowledged,
        deliveries=join.deliveries,
        undelivered=join.undelivered,
    )


def _entries_of(job: Job) -> int:
    """Give how many entries a job goes through for the first time."""
    return job.end - job.start if isinstance(job, PartJob) else 0


def _in_order(findings: Findings, logs: Sequence[LogCheck], seen: Sequence[Finding]) -> list[Finding]:
    """Give all findings: of the whole, then log by log, then across logs."""
    return [*findings.all(), *(finding for log in logs for finding in log.findings.all()), *seen]


def _summarise(
    log: LogCheck,
    pruned: Mapping[str, int],
    witnessed: Mapping[str, Witnessed],
    epochs: Mapping[str, tuple[KeyEpoch, ...]],
) -> LogSummary:
    name = log.files.name
    return LogSummary(
        directory=log.files.shown,
        origin=log.origin,
        size=log.size,
        root=log.root,
        closed=log.edge.closed,
        signed_by=tuple(dict.fromkeys(each.key_id.hex() for each in log.signed)),
        tiles=log.tiles,
        frames=log.frames,
        kinds=Counter(log.kinds),
        tallies=Counter(log.tallies),
        entries_hashed=log.hashed,
        pruned=pruned.get(name, 0),
        signatures=log.signatures,
        epochs=epochs.get(name, ()),
        witnessed=witnessed.get(name),
        first_at_s=min((span.earliest_s for span in log.spans), default=None),
        last_at_s=log.edge.at_s if log.spans else None,
    )
