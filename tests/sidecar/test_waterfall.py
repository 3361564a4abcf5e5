"""Tier 2 in a running sidecar that is spoken to as Envoy speaks to it: budgets, quotas, sessions, and lost signals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from support.messages import processing_request
from support.sidecar import Setup, Sidecar, started

from extproc.audit.replay import replay
from extproc.audit.show import read_records
from extproc.ledger.entries import decision_from_entry
from extproc.names import (
    ACCESS_LOG_SERVICE,
    DECISION_HEADER,
    METADATA_DECISION,
    METADATA_NAMESPACE,
    REQUEST_LOG,
    ROUTE_HEADER,
)
from extproc.policy.load import load_policy

pytestmark = pytest.mark.slow


class Reports:
    """Envoy's stream of ended requests."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        first = StreamAccessLogsMessage(identifier=StreamAccessLogsMessage.Identifier(log_name=REQUEST_LOG))
        self._messages.put_nowait(first.SerializeToString())

    def ended(self, decision: str, cluster: str) -> None:
        """Report a request that a region answered."""
        entry = HTTPAccessLogEntry()
        common = entry.common_properties
        common.metadata.filter_metadata[METADATA_NAMESPACE].fields[METADATA_DECISION].string_value = decision
        common.upstream_cluster = cluster
        common.upstream_request_attempt_count = 1
        common.upstream_remote_address.socket_address.address = "127.0.0.1"
        common.time_to_first_upstream_rx_byte.FromMilliseconds(5)
        entry.response.response_code.value = 200
        message = StreamAccessLogsMessage()
        message.http_logs.log_entry.append(entry)
        self._messages.put_nowait(message.SerializeToString())

    async def messages(self) -> AsyncIterator[bytes]:
        """Give what is sent, as it comes."""
        while (message := await self._messages.get()) is not None:
            yield message


@asynccontextmanager
async def reporting(sidecar: Sidecar) -> AsyncIterator[Reports]:
    """Report as Envoy does; on leaving, the stream is cut."""
    reports = Reports()
    async with grpc.aio.insecure_channel(sidecar.setup.socket) as channel:
        method: grpc.aio.StreamUnaryMultiCallable[bytes, bytes]
        method = channel.stream_unary(f"/{ACCESS_LOG_SERVICE}/StreamAccessLogs")
        call = method(reports.messages())

        async def counted() -> bool:
            return await sidecar.metric("situs_access_log_streams") == 1

        await sidecar.until(counted)
        try:
            yield reports
        finally:
            call.cancel()


async def _ask(sidecar: Sidecar, *, session: bytes | None = None) -> tuple[str | None, str, int]:
    """Give the route, the decision id and the status of one request of a German client."""
    headers = () if session is None else (("x-session-id", session),)
    response = await sidecar.process(processing_request(address="31.0.0.7:0", headers=headers))
    if response.HasField("immediate_response"):
        return None, "", response.immediate_response.status.code
    set_headers = {
        option.header.key: option.header.raw_value.decode()
        for option in response.request_headers.response.header_mutation.set_headers
    }
    return set_headers[ROUTE_HEADER], set_headers[DECISION_HEADER], 200


@asynccontextmanager
async def _serving(setup: Setup, *changes: tuple[str, str]) -> AsyncIterator[Sidecar]:
    """A sidecar with a changed policy."""
    text = setup.policy.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    setup.policy.write_text(text)
    async with started(Sidecar(setup)) as running:
        yield running


@pytest.fixture
async def small(setup: Setup) -> AsyncIterator[Sidecar]:
    """A sidecar whose European regions take two requests each."""
    quotas = [(f"{region}: {{country", f"{region}: {{quota: 2, country") for region in ("eu-fra", "eu-ams")]
    async with _serving(setup, *quotas) as running:
        yield running


async def test_a_full_region_gives_way_to_the_next_and_the_last_refuses(small: Sidecar) -> None:
    async with reporting(small) as reports:
        asked = [await _ask(small) for _ in range(5)]
        primaries = [route.partition(">")[0] if route else None for route, _, _ in asked]
        assert primaries == ["eu-fra", "eu-fra", "eu-ams", "eu-ams", None]
        assert asked[-1][2] == 503
        assert await small.metric('situs_decisions_total{outcome="refused",reason="spill_refused"}') == 1

        reports.ended(asked[0][1], "eu-fra")

        async def has_room() -> bool:
            return await small.metric('situs_region_in_flight{region="eu-fra"}') == 1

        await small.until(has_room)
        # eu-ams is at its quota, so Envoy may not try it either.
        assert (await _ask(small))[0] == "eu-fra"
    await small.stop()
    _replays(small.setup)


async def test_without_reports_nothing_is_counted_and_nothing_refused(small: Sidecar) -> None:
    assert {(await _ask(small))[0] for _ in range(8)} == {"eu-fra>eu-ams"}
    async with reporting(small):
        assert [(await _ask(small))[2] for _ in range(5)] == [200, 200, 200, 200, 503]

    async def cut() -> bool:
        return await small.metric("situs_access_log_streams") == 0

    await small.until(cut)
    assert {(await _ask(small))[0] for _ in range(8)} == {"eu-fra>eu-ams"}
    assert await small.metric("situs_violations_total") == 0


async def test_a_session_stays_where_it_is_and_sessions_are_shared_out(setup: Setup) -> None:
    affinity = ("\ningress:", "\naffinity: {header: x-session-id}\n\ningress:")
    async with _serving(setup, affinity) as sidecar, reporting(sidecar) as reports:
        found: dict[bytes, set[str | None]] = {}
        for _ in range(3):
            for number in range(24):
                session = b"caller-%d" % number
                route, decision, _status = await _ask(sidecar, session=session)
                assert route is not None
                reports.ended(decision, route.partition(">")[0])
                found.setdefault(session, set()).add(route)
        await sidecar.stop()
    moved = [session for session, routes in found.items() if len(routes) > 1]
    assert len(moved) <= 4, "only the bound on load may move a session"
    homes = [min(routes, key=str) for routes in found.values()]
    assert {"eu-fra>eu-ams", "eu-ams>eu-fra"} == set(homes)
    _replays(setup)
    assert b"caller-" not in b"".join(path.read_bytes() for path in setup.log.rglob("*") if path.is_file())


async def test_a_drained_region_takes_nothing_new(setup: Setup) -> None:
    drain = ("\ningress:", "\ndeployment: {pattern: active-active, drain: [eu-fra]}\n\ningress:")
    async with _serving(setup, drain) as sidecar:
        assert {(await _ask(sidecar))[0] for _ in range(5)} == {"eu-ams"}
        await sidecar.stop()
    _replays(setup)


def _replays(setup: Setup) -> None:
    """Decide every recorded decision again."""
    policy = load_policy(setup.policy).tables
    decisions = [decision_from_entry(each.entry) for each in read_records(setup.log) if each.kind == "decision"]
    assert len(decisions) >= 5
    for decision in decisions:
        assert replay(decision, policy, ()) == decision
