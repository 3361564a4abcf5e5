"""What the wire makes of Envoy's access log."""

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogCommon, HTTPAccessLogEntry, ResponseFlags
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from google.protobuf.message import DecodeError
from support.messages import struct

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
from extproc.wire.access_log import AccessLogReader, AttemptEnded, RequestEnded

_ID = DecisionId("01890a5d-ac96-774b-bcce-b302099a8057")
_FRA = RegionId("eu-fra")


def _region_of(cluster: str) -> RegionId | None:
    return _FRA if cluster == "eu-fra" else None


def _entry(*, cluster: str = "eu-fra", reached: bool = True, **flags: bool) -> HTTPAccessLogEntry:
    common = AccessLogCommon(
        upstream_cluster=cluster,
        upstream_request_attempt_count=2,
        response_flags=ResponseFlags(**flags),
    )
    common.start_time.FromNanoseconds(1_800_000_000_500_000_000)
    common.duration.FromMilliseconds(250)
    if reached:
        common.upstream_remote_address.socket_address.address = "10.0.0.1"
        common.time_to_first_upstream_rx_byte.FromMilliseconds(10)
    entry = HTTPAccessLogEntry(common_properties=common)
    entry.request.request_headers[DECISION_HEADER] = _ID
    common = entry.common_properties
    common.metadata.filter_metadata[METADATA_NAMESPACE].CopyFrom(struct({METADATA_DECISION: _ID}))
    entry.response.response_code.value = 503 if flags else 200
    return entry


def _message(*entries: HTTPAccessLogEntry, log: str | None = None) -> bytes:
    message = StreamAccessLogsMessage()
    if log is not None:
        message.identifier.log_name = log
    message.http_logs.log_entry.extend(entries)
    serialised: bytes = message.SerializeToString()
    return serialised


@pytest.mark.parametrize(
    ("authority", "cluster", "is_ours"),
    [
        ("shop.acme.example", "shop", False),
        ("shop.acme.example:10000", "shop", False),
        ("shop.acme.example", "eu-fra", True),  # without a decision in a region: whatever its host, a violation
        ("models.acme.example", "shop", True),  # of ours, where no region is
        ("Models.Acme.Example:10000", "shop", True),
        ("eu.models.acme.example", "shop", True),
        ("", "shop", True),
    ],
)
def test_attempts_for_hosts_of_others_are_ours_only_in_a_region(authority: str, cluster: str, *, is_ours: bool) -> None:
    entry = _entry(cluster=cluster)
    del entry.request.request_headers[DECISION_HEADER]
    entry.request.authority = authority
    message = _message(entry, log=ATTEMPT_LOG)
    shared = AccessLogReader(_region_of, ("models.acme.example", "*.models.acme.example"))
    assert bool(list(shared.read(message))) is is_ours
    assert list(AccessLogReader(_region_of).read(message))  # where every host is decided, every attempt counts


def test_an_attempt_that_was_decided_counts_whatever_its_host() -> None:
    entry = _entry(cluster="shop")
    entry.request.authority = "shop.acme.example"
    (ended,) = AccessLogReader(_region_of, ("models.acme.example",)).read(_message(entry, log=ATTEMPT_LOG))
    assert ended.decision == _ID


def test_an_attempt() -> None:
    reader = AccessLogReader(_region_of)
    failed = _entry(upstream_connection_failure=True, upstream_retry_limit_exceeded=True)
    assert list(reader.read(_message(failed, log=ATTEMPT_LOG))) == [
        AttemptEnded(
            decision=_ID,
            attempt=Attempt(
                cluster="eu-fra",
                region=_FRA,
                status=503,
                began_at_s=1_800_000_000.5,
                duration_s=0.25,
                flags=("UF", "URX"),
            ),
            first_byte_s=0.01,
        )
    ]


def test_an_attempt_tells_what_the_cell_said_of_its_load() -> None:
    entry = _entry()
    entry.response.response_headers[LOAD_HEADER] = "TEXT application_utilization=0.5"
    (ended,) = AccessLogReader(_region_of).read(_message(entry, log=ATTEMPT_LOG))
    assert isinstance(ended, AttemptEnded)
    assert ended.load == "TEXT application_utilization=0.5"


def test_an_attempt_without_an_answer_has_no_first_byte_and_no_load() -> None:
    (ended,) = AccessLogReader(_region_of).read(_message(_entry(reached=False), log=ATTEMPT_LOG))
    assert isinstance(ended, AttemptEnded)
    assert (ended.first_byte_s, ended.load) == (None, "")


def test_a_first_byte_from_before_the_attempt_is_none() -> None:
    entry = _entry()
    entry.common_properties.time_to_first_upstream_rx_byte.FromMilliseconds(-1)
    (ended,) = AccessLogReader(_region_of).read(_message(entry, log=ATTEMPT_LOG))
    assert isinstance(ended, AttemptEnded)
    assert ended.first_byte_s is None


def test_a_request() -> None:
    reader = AccessLogReader(_region_of)
    assert list(reader.read(_message(_entry(), log=REQUEST_LOG))) == [
        RequestEnded(
            decision=_ID,
            attempts=2,
            served=_FRA,
            status=200,
            began_at_s=1_800_000_000.5,
            duration_s=0.25,
        )
    ]


def test_a_request_that_envoy_answered_itself_reached_nobody() -> None:
    reader = AccessLogReader(_region_of)
    (ended,) = reader.read(_message(_entry(reached=False, no_healthy_upstream=True), log=REQUEST_LOG))
    assert isinstance(ended, RequestEnded)
    assert (ended.attempts, ended.served) == (0, None)


def test_the_log_is_named_once_for_a_whole_stream() -> None:
    reader = AccessLogReader(_region_of)
    assert len(list(reader.read(_message(_entry(), log=ATTEMPT_LOG)))) == 1
    assert [type(ended) for ended in reader.read(_message(_entry(), _entry()))] == [AttemptEnded, AttemptEnded]


def test_another_log_is_not_ours_to_read() -> None:
    assert list(AccessLogReader(_region_of).read(_message(_entry(), log="somebody-elses"))) == []


def test_a_cluster_that_is_no_regions() -> None:
    (ended,) = AccessLogReader(_region_of).read(_message(_entry(cluster="elsewhere"), log=ATTEMPT_LOG))
    assert isinstance(ended, AttemptEnded)
    assert ended.attempt.region is None


def test_a_request_without_a_decision() -> None:
    entry = _entry()
    del entry.request.request_headers[DECISION_HEADER]
    (ended,) = AccessLogReader(_region_of).read(_message(entry, log=ATTEMPT_LOG))
    assert ended.decision is None


def test_a_header_that_a_client_wrote_is_no_decision_of_a_request() -> None:
    """Envoy refuses some requests before the early strip and logs them with the client's own headers."""
    entry = _entry(reached=False)
    entry.common_properties.ClearField("metadata")
    (ended,) = AccessLogReader(_region_of).read(_message(entry, log=REQUEST_LOG))
    assert ended.decision is None


@pytest.mark.parametrize("text", ["zz", "", "x" * 5000, "00000000-dead-beef-0000-000000000000", f"{_ID} ", _ID.upper()])
def test_what_is_no_id_of_ours_is_no_decision(text: str) -> None:
    entry = _entry()
    entry.request.request_headers[DECISION_HEADER] = text
    (ended,) = AccessLogReader(_region_of).read(_message(entry, log=ATTEMPT_LOG))
    assert ended.decision is None


def test_bytes_that_are_no_message() -> None:
    with pytest.raises(DecodeError):
        list(AccessLogReader(_region_of).read(b"\xff"))
