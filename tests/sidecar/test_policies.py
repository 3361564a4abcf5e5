"""Policies from elsewhere, signed ones, candidates beside them, and a policy that several sidecars share."""

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bundle.world import serve_file, web_server
from support.messages import processing_request
from support.sidecar import Setup, Sidecar

from extproc.audit.show import read_records
from extproc.bundle.bundle import sign_bundle
from extproc.bundle.last_good import StateFolder
from extproc.core.decide import Decision
from extproc.ledger.entries import decision_from_entry
from extproc.notes.keys import SigningKey, add_vkey, generate_key

pytestmark = pytest.mark.slow

_COUNSEL, _OFFICER = "acme/policy/a-counsel", "acme/policy/b-officer"
_FRENCH_BANK = processing_request(address="31.1.0.7:0", claims={"tenant": "acme"})
_GERMAN = processing_request(address="31.0.0.7:0")
_REFUSED = 'situs_reloads_total{result="refused"}'
_ORDER = (
    'apiVersion: situs/v1\noverrides: [{id: LT-1, effect: suspend, region: eu-fra, reason: r, from: "2026-01-01", '
    "approved_by: [a, b]}]\n"
)
_TAKEN = 'situs_reloads_total{result="taken"}'


class Signers:
    """Two people who approve policies, and the file of their keys."""

    def __init__(self, root: Path) -> None:
        self._keys: dict[str, SigningKey] = {name: generate_key() for name in (_COUNSEL, _OFFICER)}
        self.file = root / "policy.vkey"
        for name, key in self._keys.items():
            add_vkey(self.file, key.verifier(name))

    def sign(self, text: str, *names: str) -> bytes:
        bundle: bytes | None = None
        for name in names or (_COUNSEL, _OFFICER):
            bundle = sign_bundle(text.encode(), self._keys[name], name, also=bundle)
        assert bundle is not None
        return bundle

    @property
    def options(self) -> list[str]:
        return ["--policy-keys", str(self.file), "--policy-signers", "2"]


@pytest.fixture
def signers(tmp_path: Path) -> Signers:
    return Signers(tmp_path)


@asynccontextmanager
async def _running(setup: Setup) -> AsyncIterator[Sidecar]:
    sidecar = Sidecar(setup)
    try:
        await sidecar.start()
        yield sidecar
    finally:
        await sidecar.stop()
        sidecar.child.kill()


def _version(text: str, number: int) -> str:
    return text.replace("  version: 1\n", f"  version: {number}\n")


async def _count(sidecar: Sidecar, sample: str, number: int) -> None:
    async def reached() -> bool:
        return await sidecar.metric(sample) >= number

    await sidecar.until(reached)


def _decisions(setup: Setup) -> list[Decision]:
    return [decision_from_entry(r.entry) for r in read_records(setup.log) if r.entry.HasField("decision")]


async def test_a_bundle_is_taken_only_with_enough_signatures_and_never_goes_back(
    setup: Setup, signers: Signers
) -> None:
    text = setup.policy.read_text()
    setup.policy.write_bytes(signers.sign(text))
    setup.options = signers.options
    async with _running(setup) as sidecar:
        await sidecar.process(_GERMAN)
        for number, unfit in enumerate(
            (
                signers.sign(_version(text, 2), _COUNSEL),  # one of two
                signers.sign(_version(text, 2))
                .replace(b"rtt_ms: 8,", b"rtt_ms: 7,")
                .replace(b"rtt_ms: 8}", b"rtt_ms: 7}"),
                _version(text, 2).encode(),  # nobody
            ),
            1,
        ):
            setup.policy.write_bytes(unfit)
            await _count(sidecar, _REFUSED, number)
        setup.policy.write_bytes(signers.sign(_version(text, 3)))
        await _count(sidecar, _TAKEN, 1)
        setup.policy.write_bytes(signers.sign(_version(text, 2)))
        await _count(sidecar, _REFUSED, 4)
        assert await sidecar.metric('situs_policy_version{policy="demo"}') == 3
        assert await sidecar.metric("situs_configuration_stale") == 1
        assert (await sidecar.process(_GERMAN)).HasField("request_headers")


