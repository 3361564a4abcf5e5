"""What the language can say beyond the demo, through a real Envoy: payloads, hosts, certificates, wrong ingresses."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from extproc.audit.show import read_records
from extproc.core.decide import Decision
from extproc.core.ids import DecisionId
from extproc.demo.places import ADDRESSES
from extproc.demo.visits import Digits
from extproc.demo.world import Plan, World, running_world
from extproc.ledger.entries import decision_from_entry

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_INFER = "/v2/models/digits/infer"
_IBAN = "DE89 3704 0044 0532 0130 00"  # the example of the ISO 13616 registry


def _policy(change: Callable[[Any], None]) -> str:
    """Give the demo's policy, changed."""
    example = yaml.safe_load((Path(__file__).parents[2] / "extproc/policy/examples/demo.yaml").read_text())
    plain = json.loads(json.dumps(example, default=str))
    change(plain)
    return json.dumps(plain)


@asynccontextmanager
async def _world(
    root: Path, models: Path, envoy: Path, change: Callable[[Any], None], *options: str
) -> AsyncIterator[World]:
    plan = Plan(policy=_policy(change), options=options)
    async with running_world(root, models=models, envoy=str(envoy), plan=plan) as world:
        yield world


def _headers(place: str, **more: str) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {"content-type": "application/json", "x-forwarded-for": ADDRESSES[place], **named}


def _decisions(world: World) -> list[Decision]:
    return [
        decision_from_entry(record.entry)
        for record in read_records(world.folder.log)
        if record.entry.HasField("decision")
    ]


def _permitted(decision: Decision) -> set[str]:
    assert decision.verdict is not None
    return {each.region for each in decision.verdict.regions if each.exclusion is None}


async def test_a_payload_that_holds_what_a_detector_knows_stays_inside(
    tmp_path: Path, digits_store: Path, envoy_binary: Path
) -> None:
    def change(policy: Any) -> None:  # noqa: ANN401 - plain data
        policy["signals"]["class"]["body"] = {
            "limit_kib": 16,
            "unreadable": "special",
            "detectors": {"iban": "special"},
            "fields": [{"path": "parameters.patient", "class": "special"}],
        }

    async with _world(tmp_path, digits_store, envoy_binary, change) as world:
        digits = Digits(world.folder.models / "digits" / "samples.json")
        plain = json.loads(digits.body(0))
        bearer = {"authorization": f"Bearer {world.issuer.token(tenant='acme')}"}
        async with httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=10) as client:

            async def ask(content: bytes, **more: str) -> httpx.Response:
                return await client.post(_INFER, content=content, headers={**_headers("FR", **more), **bearer})

            harmless = await ask(json.dumps(plain).encode())
            account = await ask(json.dumps({**plain, "parameters": {"note": f"pay {_IBAN}"}}).encode())
            patient = await ask(json.dumps({**plain, "parameters": {"patient": 7}}).encode())
            long = await ask(json.dumps({**plain, "parameters": {"note": "x" * 40_000}}).encode())
            packed = await ask(json.dumps(plain).encode(), content_encoding="gzip")
        assert [each.status_code for each in (harmless, account, patient, long)] == [200] * 4
        await world.stop()
    decisions = {decision.id: decision for decision in _decisions(world)}
    of = [decisions[DecisionId(each.headers["x-situs-decision"])] for each in (harmless, account, patient, long)]
    assert [_permitted(each) for each in of] == [{"eu-ams", "eu-fra", "us-iad"}, *[{"eu-ams", "eu-fra"}] * 3]
    told = [[(each.data_class, each.detail) for each in decision.facts.classes] for decision in of]
    assert told == [
        [],
        [("special", "detector:iban")],
        [("special", "field:parameters.patient")],
        [("special", "unreadable:partial")],
    ]
    assert packed.headers.get("x-situs-decision", packed.status_code) is not None
    assert "unreadable:encoded" in {each.detail for d in decisions.values() for each in d.facts.classes}
    for path in world.folder.log.rglob("*"):
        if path.is_file():
            assert b"3704" not in path.read_bytes(), path


