"""A running sidecar: reloads, legal triggers, a disk that fails, and the end."""

import asyncio
import json
import resource
import subprocess
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2
from support.messages import processing_request
from support.sidecar import Sidecar

from extproc.demo.process import python
from extproc.names import EXT_PROC_SERVICE, ROUTE_HEADER

pytestmark = pytest.mark.slow

_GERMAN = processing_request(address="31.0.0.7:0")
_EMIRATI = processing_request(address="31.3.0.7:0")


async def _route(sidecar: Sidecar, message: bytes = _GERMAN) -> str | None:
    response = await sidecar.process(message)
    headers = response.request_headers.response.header_mutation.set_headers
    routes = [option.header.raw_value.decode() for option in headers if option.header.key == ROUTE_HEADER]
    return routes[0] if routes else None


async def _refusal(sidecar: Sidecar, message: bytes) -> tuple[int, str]:
    immediate = (await sidecar.process(message)).immediate_response
    return immediate.status.code, json.loads(immediate.body)["reason"]


async def test_it_steers_and_refuses(sidecar: Sidecar) -> None:
    assert await _route(sidecar) == "eu-fra>eu-ams"
    assert await _route(sidecar, _EMIRATI) == "me-dxb"
    assert await _refusal(sidecar, processing_request(address="31.9.0.1:0")) == (451, "unknown_jurisdiction")
    assert await _refusal(sidecar, b"\xff") == (400, "malformed_request")
    assert await sidecar.metric('situs_decisions_total{outcome="steered",reason=""}') == 2


async def test_a_changed_policy_is_taken(sidecar: Sidecar) -> None:
    text = sidecar.setup.policy.read_text()
    sidecar.setup.policy.write_text(text.replace("rtt_ms: 8", "rtt_ms: 80").replace("version: 1", "version: 2"))

    async def taken() -> bool:
        return await _route(sidecar) == "eu-ams>eu-fra"

    await sidecar.until(taken)
    assert await sidecar.metric('situs_reloads_total{result="taken"}') == 1


async def test_an_invalid_policy_leaves_the_last_good_one_in_force(sidecar: Sidecar) -> None:
    good = sidecar.setup.policy.read_text()
    sidecar.setup.policy.write_text(good.replace("country: NL", "country: EU"))

    async def refused() -> bool:
        return await sidecar.metric('situs_reloads_total{result="refused"}') == 1

    await sidecar.until(refused)
    assert await _route(sidecar) == "eu-fra>eu-ams"
    assert "last good configuration stays in force" in sidecar.child.last_words()
    assert f"{sidecar.setup.policy}:" in sidecar.child.last_words()


@pytest.mark.parametrize("damage", ["truncated", "gone"])
async def test_a_damaged_geo_database_leaves_the_last_good_one_in_force(sidecar: Sidecar, damage: str) -> None:
    if damage == "gone":
        sidecar.setup.geo.unlink()
    else:
        with sidecar.setup.geo.open("r+b") as file:
            file.truncate(100)

    async def refused() -> bool:
        return await sidecar.metric('situs_reloads_total{result="refused"}') == 1

    await sidecar.until(refused)
    assert await _route(sidecar) == "eu-fra>eu-ams"


async def test_an_override_file_that_vanishes_resumes_nothing(sidecar: Sidecar) -> None:
    await _situs(sidecar, "suspend", "me-dxb", *_APPROVED)
    await sidecar.until(lambda: _is_refused(sidecar, _EMIRATI))
    sidecar.setup.overrides.unlink()

    async def refused() -> bool:
        return await sidecar.metric('situs_reloads_total{result="refused"}') == 1

    await sidecar.until(refused)
    assert await _refusal(sidecar, _EMIRATI) == (451, "no_permitted_region")


async def test_a_suspension_takes_effect_within_a_second_and_ends(sidecar: Sidecar) -> None:
    await _situs(sidecar, "suspend", "me-dxb", *_APPROVED)
    pulled_s = time.monotonic()
    await sidecar.until(lambda: _is_refused(sidecar, _EMIRATI))
    assert time.monotonic() - pulled_s < 1.0
    assert await _route(sidecar) == "eu-fra>eu-ams"
    await _situs(sidecar, "resume", "me-dxb", *_LIFTED)

    async def served() -> bool:
        return await _route(sidecar, _EMIRATI) == "me-dxb"

    await sidecar.until(served)