async def test_a_plain_policy_may_change_without_a_new_version_but_not_go_back(setup: Setup) -> None:
    text = setup.policy.read_text()
    setup.policy.write_text(_version(text, 5))
    async with _running(setup) as sidecar:
        setup.policy.write_text(_version(text, 5).replace("rtt_ms: 14", "rtt_ms: 15"))
        await _count(sidecar, _TAKEN, 1)
        setup.policy.write_text(_version(text, 4))
        await _count(sidecar, _REFUSED, 1)
        assert "a way back" in setup.output.read_text()


async def test_a_policy_from_a_server_is_asked_for_again_and_outlives_the_server(
    setup: Setup, signers: Signers, tmp_path: Path
) -> None:
    text = setup.policy.read_text()
    state = tmp_path / "state"
    with web_server() as server:
        server.answer = serve_file(signers.sign(text))
        setup.location = f"{server.origin}/acme.bundle"
        setup.options = [*signers.options, "--state", str(state), "--poll", "0.2"]
        async with _running(setup) as sidecar:
            server.answer = serve_file(signers.sign(_version(text, 2)))
            await _count(sidecar, _TAKEN, 1)
            first = await sidecar.metric("situs_policy_confirmed_timestamp_seconds")
            assert first > 0
            server.answer = serve_file(signers.sign(_version(text, 3), _OFFICER))
            await _count(sidecar, _REFUSED, 1)
            server.answer = serve_file(signers.sign(_version(text, 2)))

            async def confirmed() -> bool:
                return await sidecar.metric("situs_policy_confirmed_timestamp_seconds") > first

            await sidecar.until(confirmed)

    # The server is gone: the last good one is started by, and an older one is not taken from a new server either.
    async with _running(setup) as sidecar:
        assert await sidecar.metric('situs_policy_version{policy="demo"}') == 2
        assert (await sidecar.process(_GERMAN)).HasField("request_headers")
    with web_server() as server:
        server.answer = serve_file(signers.sign(text))
        setup.location = f"{server.origin}/acme.bundle"
        code, said = setup.refused()
        assert code == 78
        assert "a way back" in said
        setup.options += ["--force-policy-version", "1"]
        async with _running(setup) as sidecar:
            assert await sidecar.metric('situs_policy_version{policy="demo"}') == 1


async def test_a_candidate_is_evaluated_beside_each_decision(setup: Setup, tmp_path: Path) -> None:
    shadow = tmp_path / "candidate.yaml"
    text = _version(setup.policy.read_text(), 2)
    shadow.write_text(text.replace("mechanisms: {dpf: true}", "mechanisms: {}"))
    setup.options = ["--shadow", str(shadow)]
    async with _running(setup) as sidecar:
        await sidecar.process(_FRENCH_BANK)
        await sidecar.process(_GERMAN)
        assert await sidecar.metric('situs_shadow_decisions_total{difference="narrower"}') == 1
        assert await sidecar.metric('situs_shadow_decisions_total{difference="same"}') == 1
        shadow.write_text(_version(text, 3))
        await _count(sidecar, _TAKEN, 1)
        await sidecar.process(_FRENCH_BANK)
        assert await sidecar.metric('situs_shadow_decisions_total{difference="same"}') == 2
        shadow.write_text(text.replace("x-data-class", "x-other"))
        await _count(sidecar, _REFUSED, 1)
        assert "would not see what it reads" in setup.output.read_text()
    narrower, same, _ = _decisions(setup)
    assert narrower.shadow is not None
    assert narrower.shadow.verdict is not None
    assert [each.region for each in narrower.shadow.verdict.regions if each.exclusion is None] == ["eu-ams", "eu-fra"]
    assert same.shadow is not None


async def test_one_policy_serves_sidecars_in_several_regions(setup: Setup) -> None:
    setup.policy.write_text(
        setup.policy.read_text().replace("edge: {trusted_hops: 1}", "edge: {trusted_hops: 1}\n  on_mismatch: refuse")
    )
    setup.options = ["--region", "me-dxb"]
    async with _running(setup) as sidecar:
        immediate = (await sidecar.process(_GERMAN)).immediate_response
        assert (immediate.status.code, b"wrong_ingress" in immediate.body) == (421, True)
        served = await sidecar.process(processing_request(address="31.3.0.7:0"))
        assert served.HasField("request_headers")
    (log,) = setup.log.glob("*/*/*/")
    assert log.is_dir()
    code, said = setup.refused("--region", "nosuch")
    assert (code, "no region nosuch" in said) == (78, True)


