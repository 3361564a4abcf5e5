"""Deciding all recorded decisions again, and comparing.

Owns following a log from configuration to configuration, and what counts as equal: every field that a decision is made
of. It shows that the recorded program decided what the recorded policy says, or where it did not. Verifies no hash:
that is for :mod:`extproc.audit.verify`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from hashlib import sha256
from typing import Final

from extproc.archive import Archive
from extproc.audit.published import PublishedLog, find_published, read_range
from extproc.audit.replay import replay
from extproc.audit.settings import TAGS, Following, Setting
from extproc.audit.stored_policy import StoredPolicyError, load_stored
from extproc.core.decide import Decision
from extproc.core.ids import DecisionId, RegionId
from extproc.core.overrides import Suspension
from extproc.core.snapshot import Shadow
from extproc.core.tables import PolicyTables
from extproc.engine import Engine, SerialEngine
from extproc.ledger.decision_reader import decision_from_entry
from extproc.ledger.entries import parse_entry
from extproc.ledger.log import POLICIES
from extproc.notes.errors import MalformedError
from extproc.policy.compile import CompiledPolicy

_STEP: Final = 1 << 14
"""Entries of one job."""
_KEPT: Final = 100
"""Differences that one job gives in full; of more, only the number."""
_DIGEST: Final = "sha256:"
_NONE: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One decision that came out otherwise. `fields` are lines such as `steering.plan: recorded …, replayed …`."""

    log: str
    index: int
    decision: DecisionId
    fields: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Replayed:
    """What replaying found. Each number counts decisions; `missing` says by reason which could not be replayed."""

    equal: int = 0
    different: int = 0
    differences: list[Difference] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)
    without_shadow: int = 0
    programs: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Replayed") -> None:
        """Take up what another part found."""
        self.equal += other.equal
        self.different += other.different
        self.differences += other.differences
        self.missing += other.missing
        self.without_shadow += other.without_shadow
        self.programs += other.programs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """Some entries of a log, with the settings that were recorded before them."""

    archive: Archive
    log: PublishedLog
    start: int
    end: int
    settings: Mapping[str, Setting] = field(default_factory=dict)
    orders: tuple[Suspension, ...] = ()
    given: Mapping[str, bytes] = field(default_factory=dict)


def replay_logs(
    archive: Archive,
    *,
    engine: Engine | None = None,
    progress: Callable[[int], None] | None = None,
    policies: Mapping[str, bytes] | None = None,
) -> Replayed:
    """Decide every published decision again, by the policies that the logs keep and the orders recorded before it.

    `policies` are canonical forms by their revision, for logs that do not keep them. `progress` is called with the
    number of entries done since the last call. Raises MalformedError and ArchiveError.
    """
    engine = engine or SerialEngine()
    jobs = [
        _Job(archive=archive, log=log, start=start, end=min(start + _STEP, log.size), given=policies or {})
        for log in find_published(archive)
        for start in range(0, log.size, _STEP)
    ]
    ready = list(_with_settings(jobs, engine.run(_scan, jobs)))
    found = Replayed()
    for job, part in zip(ready, engine.run(_replay_part, ready), strict=True):
        found.add(part)
        if progress is not None:
            progress(job.end - job.start)
    return found


def differing_fields(recorded: object, again: object, path: str = "") -> Iterator[str]:
    """Name every field in which two decisions differ, with both values."""
    if recorded == again:
        return
    names = _fields_of(recorded) if type(recorded) is type(again) else ()
    if names:
        for each in names:
            inner = f"{path}.{each}" if path else each
            yield from differing_fields(getattr(recorded, each), getattr(again, each), inner)
    elif isinstance(recorded, tuple) and isinstance(again, tuple) and len(recorded) == len(again):
        for number, (one, other) in enumerate(zip(recorded, again, strict=True)):
            name = getattr(one, "region", number)
            yield from differing_fields(one, other, f"{path}[{name}]")
    else:
        yield f"{path}: recorded {_say(recorded)}, replayed {_say(again)}"


def _fields_of(value: object) -> tuple[str, ...]:
    """Name the fields of a dataclass or of a named tuple; nothing of anything else."""
    if is_dataclass(value):
        return tuple(each.name for each in fields(value))
    return getattr(value, "_fields", ()) if isinstance(value, tuple) else ()


def _say(value: object) -> str:
    if value is None or value == ():
        return _NONE
    return " ".join(map(_say, value)) if isinstance(value, tuple) else str(value)


