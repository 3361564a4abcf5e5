"""Single things that go wrong in the world, each through a real Envoy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from extproc.audit.replay import replay
from extproc.audit.show import read_records
from extproc.core.ids import RegionId
from extproc.demo.places import ADDRESSES
from extproc.demo.visits import VISITS, Visit, Visitor
from extproc.demo.world import World
from extproc.ledger.entries import decision_from_entry
from extproc.policy.load import load_policy

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_FRA = RegionId("eu-fra")
_GERMANY = next(visit for visit in VISITS if visit.who == "Germany")
_GARBAGE = b"\x00\xff\x13 this is not HTTP \r\n\r\n"


@asynccontextmanager
async def _garbage_cell(port: int) -> AsyncIterator[None]:
    """A server where a cell should be, which takes connections and answers nonsense."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(_GARBAGE)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    async with server:
        yield


async def test_a_cell_that_answers_garbage_is_left_for_the_next_permitted_one(world: World, visitor: Visitor) -> None:
    world.cells[_FRA].kill()
    async with _garbage_cell(world.cell_port(_FRA)):
        answers = [await visitor.send(_GERMANY, index) for index in range(20)]
        assert {answer.status for answer in answers} == {200}
        assert {answer.region for answer in answers} == {"eu-ams"}

        async def down() -> bool:
            return await world.metric('situs_region_up{region="eu-fra"}') == 0

        await world.until(down, "eu-fra is seen down")
    await world.stop()
    assert world.run_situs("audit", "verify", world.folder.log).returncode == 0


