"""A running set of workers: one policy, one admin endpoint, several processes, and the ends of each of them."""

import asyncio
import json
import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from support.messages import processing_request
from support.sidecar import Setup
from workers.crew import Crew, descriptors, is_alive

from extproc.core.ids import DecisionId
from extproc.demo.process import python
from extproc.names import (
    ACCESS_LOG_SERVICE,
    ATTEMPT_LOG,
    DECISION_HEADER,
    METADATA_DECISION,
    METADATA_NAMESPACE,
    REQUEST_LOG,
    ROUTE_HEADER,
)
from extproc.sidecar.identifiers import worker_of

if TYPE_CHECKING:
    import grpc

pytestmark = pytest.mark.slow

_GERMAN = processing_request(address="31.0.0.7:0")
_EMIRATI = processing_request(address="31.3.0.7:0")


async def _route(crew: Crew, worker: int, message: bytes = _GERMAN) -> str | None:
    response = await crew.ask(worker, message)
    headers = response.request_headers.response.header_mutation.set_headers
    routes = [option.header.raw_value.decode() for option in headers if option.header.key == ROUTE_HEADER]
    return routes[0] if routes else None


async def _decide(crew: Crew, worker: int) -> DecisionId:
    response = await crew.ask(worker, _GERMAN)
    return DecisionId(response.dynamic_metadata["situs"]["decision"])


def _log(name: str) -> StreamAccessLogsMessage:
    message = StreamAccessLogsMessage()
    message.identifier.log_name = name
    return message


def _attempt(decision: DecisionId, cluster: str = "eu-fra", *, status: int = 200) -> bytes:
    message = _log(ATTEMPT_LOG)
    entry = message.http_logs.log_entry.add()
    entry.common_properties.upstream_cluster = cluster
    entry.common_properties.start_time.GetCurrentTime()
    entry.common_properties.duration.FromMilliseconds(5)
    entry.common_properties.response_flags.upstream_connection_failure = status == 0
    entry.response.response_code.value = status
    entry.request.request_headers[DECISION_HEADER] = decision
    return bytes(message.SerializeToString())


def _request(decision: DecisionId) -> bytes:
    message = _log(REQUEST_LOG)
    entry = message.http_logs.log_entry.add()
    common = entry.common_properties
    common.upstream_cluster = "eu-fra"
    common.upstream_request_attempt_count = 1
    common.upstream_remote_address.socket_address.address = "127.0.0.1"
    common.time_to_first_upstream_rx_byte.FromMilliseconds(4)
    common.start_time.GetCurrentTime()
    common.duration.FromMilliseconds(6)
    entry.response.response_code.value = 200
    common.metadata.filter_metadata[METADATA_NAMESPACE][METADATA_DECISION] = decision
    return bytes(message.SerializeToString())


class _Stream:
    """A stream of reports, as Envoy holds one open."""

    def __init__(self, crew: Crew, worker: int) -> None:
        call: grpc.aio.StreamUnaryMultiCallable[bytes, bytes]
        call = crew.channels[worker].stream_unary(f"/{ACCESS_LOG_SERVICE}/StreamAccessLogs")
        self._call: grpc.aio.StreamUnaryCall[bytes, bytes] = call()

    async def report(self, *messages: bytes) -> None:
        for message in messages:
            await self._call.write(message)

    async def close(self) -> None:
        await self._call.done_writing()
        await self._call


async def _verify(setup: Setup) -> subprocess.CompletedProcess[str]:
    command = [str(part) for part in python("extproc", "audit", "verify", setup.log)]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)


async def _recorded(setup: Setup) -> list[dict[str, object]]:
    command = [str(part) for part in python("extproc", "audit", "show", setup.log, "--json")]
    shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in shown.stdout.splitlines()]