def _scan(job: _Job) -> list[bytes]:
    """Give the entries of a part that say by what is decided: configurations and orders."""
    return [
        data
        for _, data in read_range(job.archive, job.log, job.start, job.end)
        if data[9:10] in TAGS or data[:1] in TAGS
    ]


def _with_settings(jobs: Sequence[_Job], scans: Iterator[list[bytes]]) -> Iterator[_Job]:
    """Give each job what the entries of its log before it say."""
    following = Following()
    for job, entries in zip(jobs, scans, strict=True):
        if job.start == 0:
            following = Following()
        yield replace(job, settings=dict(following.settings), orders=following.orders)
        for data in entries:
            try:
                following.take(parse_entry(data))
            except MalformedError:
                continue


class _MissingError(Exception):
    """Something that replaying needs is not there."""


def _replay_part(job: _Job) -> Replayed:
    """Decide the decisions of one part again."""
    found = Replayed()
    following = Following(job.settings, job.orders)
    for index, data in read_range(job.archive, job.log, job.start, job.end):
        try:
            entry = parse_entry(data)
            following.take(entry)
            if entry.WhichOneof("kind") != "decision":
                continue
            recorded = decision_from_entry(entry)
        except MalformedError:
            found.missing[f"{job.log.name}: entry {index} cannot be read: run `situs audit verify`"] += 1
            continue
        setting = following.settings.get(recorded.config)
        if setting is None:
            found.missing[f"{job.log.name}: configuration {recorded.config} is described nowhere before"] += 1
            continue
        try:
            compared, again = _decide_again(job, recorded, setting, found)
        except _MissingError as missing:
            found.missing[str(missing)] += 1
            continue
        found.programs[setting.program] += 1
        _compare(found, Difference(log=job.log.name, index=index, decision=recorded.id, fields=()), compared, again)
    return found


def _compare(found: Replayed, place: Difference, recorded: Decision, again: Decision) -> None:
    if recorded == again:
        found.equal += 1
        return
    found.different += 1
    if len(found.differences) < _KEPT:
        found.differences.append(replace(place, fields=tuple(differing_fields(recorded, again))))


def _decide_again(job: _Job, recorded: Decision, setting: Setting, found: Replayed) -> tuple[Decision, Decision]:
    """Give what was recorded, as far as it can be compared, and what comes out now. Raises _MissingError."""
    compiled = _policy(job, setting.policy, setting.policy_named)
    own = {(order.id, order.name) for order in compiled.suspensions}
    orders = tuple(order for order in setting.orders if (order.id, order.name) not in own)
    shadow = None
    if setting.has_shadow:
        try:
            candidate = _policy(job, setting.shadow, "the shadow policy")
        except _MissingError:
            # What decided can be replayed all the same.
            found.without_shadow += 1
            recorded = replace(recorded, shadow=None)
        else:
            shadow = Shadow(policy=_at(candidate, setting.ingress), suspensions=(*candidate.suspensions, *orders))
    # The policy's own orders come first, as they did then: of several about one thing the first is recorded.
    return recorded, replay(recorded, _at(compiled, setting.ingress), (*compiled.suspensions, *orders), shadow)


def _policy(job: _Job, revision: str | None, named: str) -> CompiledPolicy:
    """Give a policy that the log keeps, or that was handed over. Raises _MissingError."""
    canonical = None if revision is None else _read_policy(job, revision)
    given = job.given.get(revision or named.rpartition(" ")[2])
    canonical = given if canonical is None else canonical
    if canonical is None:
        raise _MissingError(f"{job.log.name}: the policy {named} is not stored. Mend: hand it over with --policies")
    try:
        return load_stored(canonical)
    except StoredPolicyError as error:
        raise _MissingError(f"{job.log.name}: the policy {named} cannot be used: {error}") from None


def _read_policy(job: _Job, revision: str) -> bytes | None:
    digest = revision.removeprefix(_DIGEST)
    name = job.log.path(POLICIES, f"{digest}.json")
    canonical = job.archive.read(name) if job.archive.exists(name) else None
    if canonical is not None and sha256(canonical).hexdigest() != digest:
        raise _MissingError(f"{name}: not the policy of this digest. Mend: run `situs audit verify`")
    return canonical


def _at(compiled: CompiledPolicy, ingress: str) -> PolicyTables:
    """Give the policy as it holds for a sidecar that stands in `ingress`."""
    tables = compiled.tables
    region = RegionId(ingress)
    if region == tables.ingress_region or region not in tables.index:
        return tables
    return replace(tables, ingress_region=region)