async def test_a_path_of_64_kib_is_answered_and_recorded_without_the_path(world: World) -> None:
    secret = "s3cret"  # noqa: S105 - what must not be found again
    async with httpx.AsyncClient(base_url=world.url, trust_env=False) as client:
        path = f"/v2/models/digits/{secret}{'a' * 65_000}?{secret}=1"
        headers = {"x-forwarded-for": ADDRESSES["DE"], "cookie": secret, "user-agent": secret, "x-data-class": secret}
        answer = await client.post(path, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["reason"] == "malformed_declaration"
        del headers["x-data-class"]
        answer = await client.post(path, headers=headers)
        assert answer.status_code == 404  # the cell's own answer: steered, and no such endpoint
        assert answer.headers["x-situs-region"] == "eu-fra"
    await world.stop()
    written = b"".join(path.read_bytes() for path in world.folder.log.rglob("*") if path.is_file())
    assert secret.encode() not in written
    for address in ADDRESSES.values():
        assert address.encode() not in written
    assert secret not in world.folder.output("sidecar").read_text()


async def test_when_every_permitted_region_is_down_it_is_503_and_never_elsewhere(
    world: World, visitor: Visitor
) -> None:
    uae = next(visit for visit in VISITS if visit.who == "UAE")
    world.cells[RegionId("me-dxb")].kill()

    async def down() -> bool:
        return await world.metric('situs_region_up{region="me-dxb"}') == 0

    await world.until(down, "me-dxb is seen down")
    answer = await visitor.send(uae)
    assert (answer.status, answer.reason, answer.region) == (503, "no_serving_region", None)
    assert [received.region for received in world.received()] == []


async def test_a_region_that_is_gone_but_not_yet_seen_down_is_503_and_never_elsewhere(
    world: World, visitor: Visitor
) -> None:
    uae = next(visit for visit in VISITS if visit.who == "UAE")
    world.cells[RegionId("me-dxb")].kill()
    answer = await visitor.send(uae)
    assert (answer.status, answer.region) == (503, None)
    assert list(world.received()) == []


_STEERING_ATTEMPTS = [
    [("X-Situs-Route", "me-dxb")],
    [("x-situs-route", "eu-fra"), ("x-situs-route", "me-dxb")],
    [("x_situs_route", "me-dxb")],
    [("x-situs-route", "me-dxb"), ("x-situs-decision", "0" * 36)],
    [("x-envoy-upstream-alt-stat-name", "x"), ("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "50")],
    [("x-envoy-original-path", "/v2/models/other"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "x")],
    [("x-envoy-expected-rq-timeout-ms", "1"), ("x-envoy-upstream-rq-timeout-ms", "1")],
]


async def test_no_header_of_a_client_steers(world: World, visitor: Visitor) -> None:
    for headers in _STEERING_ATTEMPTS:
        visit = Visit(who="x", facts="x", address="DE", headers=tuple(headers), permitted=_GERMANY.permitted)
        answer = await visitor.send(visit)
        assert answer.region in {None, "eu-fra"}, headers
        assert answer.status in {200, 400}, headers  # 400: a header with an underscore is refused whole
    received = list(world.received())
    assert {each.region for each in received} == {"eu-fra"}
    assert "0" * 36 not in {each.decision for each in received}


async def test_a_request_that_envoy_refuses_by_itself_costs_no_report_of_another(
    world: World, visitor: Visitor
) -> None:
    """Envoy refuses an escaped slash before it strips headers, and logs the client's own decision header."""
    async with httpx.AsyncClient(base_url=world.url, trust_env=False) as client:
        for index in range(30):
            for forged in ("zz", "00000000-dead-7eef-8000-000000000000"):
                answer = await client.get("/a%2Fb", headers={"x-situs-decision": forged})
                assert answer.status_code == 400
            assert (await visitor.send(_GERMANY, index)).status == 200

    async def matched() -> bool:
        return await world.metric('situs_deliveries_total{finding="matched"}') == 30

    await world.until(matched, "every delivery is matched")
    await world.stop()
    assert "dead-7eef" not in world.run_situs("audit", "show", world.folder.log, "--json").stdout


async def test_credentials_that_are_not_verified_make_nobody_anonymous_and_reach_no_cell(
    world: World, visitor: Visitor
) -> None:
    token = world.issuer.token(tenant="clinic")
    async with httpx.AsyncClient(base_url=world.url, trust_env=False) as client:
        headers = {"x-forwarded-for": ADDRESSES["US"], "content-type": "application/json"}
        for scheme, status in (("Bearer", 200), ("bearer", 403), ("BEARER", 403), ("Basic", 403), ("", 403)):
            answer = await client.post(
                "/v2/models/digits/infer",
                headers={**headers, "authorization": f"{scheme} {token}".strip()},
                content=visitor.body(0),
            )
            assert answer.status_code == status, (scheme, answer.text)
            if status == 200:
                assert answer.headers["x-situs-region"] in {"eu-fra", "eu-ams"}
            else:
                assert answer.json()["reason"] == "unknown_tenant"


async def test_a_version_that_is_not_approved_is_refused(world: World, visitor: Visitor) -> None:
    async with httpx.AsyncClient(base_url=world.url, trust_env=False) as client:
        headers = {"x-forwarded-for": ADDRESSES["DE"], "content-type": "application/json"}
        for version, status in (("1", 200), ("2", 404)):
            path = f"/v2/models/digits/versions/{version}/infer"
            answer = await client.post(path, headers=headers, content=visitor.body(0))
            assert answer.status_code == status
    assert len(list(world.received())) == 1


async def test_every_record_replays_to_the_same_decision(world: World, visitor: Visitor) -> None:
    for index, visit in enumerate(VISITS):
        await visitor.send(visit, index)
    await world.stop()
    policy = load_policy(world.folder.policy)
    replayed = 0
    for record in read_records(world.folder.log, kinds=frozenset({"decision"})):
        recorded = decision_from_entry(record.entry)
        again = replay(recorded, policy.tables, ())
        assert (again.steering, again.verdict, again.transfers) == (
            recorded.steering,
            recorded.verdict,
            recorded.transfers,
        )
        replayed += 1
    assert replayed == len(VISITS) - 1  # the forged token met Envoy only


async def test_a_forged_address_does_not_count(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.url, trust_env=False) as client:
        for forged in ("31.0.0.7", "31.0.0.7, 31.0.0.8", "", "unknown", "31.0.0.7:80", "[::1]", "a" * 5000):
            forwarded = f"{forged}, {ADDRESSES['BR']}"
            answer = await client.post("/v2/models/digits/infer", headers={"x-forwarded-for": forwarded})
            assert answer.json()["reason"] == "ungoverned_jurisdiction", forged
        # Without the load balancer's header the place is unknown, and so refused.
        answer = await client.post("/v2/models/digits/infer")
        assert (answer.status_code, answer.json()["reason"]) == (451, "unknown_jurisdiction")


async def test_the_linter_finds_nothing_in_the_running_envoy(world: World) -> None:
    folder = world.folder
    against = ("--policy", folder.policy, "--mesh", folder.mesh)
    said = world.run_situs("mesh", "check", "--admin", world.envoy_admin, *against).stdout
    assert said.startswith("nothing found. Checked: 1 listener, ")
    assert "1 route that reaches a region" in said