async def test_a_client_in_the_wrong_place_is_sent_to_the_right_host_before_its_body(
    tmp_path: Path, digits_store: Path, envoy_binary: Path
) -> None:
    def change(policy: Any) -> None:  # noqa: ANN401 - plain data
        policy["ingress"] |= {"on_mismatch": "redirect", "redirect_hosts": {"AE": "ae.api.example"}}
        policy["signals"]["class"]["body"] = {
            "limit_kib": 16,
            "unreadable": "special",
            "detectors": {"iban": "special"},
        }

    async with _world(tmp_path, digits_store, envoy_binary, change) as world:
        digits = Digits(world.folder.models / "digits" / "samples.json")
        async with httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=10) as client:
            here = await client.post(_INFER, content=digits.body(0), headers=_headers("DE"))
            there = await client.post(f"{_INFER}?x=1", content=digits.body(0), headers=_headers("AE"))
        assert here.status_code == 200
        assert (there.status_code, there.headers["location"]) == (307, f"https://ae.api.example{_INFER}?x=1")
        assert there.json()["reason"] == "wrong_ingress"

        # The body of a client that waits for permission to send it is never asked for.
        reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]))
        head = (
            f"POST {_INFER} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {ADDRESSES['AE']}\r\n"
            "content-type: application/json\r\ncontent-length: 5000\r\n\r\n"
        )
        writer.write(head.encode())
        status = await asyncio.wait_for(reader.readline(), 5)
        assert b" 307 " in status
        writer.close()
        await world.stop()
    assert {each.region for each in world.received()} == {"eu-fra"}


async def test_a_host_binds_to_its_tenant_and_to_no_more(
    tmp_path: Path, digits_store: Path, envoy_binary: Path
) -> None:
    def change(policy: Any) -> None:  # noqa: ANN401 - plain data
        policy["tenants"]["hosted"] = {"match": {"host": "clinic.api.example"}, "class": "special", "exporter": "FR"}

    async with _world(tmp_path, digits_store, envoy_binary, change) as world:
        digits = Digits(world.folder.models / "digits" / "samples.json")
        async with httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=10) as client:
            for host in ("clinic.api.example", "other.api.example"):
                answer = await client.post(_INFER, content=digits.body(0), headers=_headers("US", host=host))
                assert answer.status_code == 200
        await world.stop()
    hosted, other = _decisions(world)
    assert (hosted.facts.tenant, hosted.facts.binding) == ("hosted", "host")
    assert (other.facts.tenant, other.facts.binding) == ("walk-in", "anonymous")
    assert _permitted(hosted) == {"eu-fra", "eu-ams"}


async def test_a_verified_certificate_binds_to_its_tenant(
    tmp_path: Path, digits_store: Path, envoy_binary: Path
) -> None:
    def change(policy: Any) -> None:  # noqa: ANN401 - plain data
        policy["tenants"]["mesh"] = {
            "match": {"spiffe": "spiffe://demo.situs/*"},
            "class": "personal",
            "subjects": "FR",
        }
        policy["signals"]["tenant"] = {"may_replace": ["geoip"]}

    plan = Plan(policy=_policy(change), tls=True)
    async with running_world(tmp_path, models=digits_store, envoy=str(envoy_binary), plan=plan) as world:
        assert world.tls is not None
        digits = Digits(world.folder.models / "digits" / "samples.json")
        context = world.tls.context("client")
        async with httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=10, verify=context) as client:
            answer = await client.post(_INFER, content=digits.body(0), headers=_headers("US"))
        assert answer.status_code == 200
        await world.stop()
    (decision,) = _decisions(world)
    assert (decision.facts.tenant, decision.facts.binding) == ("mesh", "spiffe")
    assert decision.verdict is not None
    assert decision.verdict.jurisdictions.names == ("FR",)
    assert _permitted(decision) == {"eu-fra", "eu-ams"}