async def test_an_order_about_an_unknown_region_keeps_no_other_from_taking_effect(sidecar: Sidecar) -> None:
    await _situs(sidecar, "suspend", "eu-fro", *_APPROVED)
    await _situs(sidecar, "suspend", "me-dxb", *_APPROVED)
    await sidecar.until(lambda: _is_refused(sidecar, _EMIRATI))

    async def warned() -> bool:
        return await sidecar.metric("situs_inert_orders") == 1

    await sidecar.until(warned)
    assert "eu-fro" in sidecar.child.last_words()


async def test_orders_larger_than_an_entry_of_the_log_take_effect(sidecar: Sidecar) -> None:
    rows = "".join(
        f"  - {{id: LT-{n}, effect: suspend, region: me-dxb, reason: {'x' * 900}, from: 2026-11-21, "
        f"approved_by: [a, b]}}\n"
        for n in range(100)
    )
    sidecar.setup.overrides.write_text(f"apiVersion: situs/v1\noverrides:\n{rows}")
    await sidecar.until(lambda: _is_refused(sidecar, _EMIRATI))


async def test_an_idle_connection_to_the_admin_endpoint_keeps_nobody_waiting(sidecar: Sidecar) -> None:
    host, _, port = sidecar.setup.admin.rpartition(":")
    _reader, writer = await asyncio.open_connection(host, int(port))
    assert await sidecar.ready()
    assert await sidecar.stop() == 0
    writer.close()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  us-iad:", "  us-pdx: {country: US, models: {digits: {}}}\n  us-iad:"),
        ("plan: {length: 2}", "plan: {length: 3}"),
        ("edge: {trusted_hops: 1}", "edge: direct"),
        ("x-data-class", "x-other-class"),
    ],
)
async def test_a_policy_that_needs_another_envoy_is_not_taken(sidecar: Sidecar, before: str, after: str) -> None:
    text = sidecar.setup.policy.read_text()
    assert before in text
    sidecar.setup.policy.write_text(text.replace(before, after).replace("rtt_ms: 8", "rtt_ms: 80"))

    async def refused() -> bool:
        return await sidecar.metric('situs_reloads_total{result="refused"}') == 1

    await sidecar.until(refused)
    assert await _route(sidecar) == "eu-fra>eu-ams"
    assert "render Envoy's configuration anew" in sidecar.child.last_words()


async def test_a_refused_policy_keeps_no_legal_order_from_taking_effect(sidecar: Sidecar) -> None:
    good = sidecar.setup.policy.read_text()
    sidecar.setup.policy.write_text("this: is not a policy\n")

    async def stale() -> bool:
        return await sidecar.metric("situs_configuration_stale") == 1

    await sidecar.until(stale)
    await _situs(sidecar, "suspend", "me-dxb", *_APPROVED)
    await sidecar.until(lambda: _is_refused(sidecar, _EMIRATI))
    assert await stale()
    sidecar.setup.policy.write_text(good)

    async def mended() -> bool:
        return not await stale()

    await sidecar.until(mended)
    assert await _refusal(sidecar, _EMIRATI) == (451, "no_permitted_region")


async def test_an_order_that_comes_together_with_a_bad_policy_takes_effect(sidecar: Sidecar) -> None:
    order = "id: LT-1, effect: suspend, region: me-dxb, reason: x, from: 2026-11-21, approved_by: [a, b]"
    sidecar.setup.policy.write_text("this: is not a policy\n")
    sidecar.setup.overrides.write_text(f"apiVersion: situs/v1\noverrides: [{{{order}}}]\n")
    await sidecar.until(lambda: _is_refused(sidecar, _EMIRATI))
    assert await _route(sidecar) == "eu-fra>eu-ams"


async def test_a_policy_that_is_not_in_force_is_a_reason_not_to_be_ready(sidecar: Sidecar) -> None:
    text = sidecar.setup.policy.read_text()
    sidecar.setup.policy.write_text(text.replace("as_of: 2026-11-21", "as_of: 2098-01-01").replace("2027-", "2099-"))

    async def unready() -> bool:
        return not await sidecar.ready()

    await sidecar.until(unready)
    assert await _refusal(sidecar, _GERMAN) == (503, "policy_not_in_force")


