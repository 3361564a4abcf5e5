"""What a real Envoy tells of regions, how soon it takes one back, and how it goes on with one of several workers."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from mesh.example import LOOPBACK, READING, mesh_of, tables_of
from mesh.world import TELL, Cell, World, free_port, rendered, running_envoy, running_world, wait_for

from extproc.core.ids import RegionId
from extproc.mesh.section import Health, Mesh, Timeouts, UnixSocket
from extproc.names import ATTEMPT_LOG, DECISION_HEADER, LOAD_HEADER, REQUEST_LOG
from extproc.signals.orca import parse_load
from extproc.wire.access_log import AccessLogReader, AttemptEnded

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TESTS = Path(__file__).parents[1]
MESSAGE_S = 0.5


@pytest.fixture
def world(any_envoy: Path, tmp_path: Path) -> Iterator[World]:
    with running_world(any_envoy, tmp_path) as running:
        yield running


def attempts_of(world: World, decision: str) -> list[AttemptEnded]:
    """Read the entries of attempts as the sidecar does."""
    message = StreamAccessLogsMessage()
    message.identifier.log_name = ATTEMPT_LOG
    message.http_logs.log_entry.extend(world.sidecar.logged(ATTEMPT_LOG, decision))
    read = AccessLogReader(RegionId).read(message.SerializeToString())
    return [ended for ended in read if isinstance(ended, AttemptEnded)]


def test_each_attempt_tells_the_cells_load_and_its_own_time_to_the_first_byte(world: World) -> None:
    world.cells[0].status, world.cells[0].takes_s = 503, 0.3
    assert world.get("route c0>c1").status_code == 200
    decision = world.cells[1].requests[0][DECISION_HEADER]
    wait_for("both attempts", lambda: len(world.sidecar.logged(ATTEMPT_LOG, decision)) == 2)
    failed, served = attempts_of(world, decision)
    for attempt in (failed, served):
        assert attempt.load == "TEXT cpu_utilization=0.1"
        report = parse_load(attempt.load, at_s=0.0)
        assert report is not None
        assert report.utilization == 0.1
    assert failed.first_byte_s is not None
    assert served.first_byte_s is not None
    assert 0.3 <= failed.first_byte_s <= failed.attempt.duration_s
    assert 0 < served.first_byte_s < 0.3


def test_an_attempt_without_an_answer_tells_neither(world: World) -> None:
    world.cells[0].status = 0
    assert world.get("route c0>c1").status_code == 200
    decision = world.cells[1].requests[0][DECISION_HEADER]
    wait_for("both attempts", lambda: len(world.sidecar.logged(ATTEMPT_LOG, decision)) == 2)
    broken, _ = attempts_of(world, decision)
    assert (broken.load, broken.first_byte_s) == ("", None)


def test_nothing_else_of_an_answer_is_logged(world: World) -> None:
    assert world.get("route c0").status_code == 200
    decision = world.cells[0].requests[0][DECISION_HEADER]
    (request,) = wait_for("the request's entry", lambda: world.sidecar.logged(REQUEST_LOG, decision))
    (attempt,) = wait_for("the attempt's entry", lambda: world.sidecar.logged(ATTEMPT_LOG, decision))
    assert dict(request.response.response_headers) == {}
    assert dict(attempt.response.response_headers) == {LOAD_HEADER: "TEXT cpu_utilization=0.1"}


def test_a_region_that_is_back_is_taken_within_a_second(any_envoy: Path, tmp_path: Path) -> None:
    """With the documented defaults: before any traffic, and with it."""

    def defaults(mesh: Mesh) -> Mesh:
        return replace(mesh, health=Health())

    with running_world(any_envoy, tmp_path, change=defaults) as world:
        for has_traffic in (False, True):
            if has_traffic:
                assert world.get("route c0").status_code == 200
            world.cells[0].ready = False
            wait_for("the check to notice", lambda: world.counter("cluster.c0.membership_healthy") == 0)
            time.sleep(1.2)  # past the check that follows a change at once
            world.cells[0].ready = True
            back_s = time.monotonic()
            wait_for("the check to notice", lambda: world.get("route c0").status_code == 200)
            assert time.monotonic() - back_s < 1.0


class Workers:
    """Two workers of a told sidecar, and clients that ask without a pause."""

    def __init__(self, directory: Path, host: str) -> None:
        self._directory = directory
        self._host = host
        self.processes = [self.start(worker) for worker in range(2)]

    def start(self, worker: int) -> subprocess.Popen[str]:
        path = self._directory / ("s.sock" if worker == 0 else f"s.sock.{worker}")
        process = subprocess.Popen(
            [sys.executable, TESTS / "mesh" / "told_worker.py", path],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        return process

    @contextlib.contextmanager
    def asked(self, clients: int = 4) -> Iterator[list[int]]:
        """Ask from now on, and give the statuses of the answers."""
        ends, statuses = threading.Event(), list[int]()

        def ask() -> None:
            connection = http.client.HTTPConnection(self._host)
            with contextlib.closing(connection):
                while not ends.is_set():
                    connection.request("GET", "/v2/models/digits/infer", headers={TELL: "route c0"})
                    answer = connection.getresponse()
                    answer.read()
                    statuses.append(answer.status)

        threads = [threading.Thread(target=ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield statuses
        finally:
            ends.set()
            for thread in threads:
                thread.join()


@contextlib.contextmanager
def two_workers(binary: Path, directory: Path) -> Iterator[Workers]:
    cell, listener, admin = Cell(), free_port(), free_port()
    mesh = mesh_of([cell.port], listener=listener, admin=admin, sidecar=UnixSocket(unix=str(directory / "s.sock")))
    mesh = replace(mesh, workers=2, timeouts=Timeouts(message_s=MESSAGE_S))
    workers = Workers(directory, f"{LOOPBACK}:{listener}")
    try:
        with running_envoy(binary, directory, rendered(tables_of(1), READING, mesh)):

            def both_are_healthy() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    stats = httpx.get(
                        f"http://{LOOPBACK}:{admin}/stats", params={"filter": "situs_sidecar.membership_healthy"}
                    )
                    return stats.text.strip().endswith(": 2")
                return False

            wait_for("both workers to be healthy", both_are_healthy)
            yield workers
    finally:
        for process in workers.processes:
            process.kill()
            process.communicate()
        cell.close()


def test_a_worker_that_is_killed_costs_no_request(any_envoy: Path, tmp_path: Path) -> None:
    with two_workers(any_envoy, tmp_path) as workers:
        with workers.asked() as statuses:
            time.sleep(0.5)
            workers.processes[1].kill()
            workers.processes[1].communicate()
            time.sleep(1.5)
            workers.processes[1] = workers.start(1)
            time.sleep(1.0)
        assert len(statuses) > 100
        assert Counter(statuses) == {200: len(statuses)}


def test_a_worker_that_hangs_is_left_out_after_a_second(any_envoy: Path, tmp_path: Path) -> None:
    with two_workers(any_envoy, tmp_path) as workers:
        workers.processes[1].send_signal(signal.SIGSTOP)
        with workers.asked() as statuses:
            time.sleep(2.0)
        assert set(statuses) <= {200, 504}
        assert statuses.count(504) <= 20
        with workers.asked() as statuses:
            time.sleep(1.0)
        assert len(statuses) > 20
        assert Counter(statuses) == {200: len(statuses)}
        workers.processes[1].send_signal(signal.SIGCONT)
