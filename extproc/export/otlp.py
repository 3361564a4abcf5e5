"""Entries as OpenTelemetry log records, for whoever collects those: a projection, which proves nothing by itself.

Owns the attributes (:data:`ATTRIBUTES` is their manual) and both encodings: one request in JSON per line, as the
collector's file exporter writes and its receiver reads them, and the same requests in protobuf, each after its length
in four bytes, most significant first.

SPEC: https://opentelemetry.io/docs/specs/otlp/ and https://opentelemetry.io/docs/specs/otel/logs/data-model/
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from types import MappingProxyType
from typing import Final, TypeAlias

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from google.protobuf.json_format import MessageToDict

from extproc.audit.summary import summarise
from extproc.core.delivery import Finding
from extproc.export.otlp_pb2 import AnyValue, ExportLogsServiceRequest, KeyValue, LogRecord
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.ids import id_from_bytes
from extproc.ledger.merkle import leaf_hash
from extproc.notes.errors import MalformedError

ATTRIBUTES: Final = MappingProxyType(
    {
        "situs.log.origin": "name of the log",
        "situs.log.index": "index of the entry in it",
        "situs.log.leaf": "its leaf hash, in hex",
        "situs.decision.id": "the decision that the record is or is about",
        "situs.decision.outcome": "steer or deny",
        "situs.decision.refusal": "reason code of a refusal",
        "situs.decision.plan": "regions in the order in which Envoy may try them",
        "situs.decision.transfer": "whether following the plan may cause a transfer",
        "situs.decision.config": "revision of the configuration in force",
        "situs.tenant": "tenant",
        "situs.model": "model",
        "situs.jurisdictions": "whose law claims the data",
        "situs.regimes": "regimes that govern the request",
        "situs.delivery.finding": "what reconciliation found",
        "situs.delivery.served": "region that served",
        "situs.delivery.regions": "every region that received the request",
        "http.response.status_code": "status of the response (OpenTelemetry's own name)",
    }
)
"""Attributes of a log record. Its event name is `situs.` and the kind of entry, its body the summary in words; the
resource has `service.name` (situs) and `service.instance.id` (the log's origin)."""

_Attributes: TypeAlias = RepeatedCompositeFieldContainer[KeyValue]
_BATCH: Final = 512
_LENGTH_BYTES: Final = 4
_NANO: Final = 1_000_000_000
_MICRO: Final = 1_000_000
_INFO, _WARN, _ERROR = 9, 13, 17
_VIOLATIONS: Final = frozenset(each.value for each in Finding if each.is_violation)


def requests_of(origin: str, entries: Iterable[tuple[int, bytes]]) -> Iterator[ExportLogsServiceRequest]:
    """Give the entries of one log, with their indices, in requests of at most 512 records."""
    waiting = iter(entries)
    while batch := list(islice(waiting, _BATCH)):
        request = ExportLogsServiceRequest()
        resource = request.resource_logs.add()
        _set(resource.resource.attributes, "service.name", "situs")
        _set(resource.resource.attributes, "service.instance.id", origin)
        scope = resource.scope_logs.add()
        scope.scope.name = "situs.evidence"
        for index, data in batch:
            _fill(scope.log_records.add(), origin, index, data)
        yield request


def json_line(request: ExportLogsServiceRequest) -> bytes:
    """Write a request as one line of JSON. SPEC: OTLP/JSON: names in lowerCamelCase, enumerations as numbers."""
    plain = MessageToDict(request)
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def framed(request: ExportLogsServiceRequest) -> bytes:
    """Write a request in protobuf, after its length."""
    data = request.SerializeToString(deterministic=True)
    return len(data).to_bytes(_LENGTH_BYTES) + data


def _fill(record: LogRecord, origin: str, index: int, data: bytes) -> None:
    """Fill in one record; what cannot be read says so, and is not left out."""
    attributes = record.attributes
    _set(attributes, "situs.log.origin", origin)
    _set(attributes, "situs.log.index", index)
    _set(attributes, "situs.log.leaf", leaf_hash(data).hex())
    try:
        entry = parse_entry(data)
        record.body.string_value = summarise(entry)
        nanos = round(entry.at_s * _MICRO) * (_NANO // _MICRO)
        record.event_name = f"situs.{kind_of(entry)}"
        record.time_unix_nano = record.observed_time_unix_nano = nanos
        record.severity_number = _severity(entry)
        _describe(attributes, entry)
    except (MalformedError, ValueError, IndexError, OverflowError) as error:
        record.event_name = "situs.malformed"
        record.severity_number = _ERROR
        record.body.string_value = f"an entry that cannot be read: {error}"


def _severity(entry: pb.Entry) -> int:
    match kind_of(entry):
        case "delivery" if entry.delivery.finding in _VIOLATIONS:
            return _ERROR
        case "gap":
            return _ERROR
        case "decision" if entry.decision.HasField("deny"):
            return _WARN
        case "delivery" if entry.delivery.finding == Finding.AFTER_ORDER:
            return _WARN
        case _:
            return _INFO


def _describe(attributes: _Attributes, entry: pb.Entry) -> None:
    match kind_of(entry):
        case "decision":
            decision = entry.decision
            _set(attributes, "situs.decision.id", id_from_bytes(decision.id))
            _set(attributes, "situs.decision.outcome", "steer" if decision.HasField("steer") else "deny")
            _set(attributes, "situs.decision.refusal", decision.deny.refusal)
            _set(attributes, "situs.decision.plan", list(decision.steer.plan))
            _set(attributes, "situs.decision.transfer", bool(decision.transfers))
            _set(attributes, "situs.decision.config", decision.config)
            _set(attributes, "situs.tenant", decision.facts.tenant)
            _set(attributes, "situs.model", decision.facts.model)
            _set(attributes, "situs.jurisdictions", list(decision.verdict.jurisdictions))
            _set(attributes, "situs.regimes", list(decision.verdict.regimes))
        case "delivery":
            delivery = entry.delivery
            if delivery.HasField("decision"):
                _set(attributes, "situs.decision.id", id_from_bytes(delivery.decision))
            _set(attributes, "situs.delivery.finding", delivery.finding)
            _set(attributes, "situs.delivery.served", delivery.served)
            _set(attributes, "situs.delivery.regions", [each.region or each.cluster for each in delivery.attempts])
            _set(attributes, "http.response.status_code", delivery.status)
        case _:
            pass


def _set(attributes: _Attributes, name: str, value: object) -> None:
    """Add an attribute; an empty text or list says nothing, and is left out."""
    if value in ("", []):
        return
    written = attributes.add(key=name).value
    match value:
        case bool():
            written.bool_value = value
        case int():
            written.int_value = value
        case str():
            written.string_value = value
        case list():
            written.array_value.values.extend(AnyValue(string_value=each) for each in value)
        case _:
            raise TypeError(f"{name}: no attribute is a {type(value).__name__}")
