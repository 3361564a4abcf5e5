"""The socket: who may ask, what is answered, and that nothing that comes through it harms the sidecar."""

import asyncio
import fcntl
import json
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from control.world import APPROVERS, Socket, order, raw, start, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from extproc.control import desk, server
from extproc.control.client import ask
from extproc.control.errors import ControlError, OrderError
from extproc.control.http import MOST_BODY
from extproc.control.peers import permitted_uids
from extproc.policy import override_file
from extproc.policy.override_file import load_orders


async def _ask(control: Socket, path: str, document: dict[str, object] | None = None) -> dict[str, Any]:
    return await asyncio.to_thread(ask, control.address, path, document)


async def _raw(control: Socket, data: bytes, *, end: bool = True) -> tuple[int, dict[str, Any]]:
    got = await asyncio.to_thread(raw, control.path, data, end=end)
    head, _, body = got.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def _post(body: bytes, path: str = "/v1/suspend", more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: x\r\n{more}content-length: {len(body)}\r\n\r\n".encode() + body


async def test_an_order_is_written_and_answered_when_it_is_in_force(control: Socket) -> None:
    done = await _ask(control, "/v1/suspend", order())
    (written,) = load_orders(control.overrides).suspensions
    assert done["ids"] == [written.id]
    assert done["in_force"] is True
    assert done["orders"][0]["approved_by"] == APPROVERS
    assert control.process.waited == [(frozenset({written.id}), frozenset())]
    done = await _ask(control, "/v1/resume", order(until=None, reason="lifted"))
    assert done == {"ids": [written.id], "in_force": True, "orders": []}
    assert control.process.waited[1:] == [(frozenset(), frozenset({written.id}))]
    (ended,) = load_orders(control.overrides).resumptions
    assert (ended.order, ended.reason, list(ended.approved_by)) == (written.id, "lifted", APPROVERS)


async def test_who_gave_an_order_stands_in_the_event_log(control: Socket) -> None:
    with capture_logs() as events:
        await _ask(control, "/v1/suspend", order())
        with pytest.raises(OrderError):
            await _ask(control, "/v1/suspend", order(approved_by=["a"]))
    told = [event for event in events if event["log_level"] == "warning"]
    assert [event["event"] for event in told] == [
        "an order was given through the control socket",
        "an order through the control socket was refused",
    ]
    assert {(event["uid"], event["pid"]) for event in told} == {(os.geteuid(), os.getpid())}
    assert told[0]["approved_by"] == tuple(APPROVERS)


async def test_a_process_that_cannot_tell_says_so(control: Socket) -> None:
    control.process.tells = False
    assert (await _ask(control, "/v1/suspend", order()))["in_force"] is None


async def test_an_order_that_is_not_in_force_in_time_is_not_said_to_be(
    control: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "IN_FORCE_S", 0.02)
    control.process.hangs = True
    assert (await _ask(control, "/v1/suspend", order()))["in_force"] is False
    assert len(load_orders(control.overrides).suspensions) == 1


@pytest.mark.parametrize(
    ("path", "document", "said"),
    [
        ("/v1/suspend", order(region="eu-fro"), "did you mean 'eu-fra'"),
        ("/v1/suspend", order(region=None, permit="x.y"), "has no permit 'x.y'"),
        ("/v1/suspend", order(region=None, model="x"), "there is no model to name"),
        ("/v1/suspend", order(approved_by=["a"]), "two approvers"),
        ("/v1/suspend", order(until="2001-01-01"), "has passed"),
        ("/v1/resume", order(until=None), "holds no suspension"),
        ("/v1/resume", order(), "has no 'until'"),
    ],
)
async def test_an_order_that_cannot_be_is_refused_and_nothing_is_written(
    control: Socket, path: str, document: dict[str, object], said: str
) -> None:
    before = control.overrides.read_bytes()
    with pytest.raises(OrderError, match=said):
        await _ask(control, path, document)
    assert control.overrides.read_bytes() == before


async def test_while_nobody_says_which_names_there_are_an_order_is_taken_as_it_is(control: Socket) -> None:
    control.process.silent = True
    await _ask(control, "/v1/suspend", order(region="eu-xxx"))
    assert [each.name for each in load_orders(control.overrides).suspensions] == ["eu-xxx"]


async def test_while_nobody_says_how_things_are_that_is_told(control: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    async def status(_: object) -> None:
        raise ControlError("no worker answers")

    monkeypatch.setattr(type(control.process), "status", status)
    with pytest.raises(ControlError, match="no worker answers"):
        await _ask(control, "/v1/status")


def _spoilt(control: Socket) -> None:
    control.overrides.write_text("apiVersion: situs/v1\n")


def _no_folder(control: Socket) -> None:
    control.overrides.rename(control.path.parent / "elsewhere.yaml")
    control.process.overrides.with_name(f".{control.overrides.name}.lock").mkdir()


@pytest.mark.parametrize(("spoil", "said"), [(_spoilt, "overrides"), (_no_folder, "the folder cannot be written to")])
async def test_a_file_that_cannot_be_written_is_told_of(
    control: Socket, spoil: Callable[[Socket], None], said: str
) -> None:
    spoil(control)
    with pytest.raises(ControlError, match=said):
        await _ask(control, "/v1/suspend", order())


async def test_a_full_disk_is_told_of(control: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(override_file, "_replace", full)
    with pytest.raises(ControlError, match=r"No space left.*Mend: make room"):
        await _ask(control, "/v1/suspend", order())


async def test_a_file_that_somebody_else_holds_holds_up_nobody_else(
    control: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "WRITE_S", 0.1)
    monkeypatch.setattr(override_file, "LOCK_S", 0.3)
    with (control.overrides.parent / ".overrides.yaml.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = asyncio.create_task(_ask(control, "/v1/suspend", order()))
        assert (await _ask(control, "/v1/status"))["ready"] is True
        assert not waiting.done()
        with pytest.raises(ControlError, match="may be written yet"):
            await waiting


async def test_questions_are_answered(control: Socket) -> None:
    await _ask(control, "/v1/suspend", order())
    status = await _ask(control, "/v1/status?x=1")
    assert [region["region"] for region in status["regions"]] == ["eu-fra", "eu-ams"]
    assert status["logs"][0]["size"] == 12
    orders = await _ask(control, "/v1/orders")
    assert [each["region"] for each in orders["orders"]] == ["eu-fra"]
    assert orders["inert"] == ["LT-9"]


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", 404, "/v1/status"),
        (b"POST /v1/status HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", 405, "GET /v1/status"),
        (b"GET /v1/suspend HTTP/1.1\r\nhost: x\r\n\r\n", 405, "POST /v1/suspend"),
        (b"HEAD /v1/suspend HTTP/1.1\r\nhost: x\r\n\r\n", 405, "POST /v1/suspend"),
        (b"nonsense\r\n\r\n", 400, "not a request of HTTP/1.1"),
        (b"GET /v1/status HTTP/1.1\r\nhost: x\r\n" + b"a" * 20_000, 431, "not a request"),
        (b"GET /v1/sta", 400, "not a request"),
        (b"POST /v1/suspend HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n{", 400, "not a request"),
        (_post(b"x" * (MOST_BODY + 1)), 413, "longer than"),
        (_post(b"{}", more="content-length: 99999999999\r\n"), 400, "not a request"),
        (_post(b"["), 400, "not JSON"),
        (_post(b"[" * MOST_BODY), 400, "not JSON"),
        (_post(b"9" * 5000), 400, "not JSON"),
        (_post(b'{"reason": NaN}'), 400, "NaN is no number"),
        (_post(b'{"region": "eu-fra", "region": "eu-ams"}'), 400, "a key stands twice"),
        (_post(b"\xff\xfe"), 400, "not JSON"),
        (_post(b'"\\ud800"'), 400, "JSON object"),
        (_post(b'{"\\ud800": 1}'), 400, "has no"),
        (
            b"POST /v1/suspend HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            400,
            "thing",
        ),
    ],
)
async def test_what_is_no_request_is_answered_in_its_kind(control: Socket, data: bytes, status: int, said: str) -> None:
    found, document = await _raw(control, data)
    assert found == status
    assert said in document["error"]
    assert "Mend: " in document["error"]


async def test_chunks_without_end_are_cut_off(control: Socket) -> None:
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    data = b"POST /v1/suspend HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + chunk * 200
    found, _ = await _raw(control, data, end=False)
    assert found == 413


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    data=st.binary(max_size=300)
    | st.binary(max_size=200).map(_post)
    | st.builds(
        lambda head, tail: b"POST /v1/suspend HTTP/1.1\r\n" + head + b"\r\n\r\n" + tail,
        st.binary(max_size=60),
        st.binary(max_size=60),
    )
)
def test_whatever_bytes_come_the_socket_goes_on(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    async def run() -> None:
        control = await start(tmp_path_factory.mktemp("c"))
        before = control.overrides.read_bytes()
        try:
            with capture_logs() as events:
                got = await asyncio.to_thread(raw, control.path, data)
                assert got == b"" or got.startswith(b"HTTP/1.1 4"), got
                assert (await _ask(control, "/v1/status"))["ready"] is True
            assert not [event for event in events if event["log_level"] == "error"]
            assert control.overrides.read_bytes() == before
        finally:
            await control.server.close()

    asyncio.run(run())


async def test_somebody_slow_is_told_and_keeps_nobody_waiting(control: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_S", 0.15)
    slow = asyncio.create_task(_raw(control, b"GET /v1/status HTTP/1.1\r\n", end=False))
    await asyncio.sleep(0)
    assert (await _ask(control, "/v1/status"))["ready"] is True
    found, document = await slow
    assert found == 408
    assert "no whole request" in document["error"]


async def test_more_connections_than_are_borne_are_refused_at_once(control: Socket) -> None:
    idle = []
    for _ in range(server.MOST_CONNECTIONS):
        _, writer = await asyncio.open_unix_connection(control.path)
        idle.append(writer)
    with pytest.raises(ControlError, match="too many ask at once"):
        await _ask(control, "/v1/status")
    for writer in idle:
        writer.close()
        await writer.wait_closed()

    async def answered() -> bool:
        try:
            return bool(await _ask(control, "/v1/status"))
        except ControlError:
            return False

    await until(answered)


async def test_a_fault_of_ours_is_told_in_the_event_log_and_the_socket_goes_on(
    control: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault() -> None:
        raise RuntimeError("a fault")

    with monkeypatch.context() as spoilt, capture_logs() as events:
        spoilt.setattr(type(control.process), "status", lambda _: fault())
        with pytest.raises(ControlError):
            await _ask(control, "/v1/status")
    assert "could not be answered" in events[-1]["event"]
    assert (await _ask(control, "/v1/status"))["ready"] is True


async def test_a_stranger_is_refused_before_a_byte_is_read_and_told_of_once_a_second(
    control: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control.server, "_permitted", frozenset({4711}))
    with capture_logs() as events:
        for data in (b"", b"\xff" * 100, _post(json.dumps(order()).encode())):
            found, document = await _raw(control, data)
            assert found == 403
            assert f"--control-user {os.geteuid()}" in document["error"]
        with pytest.raises(ControlError, match="may not use this socket"):
            await _ask(control, "/v1/suspend", order())
    (event,) = [event for event in events if "not permitted" in event["event"]]
    assert (event["uid"], event["pid"]) == (os.geteuid(), os.getpid())
    assert load_orders(control.overrides).suspensions == ()


def _open_folder() -> Path:
    """Make a folder into which everybody may look; pytest's own are for its user alone."""
    root = Path(tempfile.mkdtemp(prefix="situs-control-"))
    root.chmod(0o755)
    return root


_STRANGER = """
import os, sys
from extproc.control.client import ask
from extproc.control.errors import ControlError
os.setgroups([]); os.setgid(4711); os.setuid(4711)
try:
    print(ask(sys.argv[1], "/v1/status")["policy"])
except ControlError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as somebody else")
@pytest.mark.parametrize(("users", "mode", "said"), [
    ([], 0o666, "user 4711 may not use this socket"),
    (["4711"], 0o666, "acme"),
    (["4711"], 0o660, "you may not open it"),
])  # fmt: skip
async def test_the_kernel_says_who_it_is(users: list[str], mode: int, said: str) -> None:
    root = _open_folder()
    control = await start(root, users=users)
    control.path.chmod(mode)
    try:
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", _STRANGER, control.address], cwd=Path(__file__).parents[2],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert said in done.stdout
    finally:
        await control.server.close()
        shutil.rmtree(root)


def test_who_is_permitted() -> None:
    assert permitted_uids([]) == {0, os.geteuid()}
    assert permitted_uids(["root", "4711"]) == {0, 4711, os.geteuid()}


@pytest.mark.parametrize("user", ["nobody-of-that-name", "4294967295", "", "-1", "\x00"])
def test_a_user_whom_nobody_knows_is_refused(user: str) -> None:
    with pytest.raises(ControlError, match="--control-user"):
        permitted_uids([user])


async def test_the_socket_is_for_the_group_and_goes_with_the_sidecar(tmp_path: Path) -> None:
    control = await start(tmp_path)
    found = control.path.stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o660
    await control.server.close()
    assert not control.path.exists()


async def test_one_owner_and_a_stale_file_is_replaced(tmp_path: Path, control: Socket) -> None:
    with pytest.raises(OSError, match="another sidecar does"):
        await start(control.path.parent)
    stale = tmp_path / "second"
    stale.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stale / "c.sock"))
    again = await start(stale)
    assert (await _ask(again, "/v1/status"))["ready"] is True
    await again.server.close()


async def test_a_folder_in_which_anybody_may_put_another_socket_is_refused(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o777)  # noqa: PTH101, S103 - pathlib is not for coroutines; what is refused
    with pytest.raises(OSError, match="anybody may write to the folder"):
        await start(tmp_path)
    os.chmod(tmp_path, 0o1777)  # noqa: PTH101, S103 - as /tmp: what is another's cannot be taken away
    await (await start(tmp_path)).server.close()


async def test_something_else_in_its_place_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "c.sock").write_text("a letter")
    with pytest.raises(OSError, match="something else is there"):
        await start(tmp_path)
    assert (tmp_path / "c.sock").read_text() == "a letter"
    (tmp_path / "c.sock").unlink()
    await (await start(tmp_path)).server.close()  # the claim was given up


@pytest.mark.parametrize(
    ("address", "said"),
    [("127.0.0.1:1", "no Unix socket"), ("unix:c.sock", "absolute"), ("unix:/nowhere/c.sock", "does not exist")],
)
async def test_an_address_that_is_none_is_refused(control: Socket, address: str, said: str) -> None:
    with pytest.raises(OSError, match=said):
        await server.ControlServer.start(address, users=[], overrides=control.overrides, running=control.process)


async def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with pytest.raises(OSError, match="Mend: choose a short path"):
        await start(long)


async def test_an_answer_under_way_is_given_before_it_closes(control: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "IN_FORCE_S", 0.2)
    control.process.hangs = True
    waiting = asyncio.create_task(_ask(control, "/v1/suspend", order()))
    await until(lambda: control.process.waited)
    await control.server.close()
    assert (await waiting)["in_force"] is False


async def test_it_closes_though_somebody_says_nothing(control: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_CLOSE_S", 0.05)
    reader, writer = await asyncio.open_unix_connection(control.path)
    await until(lambda: control.server._open)
    began_s = time.monotonic()
    await control.server.close()
    assert time.monotonic() - began_s < 2
    assert await reader.read() == b""
    writer.close()


def test_a_peer_is_read_as_the_kernel_writes_it() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        from extproc.control.peers import peer_of  # noqa: PLC0415 - beside what it is compared with

        pid, uid, gid = struct.unpack("iII", ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        assert (pid, uid, gid) == (os.getpid(), os.geteuid(), os.getegid())
        peer = peer_of(ours)
        assert (peer.pid, peer.uid, peer.gid) == (pid, uid, gid)
