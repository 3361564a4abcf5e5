"""One row for each entry but decisions: the values of a table's columns, in the order of :mod:`extproc.parquet.tables`.

Structs are tuples. Whatever cannot be a row raises ValueError, MalformedError (which wraps what the schema of entries
says) or IndexError, and the entry goes to the table `malformed`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from extproc.ledger import entry_pb2 as pb
from extproc.ledger.checkpoint import parse_checkpoint
from extproc.notes.note import parse_note
from extproc.parquet.context import configuration_of
from extproc.parquet.values import Row, micros, number, opt_micros, uuid_of


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
    order, resumption = entry.override.suspension, entry.override.resumption
    return (
        entry.override.action,
        order.id,
        order.kind,
        order.name,
        order.reason,
        micros(order.from_s),
        opt_micros(order.HasField("until_s"), order.until_s),
        list(order.approved_by),
        resumption.reason or None,
        opt_micros(entry.override.HasField("resumption"), resumption.at_s),
        list(resumption.approved_by),
    )


def _config(entry: pb.Entry) -> Row:
    config, said = entry.config, configuration_of(entry.config)
    shadow = config.shadow if config.HasField("shadow") else None
    return (
        config.revision,
        said.policy,
        number(said.policy_version),
        said.policy_revision,
        config.policy.stored,
        config.policy.profile,
        shadow.id if shadow is not None else None,
        number(shadow.version) if shadow is not None else None,
        shadow.revision if shadow is not None else None,
        said.program,
        said.ingress_region,
        config.geo.sha256.hex() or None,
        opt_micros(config.HasField("geo"), float(config.geo.build_epoch)),
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
    return (number(beat.sequence), beat.running_s, number(beat.free_bytes))


def _gap(entry: pb.Entry) -> Row:
    gap = entry.gap
    return (gap.reason, number(gap.entries), micros(gap.first_at_s), micros(gap.last_at_s), number(gap.released))


def _erasure(entry: pb.Entry) -> Row:
    erasure = entry.erasure
    return (
        erasure.scope,
        erasure.tenant,
        list(erasure.days),
        [each.hex() for each in erasure.pseudonyms],
        number(erasure.keys),
        erasure.reason,
        list(erasure.approved_by),
    )


def _prune(entry: pb.Entry) -> Row:
    prune = entry.prune
    return (
        prune.origin,
        number(prune.end),
        number(prune.size),
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
        opt_micros(hold.HasField("from_s"), hold.from_s),
        opt_micros(hold.HasField("until_s"), hold.until_s),
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
        number(drill.requests),
        number(drill.failed),
        number(drill.outside_permitted),
        drill.recovery_s if drill.HasField("recovery_s") else None,
        drill.passed,
        drill.report.hex(),
        drill.rto_target_s if drill.HasField("rto_target_s") else None,
        number(drill.records_lost),
        number(drill.rpo_target) if drill.HasField("rpo_target") else None,
        drill.policy_revision or None,
        drill.mode or None,
    )


def _acknowledgement(entry: pb.Entry) -> Row:
    seen = entry.acknowledgement
    return (
        uuid_of(seen.decision) if seen.HasField("decision") else None,
        seen.origin,
        number(seen.index),
        seen.finding,
        seen.reason,
        list(seen.approved_by),
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
        number(before.size) if before is not None else None,
        before.root.hex() if before is not None else None,
        None,
        (before.reason or None) if before is not None else None,
    )


def _recovered(entry: pb.Entry) -> Row:
    found = entry.recovered
    return ("recovered", None, None, None, None, number(found.size), None, number(found.cut), None)


def _close(entry: pb.Entry) -> Row:
    return ("close", None, None, None, None, None, None, None, entry.close.reason)


def _head(entry: pb.Entry) -> Row:
    note = entry.head.checkpoint
    stated = parse_checkpoint(parse_note(note).text)
    return (stated.origin, number(stated.size), stated.root.hex(), note.decode())


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
        "acknowledgement": ("acknowledgements", _acknowledgement),
        "rotation": ("rotations", _rotation),
        "genesis": ("lifecycle", _genesis),
        "recovered": ("lifecycle", _recovered),
        "close": ("lifecycle", _close),
        "head": ("heads", _head),
    }
)
"""For each kind of entry but a decision: its table, and how its row is made."""