async def test_each_worker_decides_and_all_of_it_is_seen_and_proved(crew: Crew) -> None:
    for worker in range(2):
        for _ in range(worker + 1):
            assert await _route(crew, worker) == "eu-fra>eu-ams"
            assert worker_of(await _decide(crew, worker)) == worker

    # One page, which Prometheus' own parser reads, with the supervisor's own beside the workers'.
    assert await crew.samples("situs_decisions_total", outcome="steered") == {"0": 2.0, "1": 4.0}
    assert await crew.samples("situs_workers_up") == {"": 2.0}
    assert await crew.samples("situs_worker_restarts_total") == {"0": 0.0, "1": 0.0}

    # A report reaches the wrong worker, and the right log: matched, and by nobody else.
    for reached, decided in ((0, 1), (1, 0), (0, 0)):
        decision = await _decide(crew, decided)
        stream = _Stream(crew, reached)
        await stream.report(_attempt(decision))
        other = _Stream(crew, reached)
        await other.report(_request(decision))

        async def matched(decided: int = decided, before: float = float((reached, decided) == (0, 0))) -> bool:
            found = await crew.samples("situs_deliveries_total", finding="matched")
            return found.get(str(decided), 0.0) == 1.0 + before

        await crew.until(matched)
        await stream.close()
        await other.close()
    assert sum((await crew.samples("situs_deliveries_total", finding="decided_elsewhere")).values()) == 0

    pids = [crew.pid(worker) for worker in range(2)]
    _own_nothing_of_each_other(crew, pids)

    assert await crew.stop() == 0
    assert not any(is_alive(pid) for pid in pids)
    verified = await _verify(crew.setup)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert {path.name for path in (crew.setup.log / "test").iterdir() if path.is_dir()} == {"0", "1"}
    assert (crew.setup.root / "log.key.1").exists()


def _own_nothing_of_each_other(crew: Crew, pids: list[int]) -> None:
    """No process keeps a log or a socket of another one open, which would outlive it."""
    assert all(Path(crew.socket(worker).removeprefix("unix:")).is_socket() for worker in range(2))
    opened = [descriptors(pid) for pid in pids]
    for own, other in ((0, 1), (1, 0)):
        assert any(f"/log/test/{own}/" in name for name in opened[own])
        assert not any(f"/log/test/{other}/" in name for name in opened[own])
    assert crew.child.pid is not None
    assert not any("/log/test/0/" in name or "/log/test/1/" in name for name in descriptors(crew.child.pid))


async def test_a_policy_and_within_a_second_a_legal_order_reach_every_worker(crew: Crew) -> None:
    text = crew.setup.policy.read_text()
    crew.setup.policy.write_text(text.replace("rtt_ms: 8", "rtt_ms: 80").replace("version: 1", "version: 2"))
    began_s = time.monotonic()
    for worker in range(2):
        await crew.until(partial(_is, crew, worker, "eu-ams>eu-fra"))
    # Each compiles it for itself, which takes as long as the machine's other work lets it.
    assert time.monotonic() - began_s < 3.0
    order = "id: LT-1, effect: suspend, region: me-dxb, reason: x, from: 2026-11-21, approved_by: [a, b]"
    crew.setup.overrides.write_text(f"apiVersion: situs/v1\noverrides: [{{{order}}}]\n")
    began_s = time.monotonic()
    for worker in range(2):
        await crew.until(partial(_is, crew, worker, None, _EMIRATI))
    assert time.monotonic() - began_s < 1.0
    assert await crew.samples("situs_reloads_total", result="taken") == {"0": 2.0, "1": 2.0}


async def _is(crew: Crew, worker: int, route: str | None, message: bytes = _GERMAN) -> bool:
    return await _route(crew, worker, message) == route


