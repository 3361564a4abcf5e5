"""`situs suspend`, `resume` and `status` as a person runs them: through the file, and through a sidecar's socket."""

import asyncio
import json
import threading
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from control import world
from control.world import Socket
from structlog.testing import capture_logs

from extproc.cli.main import main
from extproc.control import desk
from extproc.policy.override_file import load_orders

_NO_ORDERS = "apiVersion: situs/v1\noverrides: []\n"
_APPROVED = ["--approved-by", "A. Counsel", "--approved-by", "B. Officer"]
_UNTIL = ["--until", "2099-01-01"]
_REASON = ["--reason", "injunction"]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_bytes((resources.files("extproc.policy") / "examples" / "demo.yaml").read_bytes())
    return path


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "overrides.yaml"
    path.write_text(_NO_ORDERS)
    return path


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Socket]:
    """A control socket that is served by another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    with capture_logs():
        started = asyncio.run_coroutine_threadsafe(world.start(tmp_path), loop).result(10)
        yield started
        asyncio.run_coroutine_threadsafe(started.server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def _suspend(path: Path, *more: str) -> int:
    return main(["suspend", "me-dxb", "--overrides", str(path), *_REASON, *more])


def _resume(path: Path, *target: str) -> int:
    return main(["resume", *target, "--overrides", str(path), "--reason", "lifted", *_APPROVED])


def test_a_suspension_and_its_end(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _suspend(orders, *_UNTIL, *_APPROVED, "--json") == 0
    done = json.loads(capsys.readouterr().out)
    (order,) = done["orders"]
    assert (order["region"], order["reason"], order["id"]) == ("me-dxb", "injunction", done["ids"][0])
    assert _resume(orders, "me-dxb") == 0
    assert f"me-dxb is resumed: removed {order['id']}; written" in capsys.readouterr().out
    (ended,) = load_orders(orders).resumptions
    assert (ended.order, ended.reason, ended.approved_by) == (order["id"], "lifted", ("A. Counsel", "B. Officer"))
    assert _resume(orders, "me-dxb") == 1
    assert "holds no suspension of the region 'me-dxb'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "kind", "name"),
    [(["--permit", "eu-gdpr.dpf"], "permit", "eu-gdpr.dpf"), (["--model", "digits"], "model", "digits")],
)
def test_a_permit_and_a_model_can_be_suspended_too(  # noqa: PLR0913, PLR0917 - parameters and fixtures
    target: list[str], kind: str, name: str, orders: Path, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = ["--overrides", str(orders), *_REASON, *_UNTIL, *_APPROVED, "--policy", str(policy)]
    assert main(["suspend", *target, *rest, "--json"]) == 0
    (order,) = json.loads(capsys.readouterr().out)["orders"]
    assert order[kind] == name
    assert main(["suspend", "me-dxb", *target, *rest]) == 1
    assert main(["suspend", *rest]) == 1
    assert main(["suspend", target[0], "nosuch", *rest]) == 1
    assert f"has no {kind} 'nosuch'" in capsys.readouterr().err
    assert _resume(orders, name) == 1  # the region of that name
    assert _resume(orders, *target) == 0


def test_a_mistyped_override_file_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nowhere.yaml"
    assert _suspend(path, *_UNTIL, *_APPROVED) == 78
    assert _resume(path, "me-dxb") == 78
    assert capsys.readouterr().err.count("does not exist") == 2
    assert not path.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([*_UNTIL, "--approved-by", "a"], "two approvers"),
        ([*_UNTIL, "--approved-by", "a", "--approved-by", "a"], "two approvers"),
        ([*_UNTIL, "--approved-by", "A. Counsel", "--approved-by", " a. counsel"], "two different people"),
        (["--until", "2001-01-01", *_APPROVED], "has passed"),
        (["--until", "soon", *_APPROVED], "until: 'soon' is not a moment"),
        (["--until", "2099-02-30", *_APPROVED], "does not exist"),
        ([*_UNTIL, *_APPROVED, "--reason", "x" * 1001], "at most 1000"),
        ([*_UNTIL, *_APPROVED, "--reason", " "], "words for 'reason'"),
    ],
)
def test_an_incomplete_order_is_refused(
    orders: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert _suspend(orders, *more) == 1
    assert said in capsys.readouterr().err
    assert orders.read_text() == _NO_ORDERS


def test_resuming_needs_two_approvers_and_a_reason(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _suspend(orders, *_UNTIL, *_APPROVED) == 0
    before = orders.read_bytes()
    command = ["resume", "me-dxb", "--overrides", str(orders)]
    assert main([*command, "--reason", "lifted", "--approved-by", "a"]) == 1
    assert "a resumption needs two approvers" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main([*command, *_APPROVED])
    assert ended.value.code == 1
    assert "--reason" in capsys.readouterr().err
    assert orders.read_bytes() == before


def test_with_a_policy_an_order_names_one_of_its_regions(
    orders: Path, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suspend", "eu-fro", "--overrides", str(orders), "--policy", str(policy), "--reason", "x",
                 *_UNTIL, *_APPROVED]) == 1  # fmt: skip
    assert f"{policy} has no region 'eu-fro'. Mend: did you mean 'eu-fra'?" in capsys.readouterr().err
    assert orders.read_text() == _NO_ORDERS


def test_a_policy_that_cannot_be_read_is_78(orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _suspend(orders, *_UNTIL, *_APPROVED, "--policy", str(tmp_path / "no.yaml")) == 78
    assert "does not exist" in capsys.readouterr().err
    assert orders.read_text() == _NO_ORDERS


def _through(control: Socket, *command: str) -> int:
    return main([*command, "--control", control.address])


def test_orders_go_through_the_socket(control: Socket, capsys: pytest.CaptureFixture[str]) -> None:
    assert _through(control, "suspend", "eu-fra", *_REASON, *_UNTIL, *_APPROVED) == 0
    (order,) = load_orders(control.overrides).suspensions
    assert capsys.readouterr().out == f"eu-fra is suspended until 2099-01-01: {order.id}; in force\n"
    assert _through(control, "resume", "eu-fra", "--reason", "lifted", *_APPROVED, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"ids": [order.id], "in_force": True, "orders": []}
    assert load_orders(control.overrides).suspensions == ()


def test_what_is_not_in_force_is_said_and_is_75(
    control: Socket, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "IN_FORCE_S", 0.02)
    control.process.hangs = True
    assert _through(control, "suspend", "eu-fra", *_REASON, *_UNTIL, *_APPROVED) == 75
    assert "NOT in force yet" in capsys.readouterr().out


def test_workers_that_nobody_can_ask_are_told_of(control: Socket, capsys: pytest.CaptureFixture[str]) -> None:
    control.process.tells = False
    assert _through(control, "suspend", "eu-fra", *_REASON, *_UNTIL, *_APPROVED) == 0
    assert "takes it within a second" in capsys.readouterr().out


def test_what_the_sidecar_refuses_is_told_as_it_says(control: Socket, capsys: pytest.CaptureFixture[str]) -> None:
    assert _through(control, "suspend", "eu-fro", *_REASON, *_UNTIL, *_APPROVED) == 1
    assert "did you mean 'eu-fra'?" in capsys.readouterr().err
    control.overrides.write_text("nonsense\n")
    assert _through(control, "suspend", "eu-fra", *_REASON, *_UNTIL, *_APPROVED) == 78
    assert f"{control.overrides}:1:" in capsys.readouterr().err


def test_the_sidecar_checks_by_its_own_policy(control: Socket, capsys: pytest.CaptureFixture[str]) -> None:
    assert _through(control, "suspend", "eu-fra", *_REASON, *_UNTIL, *_APPROVED, "--policy", "p.yaml") == 1
    assert "leave --policy out" in capsys.readouterr().err


def test_an_order_goes_one_way(control: Socket, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["suspend", "eu-fra", *_REASON, *_UNTIL, *_APPROVED]
    for ways in ([], ["--overrides", str(control.overrides), "--control", control.address]):
        with pytest.raises(SystemExit) as ended:
            main([*command, *ways])
        assert ended.value.code == 1
    assert "--control" in capsys.readouterr().err


def test_status_is_a_table_for_a_person(control: Socket, capsys: pytest.CaptureFixture[str]) -> None:
    assert _through(control, "status") == 0
    assert "no orders" in capsys.readouterr().out
    assert _through(control, "suspend", "eu-fra", *_REASON, *_UNTIL, *_APPROVED) == 0
    capsys.readouterr()
    assert _through(control, "status") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == [
        "policy    acme version 3, sha256:ab",
        "decides   yes",
        "log       situs.local/dev/n/0: 12 entries, 2 deliveries awaited",
    ]
    regions = {line.split()[0]: line for line in said if line.startswith("eu-")}
    assert regions["eu-fra"].split()[1:6] == ["up", "12", "ms", "3", "of"]
    assert regions["eu-fra"].endswith(
        "suspended by LT-1; misses its promised latency; digits: dependency_stale (vectors)"
    )
    assert regions["eu-ams"].split() == ["eu-ams", "unknown", "-", "-", "drained"]
    (row,) = (line for line in said if line.startswith("LT-"))
    assert "region eu-fra" in row
    assert "2099-01-02 00:00:00Z" in row
    assert row.endswith("A. Counsel, B. Officer  injunction")


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ('from: "2027-01-01", until: "2027-01-02"', "ended"),
        ('from: "2027-01-01"', "yes it is resumed"),
        ('from: "2028-01-01"', "from 2028-01-01 00:00:00Z"),
    ],
)
def test_orders_are_told_by_whether_they_hold(
    control: Socket, capsys: pytest.CaptureFixture[str], times: str, said: str
) -> None:
    order = f"id: LT-1, effect: suspend, region: eu-fra, {times}, reason: r, approved_by: [a]"
    control.overrides.write_text(f"apiVersion: situs/v1\noverrides: [{{{order}}}]\n")
    assert _through(control, "status") == 0
    out = capsys.readouterr().out
    (row,) = (" ".join(line.split()) for line in out.splitlines() if line.startswith("LT-1"))
    assert row.startswith(f"LT-1 region eu-fra {said} ")


def test_an_inert_order_is_told_apart(control: Socket, capsys: pytest.CaptureFixture[str]) -> None:
    order = "id: LT-9, effect: suspend, region: eu-xxx, from: 2027-01-01, reason: r, approved_by: [a]"
    control.overrides.write_text(f"apiVersion: situs/v1\noverrides: [{{{order}}}]\n")
    assert _through(control, "status") == 0
    assert "inert: the policy has no such thing" in capsys.readouterr().out


def test_status_as_json(control: Socket, capsys: pytest.CaptureFixture[str]) -> None:
    assert _through(control, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["policy"] == {"id": "acme", "version": 3, "revision": "sha256:ab"}


@pytest.mark.parametrize("command", [["status"], ["resume", "eu-fra", "--reason", "lifted", *_APPROVED]])
def test_a_socket_that_is_not_there_is_78_with_the_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert main([*command, "--control", f"unix:{tmp_path}/c.sock"]) == 78
    said = capsys.readouterr().err
    assert f"{tmp_path}/c.sock: no sidecar listens there" in said
    assert "Mend: " in said
    assert main([*command, "--control", "localhost:1"]) == 78
    assert "write unix:/path" in capsys.readouterr().err
