"""One row for each entry: the values of a table's columns, in the order of :mod:`extproc.parquet.schema`.

Structs are tuples. Whatever cannot be a row raises ValueError, MalformedError (which wraps what the schema of entries
says) or IndexError, and the entry goes to the table `malformed`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from extproc.ledger import entry_pb2 as pb
from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.decision_reader import check_answers, shadow_verdict
from extproc.notes.note import parse_note
from extproc.parquet.arrow import Value
from extproc.parquet.context import Context, configuration_of

Row: TypeAlias = tuple[Value, ...]

_ID_BYTES: Final = 16
_MICROSECONDS: Final = 1_000_000
_LATEST_S: Final = 253_402_300_800
"""The year 10000, which no calendar of a database reaches."""
_LARGEST: Final = (1 << 63) - 1


def micros(seconds: float) -> int:
    """Give a time in Unix microseconds. Raises ValueError for one that no calendar has."""
    if not 0 <= seconds < _LATEST_S:  # which no NaN is either
        raise ValueError(f"a time that no calendar has: {seconds} s")
    return round(seconds * _MICROSECONDS)


def _number(value: int) -> int:
    if value > _LARGEST:
        raise ValueError(f"a number over {_LARGEST}: {value}")
    return value


def _opt_micros(present: bool, seconds: float) -> int | None:  # noqa: FBT001 - HasField's answer
    return micros(seconds) if present else None


def uuid_of(raw: bytes) -> str:
    """Give a decision's id in canonical text: as :func:`extproc.ledger.ids.id_from_bytes`, for many at once."""
    if len(raw) != _ID_BYTES:
        raise ValueError(f"expected {_ID_BYTES} bytes of a decision id, found {len(raw)}")
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def decision_own(decision: pb.Decision) -> Row:
    """Give what differs from one decision to the next."""
    private, names = decision.private, decision.verdict.regions
    return (
        uuid_of(decision.id),
        _number(decision.sequence),
        private.pseudonym.hex() or None,
        private.day or None,
        private.request.hex() or None,
        bool(private.sealed),
        [
            (
                names[each.region],
                each.state,
                each.latency_s if each.HasField("latency_s") else None,
                each.age_s if each.HasField("age_s") else None,
            )
            for each in decision.choice.estimates
        ],
    )


def decision_shared(decision: pb.Decision, context: Context) -> Row:
    """Give what repeats from one decision to the next."""
    facts, verdict, deny = decision.facts, decision.verdict, decision.deny
    config = context.configs.get(decision.config)
    judged = decision.HasField("verdict")
    permitted, excluded = _judged(verdict)
    plan = list(decision.steer.plan)
    shadow = decision.shadow if decision.HasField("shadow") else None
    return (
        decision.config,
        config.policy if config else None,
        _number(config.policy_version) if config else None,
        config.policy_revision if config else None,
        config.program if config else None,
        config.ingress_region if config else None,
        facts.tenant if facts.HasField("tenant") else None,
        facts.binding,
        facts.model if facts.HasField("model") else None,
        list(verdict.jurisdictions),
        verdict.assumed,
        list(verdict.classes),
        list(verdict.regimes),
        list(verdict.obligations),
        verdict.ingress if judged else None,
        permitted,
        excluded,
        [f"{each.regime}.{each.id}" for each in decision.permits],
        [
            (each.source, each.tier, each.jurisdiction if each.HasField("jurisdiction") else None, each.detail)
            for each in facts.signals
        ],
        [(each.source, each.data_class, each.detail) for each in facts.classes],
        list(facts.faults),
        "steer" if decision.HasField("steer") else "deny",
        deny.refusal or None,
        deny.retry_after_s if deny.HasField("retry_after_s") else None,
        deny.redirect_host if deny.HasField("redirect_host") else None,
        plan,
        decision.steer.route or None,
        plan[0] if plan else None,
        bool(decision.transfers),
        shadow.policy_revision if shadow is not None else None,
        (shadow.refusal or None) if shadow is not None else None,
        _judged(shadow_verdict(decision))[0] if shadow is not None and shadow.HasField("verdict") else None,
        decision.durability or context.durability,
    )


def _judged(verdict: pb.Verdict) -> tuple[list[str], list[Row]]:
    """Give the permitted regions, and the excluded ones with reason and by whom, in the catalogue's order."""
    names = verdict.regions
    check_answers(verdict, len(names))
    permitted: list[int] = []
    excluded: dict[int, Row] = {}
    for answer in verdict.answers:
        if not answer.exclusion:
            permitted += answer.regions
            continue
        by = answer.excluded_by if answer.HasField("excluded_by") else None
        for i in answer.regions:
            excluded[i] = (names[i], answer.exclusion, by)
    return [names[i] for i in sorted(permitted)], [excluded[i] for i in sorted(excluded)]


def transfers_shared(decision: pb.Decision) -> list[Row]:
    """Give one row for each transfer that a decision may cause, without the decision's id, which comes first."""
    rows: list[Row] = []
    for number, each in enumerate(decision.transfers):
        permit = decision.permits[each.permit]
        rows.append(
            (
                number,
                decision.facts.tenant if decision.facts.HasField("tenant") else None,
                each.region,
                each.exporter if each.HasField("exporter") else None,
                each.importer,
                permit.regime,
                permit.id,
                permit.basis,
                permit.mechanism if permit.HasField("mechanism") else None,
                permit.cite,
                each.reference or None,
            )
        )
    return rows