async def test_a_second_sidecar_does_not_take_the_socket(sidecar: Sidecar) -> None:
    root = sidecar.setup.root
    own = ("--log", str(root / "other"), "--key", str(root / "other.key"))
    code, said = sidecar.setup.refused(*own, "--admin", "127.0.0.1:0")
    assert code == 78
    assert "another sidecar" in said
    assert await _route(sidecar) == "eu-fra>eu-ams"
    (sidecar.setup.root / "s.sock").unlink()
    assert not await sidecar.ready()


async def test_no_decision_mixes_two_policies(sidecar: Sidecar) -> None:
    """Swap two policies under load; each decision must be wholly of the one or of the other."""
    first = sidecar.setup.policy.read_text()
    second = first.replace("rtt_ms: 8", "rtt_ms: 80").replace("version: 1", "version: 2")
    seen: set[str | None] = set()
    for text in (second, first, second):
        sidecar.setup.policy.write_text(text)
        for _ in range(8):
            seen |= set(await asyncio.gather(*(_route(sidecar) for _ in range(16))))
            await asyncio.sleep(0.05)
    assert seen <= {"eu-fra>eu-ams", "eu-ams>eu-fra"}
    assert len(seen) == 2


async def test_when_the_log_cannot_be_written_nothing_is_released_and_the_process_ends(sidecar: Sidecar) -> None:
    assert await _route(sidecar) is not None
    pid = sidecar.child.pid
    assert pid is not None
    # As a full disk does it: from now on every write of the process fails.
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
    assert await _refusal(sidecar, _GERMAN) == (503, "log_unavailable")
    process = sidecar.child._process
    assert process is not None
    assert await asyncio.to_thread(process.wait, 15) == 74


async def test_the_health_service_says_serving(sidecar: Sidecar) -> None:
    async with grpc.aio.insecure_channel(sidecar.setup.socket) as channel:
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
        for service in ("", EXT_PROC_SERVICE):
            question = health_pb2.HealthCheckRequest(service=service).SerializeToString()
            answer = health_pb2.HealthCheckResponse.FromString(await check(question))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_it_drains_under_load_without_losing_an_answer(sidecar: Sidecar) -> None:
    """Every request is either answered or told that nobody is there, and every answer is in the log."""
    answered: list[str] = []
    other: list[grpc.StatusCode] = []

    async def ask() -> None:
        try:
            response = await sidecar.process(_GERMAN)
        except grpc.aio.AioRpcError as error:
            other.append(error.code())
        else:
            answered.append(response.dynamic_metadata["situs"]["decision"])

    async def stop() -> int | None:
        await sidecar.until(lambda: len(answered) >= 200)
        return await asyncio.to_thread(sidecar.child.stop)

    async with asyncio.TaskGroup() as group:
        stopped = group.create_task(stop())
        for _ in range(600):
            group.create_task(ask())
            await asyncio.sleep(0.001)
    assert stopped.result() == 0
    assert len(answered) + len(other) == 600
    assert set(other) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    command = [str(part) for part in python("extproc", "audit", "show", sidecar.setup.log, "--json")]
    shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    records = [json.loads(line) for line in shown.stdout.splitlines()]
    assert set(answered) <= {record["decision"]["id"] for record in records if record["kind"] == "decision"}


async def test_it_drains_and_its_log_verifies(sidecar: Sidecar) -> None:
    for message in (_GERMAN, _EMIRATI, b"\xff"):
        await sidecar.process(message)
    assert await sidecar.stop() == 0
    command = [str(part) for part in python("extproc", "audit", "verify", sidecar.setup.log)]
    verified = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


async def test_a_second_sidecar_on_the_same_log_is_refused(sidecar: Sidecar) -> None:
    code, said = sidecar.setup.refused("--listen", "127.0.0.1:0")
    assert code == 78
    assert "uses this key" in said
    code, said = sidecar.setup.refused("--listen", "127.0.0.1:0", "--key", str(sidecar.setup.root / "other.key"))
    assert code == 74
    assert "lock" in said


_APPROVED = ("--reason", "injunction", "--until", "2099-01-01", "--approved-by", "a", "--approved-by", "b")
_LIFTED = ("--reason", "lifted", "--approved-by", "a", "--approved-by", "c")


async def _situs(sidecar: Sidecar, *arguments: str) -> None:
    command = python("extproc", *arguments, "--overrides", sidecar.setup.overrides)
    done = await asyncio.to_thread(subprocess.run, [str(part) for part in command], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


async def _is_refused(sidecar: Sidecar, message: bytes) -> bool:
    answered: str | None = (await sidecar.process(message)).WhichOneof("response")
    return answered == "immediate_response"
