"""How the files of one log end: what its write-ahead log and its published form say of each other."""

from collections import Counter
from collections.abc import Mapping, Sequence

from extproc.audit.checks.clocks import MOST_S, NEEDED_S, PERIOD_S
from extproc.audit.checks.inventory import LogFiles
from extproc.audit.checks.jobs import Edge, SegmentsResult, Torn
from extproc.audit.findings import Category, Findings, Tally
from extproc.ledger.log import LOG, WAL
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.wal import format_segment_name


def check_wal(
    files: LogFiles, findings: Findings, results: Sequence[SegmentsResult], *, published: int, closed: bool
) -> None:
    """Judge how the segments end: whole, torn by a crash, damaged, or before what is published."""
    if not files.has_wal:
        findings.add(Category.NOTE, "no write-ahead log here; the published log alone was checked")
        return
    torn = next((each.torn for each in results if each.torn is not None), None)
    followed = max((each.size for each in results if each.frames), default=0)
    if torn is not None:
        _judge_torn(findings, torn, published=published, closed=closed)
    elif all(each.ended for each in results) and followed < published:
        findings.add(
            Category.INTEGRITY,
            "ends before the published log",
            file=files.path(WAL),
            entry=followed,
            expected=f"{published} entries",
            found=str(followed),
        )


def _judge_torn(findings: Findings, torn: Torn, *, published: int, closed: bool) -> None:
    if torn.at_end and published <= torn.entry and not closed:
        message = f"ends in a torn write at byte {torn.offset}, which the next start will cut"
        findings.add(Category.INCOMPLETE, message, file=torn.file, entry=torn.entry)
    else:
        findings.add(Category.INTEGRITY, f"bad frame: {torn.reason}", file=torn.file, entry=torn.entry)


def check_checkpoint(files: LogFiles, findings: Findings, *, published: int | None, size: int, closed: bool) -> None:
    """Judge how far the published form goes; `published` is None where there is none that can be read."""
    path = files.path(LOG, CHECKPOINT)
    if published is None:
        # A log is born with a checkpoint over its Genesis, so there is always one.
        findings.add(Category.INTEGRITY, "no checkpoint that can be read", file=path)
    elif published < size:
        # A process that runs publishes a little later than it writes.
        category = Category.INCOMPLETE if closed else Category.NOTE
        findings.add(category, f"covers {published} of the {size} entries of the write-ahead log", file=path)


def check_files(files: LogFiles, findings: Findings, *, size: int) -> None:
    """Refuse files that are no part of a log of `size` entries."""
    for name in files.strays:
        what = "a write-ahead log" if name.startswith(files.path(WAL, "")) else "a log"
        findings.add(Category.INTEGRITY, f"a file that is no part of {what}", file=name)
    # Tiles beyond the checkpoint are those that a running process was about to publish.
    for tile in files.ahead(size):
        message = "a tile that the checkpoint does not cover"
        findings.add(Category.INTEGRITY, message, file=files.tile_path(tile))


def check_life(
    findings: Findings, edge: Edge, *, kinds: Mapping[str, int], tallies: Counter[str], began_s: float | None
) -> None:
    """Say where a log that decides shows no sign of life at all, or none before an end without a Close."""
    if began_s is None or not edge.whole:
        return
    beat = edge.beat
    if beat is None and (kinds.get("heartbeat") or not kinds.get("decision")):
        # Of a process that was ended; or a log in which nobody decides, which needs none.
        return
    if edge.closed and beat is not None:
        return
    silence_s = edge.at_s - (began_s if beat is None else beat.at_s)
    if silence_s > (NEEDED_S if beat is None else MOST_S):
        tallies[Tally.HEARTBEAT_GAPS] += 1
        findings.add(
            Category.INCOMPLETE,
            "there are decisions, and no heartbeat" if beat is None else "heartbeats are missing at the end",
            entry=None if beat is None else beat.entry,
            expected=f"{PERIOD_S:.0f} s",
            found=f"{silence_s:.1f} s",
        )


def check_beginning(files: LogFiles, findings: Findings, *, pruned: int) -> None:
    """Refuse a write-ahead log that begins later than the pruned entries end."""
    first = files.segments[0] if files.segments else 0
    if first > pruned:
        findings.add(
            Category.INTEGRITY,
            "segments are missing or out of order",
            file=files.segment_path(first),
            entry=pruned,
            expected=format_segment_name(0),
            found=format_segment_name(first),
        )