async def test_what_one_worker_hears_of_a_region_both_act_on_within_100_ms(crew: Crew) -> None:
    """Failures that Envoy reports to worker 0 take the region from both; the time between the two is what counts."""
    decisions = [await _decide(crew, 0) for _ in range(8)]
    stream = _Stream(crew, 0)
    changed_s: dict[int, float] = {}

    async def watch(worker: int) -> None:
        while await _route(crew, worker) == "eu-fra>eu-ams":  # noqa: ASYNC110 - only decisions show it
            await asyncio.sleep(0)
        changed_s[worker] = time.monotonic()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for worker in range(2):
            group.create_task(watch(worker))
        await stream.report(*(_attempt(decision, status=0) for decision in decisions))
    assert abs(changed_s[0] - changed_s[1]) < 0.1
    await stream.close()


async def test_a_killed_worker_comes_back_and_nothing_that_was_released_is_lost(crew: Crew) -> None:
    released = [await _decide(crew, worker) for worker in (0, 1) for _ in range(20)]
    stream = _Stream(crew, 0)
    await stream.report(_attempt(released[0]))
    killed = crew.pid(1)
    os.kill(killed, signal.SIGKILL)

    async def missing() -> bool:
        reasons = await crew.reasons()
        return reasons is not None and any(reason.startswith("worker 1 does not answer") for reason in reasons)

    await crew.until(missing)
    assert await crew.ready()
    # Somebody else's decision, whose worker is gone: recorded here, so that it is nowhere lost.
    await stream.report(_attempt(released[-1]))
    ended = _Stream(crew, 0)
    await ended.report(_request(released[-1]))
    released += [await _decide(crew, 0) for _ in range(20)]
    await crew.until(crew.all_ready)
    assert await crew.samples("situs_worker_restarts_total") == {"0": 0.0, "1": 1.0}
    assert await crew.samples("situs_workers_up") == {"": 2.0}
    released += [await _decide(crew, 1) for _ in range(5)]
    await stream.close()
    await ended.close()
    assert await crew.stop() == 0
    verified = await _verify(crew.setup)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    records = await _recorded(crew.setup)
    decided = {record["decision"]["id"] for record in records if record["kind"] == "decision"}  # type: ignore[index]
    assert set(released) <= decided


async def test_without_its_supervisor_every_worker_drains_and_ends_and_the_next_set_goes_on(crew: Crew) -> None:
    released = [await _decide(crew, worker) for worker in (0, 1)]
    workers = [crew.pid(worker) for worker in range(2)]
    supervisor = crew.child.pid
    assert supervisor is not None
    assert all(is_alive(pid) for pid in workers)
    for channel in crew.channels:
        await channel.close()
    os.kill(supervisor, signal.SIGKILL)
    process = crew.child._process
    assert process is not None
    await asyncio.to_thread(process.wait, 10)
    # At once, while the workers of before may still drain: it waits for them, and is not refused.
    await crew.start()
    assert not any(is_alive(pid) for pid in workers)
    released += [await _decide(crew, worker) for worker in (0, 1)]
    assert await crew.stop() == 0
    verified = await _verify(crew.setup)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    decided = {
        record["decision"]["id"]  # type: ignore[index]
        for record in await _recorded(crew.setup)
        if record["kind"] == "decision"
    }
    assert set(released) <= decided


def test_a_set_that_cannot_run_says_so_by_the_workers_exit_code(setup: Setup) -> None:
    setup.options += ["--workers", "2"]
    (setup.root / "log.key.1").write_text("not a key")
    (setup.root / "log.key.1").chmod(0o600)
    code, said = setup.refused()
    assert code == 78, said
    assert "log.key.1" in said
    assert "a worker refuses its configuration" in said


def test_what_no_set_could_use_is_refused_before_any_worker_starts(setup: Setup) -> None:
    good = setup.policy.read_text()
    setup.policy.write_text("this: is no policy\n")
    assert setup.refused("--workers", "2")[0] == 78
    setup.policy.write_text(good)
    code, said = setup.refused("--workers", "2", "--listen", "127.0.0.1:65535")
    assert (code, "leaves no port" in said) == (78, True)
    code, said = setup.refused("--workers", "0")
    assert (code, "Mend: give 1 to 64" in said) == (1, True)
    assert not setup.log.exists()
