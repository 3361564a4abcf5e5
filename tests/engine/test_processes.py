"""Processes that end when they should, and only then."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine.work import end_this_process, where

from extproc.engine import EngineError, ProcessEngine, SerialEngine, open_engine

pytestmark = pytest.mark.slow
_WAIT_S = 20.0
_ITEMS = 400
"""So many that some are left when the program hears of its end, however busy the machine is."""
_PROGRAM = """
import sys
from engine.work import leave_pid_and_wait
from extproc.engine import ProcessEngine
if __name__ == "__main__":
    try:
        list(ProcessEngine(2).run(leave_pid_and_wait, sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(99)
"""


def test_the_work_is_done_elsewhere_and_by_as_many_as_said() -> None:
    pids = set(ProcessEngine(2).run(where, range(6)))
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert set(ProcessEngine(2).run(where, [0])) == {os.getpid()}


def test_a_process_that_is_ended_from_outside_is_an_error() -> None:
    with pytest.raises(EngineError, match="ended from outside"):
        list(ProcessEngine(2).run(end_this_process, range(4)))


def _start(tmp_path: Path) -> tuple["subprocess.Popen[bytes]", list[int], list[Path]]:
    """Start a program with two workers in a group of its own, and wait until both are at work."""
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    marks = [tmp_path / str(n) for n in range(_ITEMS)]
    tests, root = Path(__file__).parents[1], Path(__file__).parents[2]
    started = subprocess.Popen(
        [sys.executable, str(program), *map(str, marks)],
        env={**os.environ, "PYTHONPATH": f"{tests}:{root}"},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _until(lambda: all(mark.exists() for mark in marks[:2]))
    return started, [int(mark.read_text()) for mark in marks[:2]], marks


def _until(true: "object") -> None:
    assert callable(true)
    end = time.monotonic() + _WAIT_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def _ends(pid: int) -> bool:
    """Wait for the end of any process; False where it does not come."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], _WAIT_S)[0])
    finally:
        os.close(descriptor)


def test_ctrl_c_ends_the_run_and_its_processes(tmp_path: Path) -> None:
    started, pids, marks = _start(tmp_path)
    # As a terminal does: to all processes of the group at once.
    os.killpg(started.pid, signal.SIGINT)
    for mark in marks:
        mark.with_suffix(".go").touch()
    assert started.wait(_WAIT_S) == 99
    assert all(map(_ends, pids))
    # What had not begun was not begun.
    assert not marks[-1].exists()


def test_no_process_outlives_a_caller_that_is_killed(tmp_path: Path) -> None:
    started, pids, _ = _start(tmp_path)
    os.kill(started.pid, signal.SIGKILL)
    started.wait(_WAIT_S)
    assert all(map(_ends, pids))


@pytest.mark.parametrize(
    "name", ["", "threads", "auto=2", "serial=1", "processes=", "processes=0", "processes=x", "dask="]
)
def test_names_of_no_engine_are_refused(name: str) -> None:
    with pytest.raises(EngineError, match=r"Mend: write"):
        open_engine(name)


def test_names_of_engines() -> None:
    assert isinstance(open_engine("serial"), SerialEngine)
    assert open_engine("processes=3").workers == 3
    assert open_engine("auto").workers == len(os.sched_getaffinity(0))


def test_a_cluster_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.engine.dask._TIMEOUT_S", 0.5)
    with pytest.raises(EngineError, match=r"dask=tcp://127.0.0.1:1: cannot be reached.*Mend: check the address"):
        open_engine("dask=tcp://127.0.0.1:1")


@pytest.mark.slow
def test_workers_of_a_cluster_that_die_are_an_error(caplog: pytest.LogCaptureFixture) -> None:
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), caplog.at_level("CRITICAL"):
        engine = open_engine("dask")
        with pytest.raises(EngineError, match=r"dask: workers ended, or the scheduler did: KilledWorker\. Mend: "):
            list(engine.run(os._exit, [1]))
