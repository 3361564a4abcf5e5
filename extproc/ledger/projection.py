"""Entries as JSON, for people and tools. The record is the stored bytes; this is a view of them.

It has the fields of the schema, except that hashes are hex, ids are UUIDs, and whatever the schema points to by index
stands there by name: a verdict's `answers` become its `regions`, one object for each.
"""

from typing import Any, TypeAlias

from google.protobuf.json_format import MessageToDict

from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import check_answers, shadow_verdict
from extproc.ledger.entries import kind_of
from extproc.ledger.ids import id_from_bytes
from extproc.notes.errors import MalformedError

Json: TypeAlias = dict[str, object]
"""One JSON object."""


def entry_to_json(entry: pb.Entry) -> Json:
    """Project an entry into one JSON object. Raises MalformedError for one that points to what it does not hold."""
    projected: dict[str, Any] = MessageToDict(entry, preserving_proto_field_name=True)
    match kind := kind_of(entry):
        case "decision":
            try:
                projected["decision"] |= _name_in_decision(entry.decision)
            except IndexError:
                raise MalformedError("decision: an index that points nowhere") from None
        case "delivery" if entry.delivery.HasField("decision"):
            projected["delivery"]["decision"] = id_from_bytes(entry.delivery.decision)
        case "genesis" if entry.genesis.HasField("previous"):
            projected["genesis"]["previous"]["root"] = entry.genesis.previous.root.hex()
        case "config":
            for field in ("geo", "anonymity"):
                if entry.config.HasField(field):
                    projected["config"][field]["sha256"] = getattr(entry.config, field).sha256.hex()
        case "acknowledgement" if entry.acknowledgement.HasField("decision"):
            projected["acknowledgement"]["decision"] = id_from_bytes(entry.acknowledgement.decision)
        case "erasure" | "prune" | "drill":
            _write_hex(projected[kind], getattr(entry, kind))
        case _:
            pass
    return {"kind": kind, **projected}


def _write_hex(said: Json, message: pb.Erasure | pb.Prune | pb.Drill) -> None:
    """Write the bytes of a flat message as hex."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_BYTES:
            said[field.name] = value.hex() if isinstance(value, bytes) else [each.hex() for each in value]


def _name_in_decision(decision: pb.Decision) -> Json:
    """Give the fields of a decision that read otherwise in JSON."""
    named: Json = {"id": id_from_bytes(decision.id)}
    permits = [f"{permit.regime}.{permit.id}" for permit in decision.permits]
    if decision.HasField("verdict"):
        named["verdict"] = _name_in_verdict(decision.verdict, permits)
    if decision.HasField("shadow"):
        shadow = MessageToDict(decision.shadow, preserving_proto_field_name=True)
        if decision.shadow.HasField("verdict"):
            shadow["verdict"] = _name_in_verdict(shadow_verdict(decision), permits)
        named["shadow"] = shadow
    if decision.HasField("choice"):
        regions = decision.verdict.regions
        named["choice"] = {
            "plan": [regions[i] for i in decision.choice.plan],
            "estimates": [
                MessageToDict(each, preserving_proto_field_name=True) | {"region": regions[each.region]}
                for each in decision.choice.estimates
            ],
        }
    if decision.HasField("private"):
        private: Json = {
            name: getattr(decision.private, name).hex()
            for name in ("pseudonym", "request", "sealed")
            if getattr(decision.private, name)
        }
        named["private"] = private | ({"day": decision.private.day} if decision.private.day else {})
    if decision.transfers:
        named["transfers"] = [
            MessageToDict(each, preserving_proto_field_name=True) | {"permit": permits[each.permit]}
            for each in decision.transfers
        ]
    return named


def _name_in_verdict(verdict: pb.Verdict, permits: list[str]) -> Json:
    """Write a verdict with one object for each region, in the catalogue's order."""
    check_answers(verdict, len(verdict.regions))
    judged: dict[int, Json] = {}
    for answer in verdict.answers:
        grounds: Json = {"permits": [permits[permit] for permit in answer.permits]}
        if answer.exclusion:
            grounds["exclusion"] = answer.exclusion
        if answer.HasField("excluded_by"):
            grounds["excluded_by"] = answer.excluded_by
        for i in answer.regions:
            judged[i] = {"region": verdict.regions[i], **grounds}
    projected: dict[str, Any] = MessageToDict(verdict, preserving_proto_field_name=True)
    projected.pop("answers", None)
    # A no is written too: a reader must not have to know that silence is one.
    return projected | {"ingress": verdict.ingress, "regions": [judged[i] for i in sorted(judged)]}
