"""From Envoy's gRPC access log to what happened: attempts upstream, and requests that ended.

Envoy's router writes one entry per attempt, the connection manager one per request; both name the *child* cluster, so
the region that was really tried. They are joined by the decision id. Entries hold addresses too: none of them leaves
this module.

SPEC: envoy.service.accesslog.v3, envoy.data.accesslog.v3.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage

from extproc.core.delivery import Attempt
from extproc.core.ids import DecisionId, RegionId
from extproc.names import (
    ATTEMPT_LOG,
    DECISION_HEADER,
    LOAD_HEADER,
    METADATA_DECISION,
    METADATA_NAMESPACE,
    REQUEST_LOG,
)

# Ids are ours: anything else was never a decision.
_DECISION: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

_PORT: Final = re.compile(r":(?:[0-9]+|\*)$")

# ENVOY: the short names that operators know from %RESPONSE_FLAGS%; documented under access log command operators.
_FLAGS: Final = (
    ("no_healthy_upstream", "UH"),
    ("upstream_connection_failure", "UF"),
    ("upstream_overflow", "UO"),
    ("no_route_found", "NR"),
    ("upstream_retry_limit_exceeded", "URX"),
    ("no_cluster_found", "NC"),
    ("duration_timeout", "DT"),
    ("downstream_connection_termination", "DC"),
    ("failed_local_healthcheck", "LH"),
    ("upstream_request_timeout", "UT"),
    ("local_reset", "LR"),
    ("upstream_remote_reset", "UR"),
    ("upstream_connection_termination", "UC"),
    ("upstream_protocol_error", "UPE"),
    ("stream_idle_timeout", "SI"),
    ("upstream_max_stream_duration_reached", "UMSDR"),
    ("overload_manager", "OM"),
    ("dns_resolution_failure", "DF"),
    ("downstream_remote_reset", "DR"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """One upstream attempt of a request. `decision` is None where the request bore no decision id.

    `first_byte_s` is how long its answer's first byte took in seconds, None where none came. `load` is what the cell
    said of its load, in the words of its header; empty where it said nothing.
    """

    decision: DecisionId | None
    attempt: Attempt
    first_byte_s: float | None = None
    load: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEnded:
    """One request, when Envoy was through with it.

    `attempts` is Envoy's count. `served` is the region whose answer the client got, None for Envoy's own answers.
    """

    decision: DecisionId | None
    attempts: int
    served: RegionId | None
    status: int
    began_at_s: float
    duration_s: float


Ended: TypeAlias = AttemptEnded | RequestEnded


class AccessLogReader:
    """Reads one access log stream; which log it is comes with the stream's first message only."""

    def __init__(self, region_of: Callable[[str], RegionId | None], hosts: Sequence[str] = ("*",)) -> None:
        """Read with `region_of`, from a cluster's name to its region or None.

        `hosts` are those whose requests are decided (`models.acme.example`, `*.acme.example`, `*`). Where the listener
        is shared, attempts for others that are in no region are not ours to judge, and are left out.
        """
        self._region_of = region_of
        self._hosts = tuple(host.lower() for host in hosts)
        self._log = ""

    def read(self, message: bytes) -> Iterator[Ended]:
        """Give the entries of one message, in order.

        Raises google.protobuf.message.DecodeError for bytes that are no message.
        """
        logs = StreamAccessLogsMessage.FromString(message)
        if logs.HasField("identifier"):
            self._log = logs.identifier.log_name
        for entry in logs.http_logs.log_entry:
            if self._log == ATTEMPT_LOG:
                ended = self._attempt(entry)
                if not self._is_anothers(ended, entry.request.authority):
                    yield ended
            elif self._log == REQUEST_LOG:
                yield self._request(entry)

    def _is_anothers(self, ended: AttemptEnded, authority: str) -> bool:
        """Tell whether an attempt is of a host that nobody decides about; one in a region is ours whatever its host."""
        if ended.decision is not None or ended.attempt.region is not None or not authority:
            return False
        return not any(_is_meant(host, authority.lower()) for host in self._hosts)

    def _attempt(self, entry: Any) -> AttemptEnded:  # noqa: ANN401 - an unstubbed protobuf message
        common = entry.common_properties
        return AttemptEnded(
            decision=_logged_decision(entry),
            attempt=Attempt(
                cluster=common.upstream_cluster,
                region=self._region_of(common.upstream_cluster),
                status=entry.response.response_code.value,
                began_at_s=_seconds(common.start_time),
                duration_s=_seconds(common.duration),
                flags=_flags(common.response_flags),
            ),
            first_byte_s=_first_byte_s(common),
            load=entry.response.response_headers.get(LOAD_HEADER, ""),
        )

    def _request(self, entry: Any) -> RequestEnded:  # noqa: ANN401 - an unstubbed protobuf message
        common = entry.common_properties
        reached = common.HasField("upstream_remote_address")
        answered = reached and common.HasField("time_to_first_upstream_rx_byte")
        return RequestEnded(
            decision=_noted_decision(entry),
            attempts=common.upstream_request_attempt_count if reached else 0,
            served=self._region_of(common.upstream_cluster) if answered else None,
            status=entry.response.response_code.value,
            began_at_s=_seconds(common.start_time),
            duration_s=_seconds(common.duration),
        )


def _is_meant(host: str, authority: str) -> bool:
    """Tell whether `host` stands for `authority`, with a port or without. Too many is the safe side."""
    name = _PORT.sub("", authority)
    pattern = _PORT.sub("", host)
    return name.endswith(pattern[1:]) if pattern.startswith("*") else name == pattern


def _logged_decision(entry: Any) -> DecisionId | None:  # noqa: ANN401 - an unstubbed protobuf message
    """Read the id of an attempt from the logged header: only a request that we steered has attempts."""
    return _parse_decision(entry.request.request_headers.get(DECISION_HEADER, ""))


def _noted_decision(entry: Any) -> DecisionId | None:  # noqa: ANN401 - an unstubbed protobuf message
    """Read the id of a request from the metadata that we returned, which no client can write.

    ENVOY: a request that is refused before the early strip (an escaped slash, say) is logged with the client's own
    headers, so the header must not be believed here. Attempts have no metadata.
    """
    namespaces = entry.common_properties.metadata.filter_metadata
    if METADATA_NAMESPACE not in namespaces:
        return None
    fields = namespaces[METADATA_NAMESPACE].fields
    return _parse_decision(fields[METADATA_DECISION].string_value) if METADATA_DECISION in fields else None


def _parse_decision(text: str) -> DecisionId | None:
    return DecisionId(text) if _DECISION.fullmatch(text) else None


def _first_byte_s(common: Any) -> float | None:  # noqa: ANN401 - an unstubbed protobuf message
    """Read how long an attempt waited for its answer. ENVOY: an attempt's times are counted from its own start."""
    if not common.HasField("time_to_first_upstream_rx_byte"):
        return None
    waited_s = _seconds(common.time_to_first_upstream_rx_byte)
    return waited_s if waited_s >= 0 else None


def _flags(flags: Any) -> tuple[str, ...]:  # noqa: ANN401 - an unstubbed protobuf message
    return tuple(short for name, short in _FLAGS if getattr(flags, name))


def _seconds(moment: Any) -> float:  # noqa: ANN401 - a Timestamp or a Duration
    seconds: float = moment.seconds + moment.nanos / 1e9
    return seconds
