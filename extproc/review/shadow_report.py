"""How a shadow policy's answers differ from the live ones, from the decisions that record both.

Nothing is decided again: both verdicts are in the record. It verifies nothing: that is :mod:`extproc.audit.verify`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from extproc.audit.show import read_records
from extproc.core.decide import Decision
from extproc.core.shadow import ShadowDifference, difference
from extproc.core.steering import Deny
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import decision_from_entry
from extproc.review.simulate.tally import Tally, outcome_of
from extproc.review.simulate.text import groups_in_words, span_in_words
from extproc.review.words import counted

_STEP: Final = 1024
_KINDS: Final = frozenset({"config", "decision"})


@dataclass(slots=True)
class ShadowRun:
    """One shadow policy beside one live policy. `live` and `shadow` are revisions."""

    live: str
    live_name: str
    shadow: str
    shadow_name: str
    differences: Counter[ShadowDifference] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Tally)
    other_facts: int = 0
    """Decisions of whose request the shadow policy read something else."""

    def take(self, decision: Decision) -> None:
        """Count a decision that this shadow policy was asked about."""
        shadow, differs = decision.shadow, difference(decision)
        if shadow is None or differs is None:
            raise ValueError(f"decision {decision.id} was made without a shadow policy")
        self.differences[differs] += 1
        self.other_facts += shadow.facts is not None
        refusal = decision.steering.refusal if isinstance(decision.steering, Deny) else None
        live = outcome_of(decision.verdict, refusal)
        self.tally.add(decision, live, outcome_of(shadow.verdict, shadow.refusal), shadow.verdict)


@dataclass(slots=True)
class ShadowReport:
    """All shadow policies of some logs, in the order of their appearance. `alone` decisions were made without one."""

    runs: list[ShadowRun] = field(default_factory=list)
    alone: int = 0


def report_shadows(directory: Path, *, progress: Callable[[int], None] | None = None) -> ShadowReport:
    """Read the logs at or below `directory`, one record at a time.

    `progress` is called with the number of records read since the last call. Raises MalformedError, OSError and
    ValueError.
    """
    report = ShadowReport()
    runs: dict[tuple[str, str], ShadowRun] = {}
    configs: dict[str, pb.ConfigSnapshot] = {}
    for n, record in enumerate(read_records(directory, kinds=_KINDS), start=1):
        if progress is not None and n % _STEP == 0:
            progress(_STEP)
        if record.kind == "config":
            configs[record.entry.config.revision] = record.entry.config
            continue
        if not record.entry.decision.HasField("shadow"):
            report.alone += 1
            continue
        decision = decision_from_entry(record.entry)
        config = configs.get(decision.config, pb.ConfigSnapshot())
        key = (config.policy.revision, record.entry.decision.shadow.policy_revision)
        if key not in runs:
            runs[key] = ShadowRun(key[0], _name(config.policy), key[1], _name(config.shadow))
            report.runs.append(runs[key])
        runs[key].take(decision)
    return report


def shadows_in_words(report: ShadowReport) -> Iterator[str]:
    """Tell how each shadow policy differs."""
    yield "Nothing was verified: run `situs audit verify` first."
    if report.alone:
        yield f"{counted(report.alone, 'decision')} had no shadow policy beside them"
    for run in report.runs:
        yield f"Shadow {run.shadow_name} {run.shadow} beside {run.live_name} {run.live}"
        yield from (f"  {line}" for line in span_in_words(run.tally))
        for each in ShadowDifference:
            if run.differences[each]:
                share = run.differences[each] / run.tally.decisions
                yield f"  {run.differences[each]:>9,}  {share:>6.1%}  {each}"
        if run.other_facts:
            yield f"  of {counted(run.other_facts, 'request')} it read something else than the live policy"
        yield from (f"  {line}" for line in groups_in_words(run.tally))


def _name(policy: pb.Policy) -> str:
    return f"{policy.id} version {policy.version}" if policy.id else "of a configuration that is described nowhere"