def _delivery(entry: pb.Entry) -> Row:
    delivery = entry.delivery
    return (
        uuid_of(delivery.decision) if delivery.HasField("decision") else None,
        [
            (
                each.cluster,
                each.region if each.HasField("region") else None,
                each.status,
                micros(each.began_at_s),
                each.duration_s,
                list(each.flags),
            )
            for each in delivery.attempts
        ],
        delivery.attempts_expected,
        delivery.served if delivery.HasField("served") else None,
        delivery.status,
        micros(delivery.began_at_s),
        delivery.duration_s,
        delivery.finding,
    )


def _override(entry: pb.Entry) -> Row:
    order = entry.override.suspension
    return (
        entry.override.action,
        order.id,
        order.kind,
        order.name,
        order.reason,
        micros(order.from_s),
        _opt_micros(order.HasField("until_s"), order.until_s),
        list(order.approved_by),
    )


def _config(entry: pb.Entry) -> Row:
    config, said = entry.config, configuration_of(entry.config)
    shadow = config.shadow if config.HasField("shadow") else None
    return (
        config.revision,
        said.policy,
        _number(said.policy_version),
        said.policy_revision,
        config.policy.stored,
        config.policy.profile,
        shadow.id if shadow is not None else None,
        _number(shadow.version) if shadow is not None else None,
        shadow.revision if shadow is not None else None,
        said.program,
        said.ingress_region,
        config.geo.sha256.hex() or None,
        _opt_micros(config.HasField("geo"), float(config.geo.build_epoch)),
        [
            (
                each.id,
                each.country,
                each.subdivision or None,
                each.cluster,
                each.rtt_s if each.HasField("rtt_s") else None,
            )
            for each in config.regions
        ],
    )


def _heartbeat(entry: pb.Entry) -> Row:
    beat = entry.heartbeat
    return (_number(beat.sequence), beat.running_s, _number(beat.free_bytes))


def _gap(entry: pb.Entry) -> Row:
    gap = entry.gap
    return (gap.reason, _number(gap.entries), micros(gap.first_at_s), micros(gap.last_at_s), _number(gap.released))


def _erasure(entry: pb.Entry) -> Row:
    erasure = entry.erasure
    return (
        erasure.scope,
        erasure.tenant,
        list(erasure.days),
        [each.hex() for each in erasure.pseudonyms],
        _number(erasure.keys),
        erasure.reason,
        list(erasure.approved_by),
    )


def _prune(entry: pb.Entry) -> Row:
    prune = entry.prune
    return (
        prune.origin,
        _number(prune.end),
        _number(prune.size),
        prune.root.hex(),
        micros(prune.newest_at_s),
        prune.reason,
        list(prune.approved_by),
    )


def _hold(entry: pb.Entry) -> Row:
    hold = entry.hold
    return (
        hold.action,
        hold.id,
        hold.origin,
        _opt_micros(hold.HasField("from_s"), hold.from_s),
        _opt_micros(hold.HasField("until_s"), hold.until_s),
        hold.reason,
        list(hold.approved_by),
    )


def _drill(entry: pb.Entry) -> Row:
    drill = entry.drill
    return (
        drill.scenario,
        drill.region or None,
        micros(drill.began_at_s),
        micros(drill.ended_at_s),
        _number(drill.requests),
        _number(drill.failed),
        _number(drill.outside_permitted),
        drill.recovery_s if drill.HasField("recovery_s") else None,
        drill.passed,
        drill.report.hex(),
    )


def _rotation(entry: pb.Entry) -> Row:
    return (entry.rotation.delegation.decode(), entry.rotation.checkpoint.decode())


def _genesis(entry: pb.Entry) -> Row:
    genesis = entry.genesis
    before = genesis.previous if genesis.HasField("previous") else None
    return (
        "genesis",
        genesis.durability,
        genesis.program,
        before.origin if before is not None else None,
        before.state if before is not None else None,
        _number(before.size) if before is not None else None,
        before.root.hex() if before is not None else None,
        None,
        (before.reason or None) if before is not None else None,
    )


def _recovered(entry: pb.Entry) -> Row:
    found = entry.recovered
    return ("recovered", None, None, None, None, _number(found.size), None, _number(found.cut), None)


def _close(entry: pb.Entry) -> Row:
    return ("close", None, None, None, None, None, None, None, entry.close.reason)


def _head(entry: pb.Entry) -> Row:
    note = entry.head.checkpoint
    stated = parse_checkpoint(parse_note(note).text)
    return (stated.origin, _number(stated.size), stated.root.hex(), note.decode())


ROWS: Final[Mapping[str, tuple[str, Callable[[pb.Entry], Row]]]] = MappingProxyType(
    {
        "delivery": ("deliveries", _delivery),
        "override": ("overrides", _override),
        "config": ("configs", _config),
        "heartbeat": ("heartbeats", _heartbeat),
        "gap": ("gaps", _gap),
        "erasure": ("erasures", _erasure),
        "prune": ("prunes", _prune),
        "hold": ("holds", _hold),
        "drill": ("drills", _drill),
        "rotation": ("rotations", _rotation),
        "genesis": ("lifecycle", _genesis),
        "recovered": ("lifecycle", _recovered),
        "close": ("lifecycle", _close),
        "head": ("heads", _head),
    }
)
"""For each kind of entry but a decision: its table, and how its row is made."""