async def test_a_legal_order_does_not_wait_for_a_policy_of_thousands_of_tenants(setup: Setup) -> None:
    text = setup.policy.read_text()
    at = text.index("  # Whoever presents no token at all.")
    many = "".join(f"  t{n}: {{match: {{jwt.tenant: t{n}}}, class: personal}}\n" for n in range(12_000))
    large = _version(text[:at] + many + text[at:], 2)
    async with _running(setup) as sidecar:
        assert b"eu-fra" in (await sidecar.process(_GERMAN)).SerializeToString()
        setup.policy.write_text(large)
        await asyncio.sleep(0.5)  # by now it is being read
        setup.overrides.write_text(_ORDER)
        ordered_s = time.monotonic()

        async def is_suspended() -> bool:
            return b"eu-fra" not in (await sidecar.process(_GERMAN)).SerializeToString()

        await sidecar.until(is_suspended)
        assert time.monotonic() - ordered_s < 1.0
        assert await sidecar.metric('situs_policy_version{policy="demo"}') == 1
        await _count(sidecar, 'situs_policy_version{policy="demo"}', 2)
        assert await is_suspended()


async def test_a_legal_order_does_not_wait_for_the_state_folder(setup: Setup, signers: Signers, tmp_path: Path) -> None:
    text = setup.policy.read_text()
    state = tmp_path / "state"
    setup.policy.write_bytes(signers.sign(text))
    setup.options = [*signers.options, "--state", str(state)]
    async with _running(setup) as sidecar:
        with (state / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            setup.policy.write_bytes(signers.sign(_version(text, 2)))
            await asyncio.sleep(1.0)
            setup.overrides.write_text(_ORDER)

            async def is_suspended() -> bool:
                return b"eu-fra" not in (await sidecar.process(_GERMAN)).SerializeToString()

            await sidecar.until(is_suspended)
            assert await sidecar.metric('situs_policy_version{policy="demo"}') == 1
        await _count(sidecar, 'situs_policy_version{policy="demo"}', 2)
        assert await is_suspended()
    assert StateFolder(state).read() is not None


async def test_a_good_file_beside_a_bad_one_is_not_lost(setup: Setup, tmp_path: Path) -> None:
    text = setup.policy.read_text()
    shadow = tmp_path / "candidate.yaml"
    shadow.write_text(text)
    setup.options = ["--shadow", str(shadow)]
    async with _running(setup) as sidecar:
        setup.policy.write_text(_version(text, 2).replace("country: NL", "country: EU"))
        shadow.write_text(text.replace("mechanisms: {dpf: true}", "mechanisms: {}"))
        await _count(sidecar, _REFUSED, 1)
        assert await sidecar.metric("situs_configuration_stale") == 1
        setup.policy.write_text(_version(text, 2))
        await _count(sidecar, _TAKEN, 1)
        assert await sidecar.metric("situs_configuration_stale") == 0
        await sidecar.process(_FRENCH_BANK)
        assert await sidecar.metric('situs_shadow_decisions_total{difference="narrower"}') == 1


async def test_a_policy_that_cannot_be_started_by_is_not_kept(setup: Setup, signers: Signers, tmp_path: Path) -> None:
    state = tmp_path / "state"
    setup.policy.write_bytes(signers.sign(_version(setup.policy.read_text(), 9)))
    setup.options = [*signers.options, "--state", str(state)]
    code, _ = setup.refused("--region", "nowhere")
    assert code == 78
    assert StateFolder(state).read() is None


async def test_a_policy_that_others_signed_again_is_kept_with_their_signatures(
    setup: Setup, signers: Signers, tmp_path: Path
) -> None:
    text = setup.policy.read_text()
    state = StateFolder(tmp_path / "state")
    setup.options = ["--policy-keys", str(signers.file), "--state", str(tmp_path / "state")]
    setup.policy.write_bytes(signers.sign(text, _COUNSEL))
    async with _running(setup) as sidecar:
        again = signers.sign(text, _OFFICER)
        setup.policy.write_bytes(again)

        async def is_kept() -> bool:
            kept = state.read()
            return kept is not None and kept.data == again

        await sidecar.until(is_kept)
