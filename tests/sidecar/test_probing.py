"""A policy that binds regions to what only a probe can see is refused where nobody probes."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import structlog.testing
from mesh.example import tables_of
from support.messages import processing_request
from support.sidecar import Setup, Sidecar

from extproc.core.ids import DependencyId, ModelId, RegionId
from extproc.core.tables import Approval, PolicyTables
from extproc.demo.world import free_port
from extproc.names import ROUTE_HEADER
from extproc.sidecar.fitting import ConfigurationError
from extproc.sidecar.probing import Probing
from inference.testing import running_cell

DIGITS, VECTORS, R1 = ModelId("digits"), DependencyId("vectors"), RegionId("r1")
DIGEST = "sha256:" + "0" * 64


def policy(approval: Approval | None = None, *needs: DependencyId) -> PolicyTables:
    tables = tables_of(2)
    second = replace(tables.regions[1], models={DIGITS: approval or Approval()}, needs=dict.fromkeys(needs, 60.0))
    return replace(tables, regions=(tables.regions[0], second))


def test_what_is_bound_to_nothing_needs_no_probes() -> None:
    Probing().check(policy())
    Probing().check(policy(Approval(version="1")))


def test_a_digest_needs_somebody_who_asks_the_cells() -> None:
    bound = policy(Approval(digest=DIGEST))
    with pytest.raises(
        ConfigurationError, match=r"digests in the region 'r1' \(digits\).* Mend: name the file with --mesh"
    ):
        Probing().check(bound)
    Probing(cells=True).check(bound)


@pytest.mark.parametrize("asked", [{}, {R1: []}, {R1: ["other"]}, {RegionId("r0"): ["vectors"]}])
def test_what_a_region_needs_must_be_asked_there(asked: dict[RegionId, list[DependencyId]]) -> None:
    with pytest.raises(ConfigurationError, match=r"region 'r1' need vectors.* Mend: add the URLs"):
        Probing(cells=True, dependencies=asked).check(policy(None, VECTORS))
    Probing(cells=True, dependencies={**asked, R1: [VECTORS]}).check(policy(None, VECTORS))


def test_versions_that_nobody_sees_are_only_warned_about() -> None:
    with structlog.testing.capture_logs() as events:
        Probing(cells=True).warn(policy(Approval(version="1")))
        Probing().warn(policy())
        assert events == []
        Probing().warn(policy(Approval(version="1")))
    (event,) = events
    assert (event["log_level"], event["region"], event["models"]) == ("warning", "r1", [DIGITS])


FRA = 'eu-fra: {country: DE, models: {digits: {version: "1"}}'


def change(setup: Setup, written: str) -> None:
    """Write something else of the region eu-fra, in the policy of the demo."""
    text = setup.policy.read_text()
    assert text.count(FRA) == 1
    setup.policy.write_text(text.replace(FRA, f"eu-fra: {{country: DE, {written}"))


def write_mesh(setup: Setup, place: str, **more: object) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    hosts = {name: nobody.replace("0.0.1", f"0.0.{end}") for end, name in enumerate(("eu-ams", "us-iad", "me-dxb"), 2)}
    regions = {name: {"endpoints": [host]} for name, host in hosts.items()}
    mesh = {
        "apiVersion": "situs/v1",
        "listener": {"address": "127.0.0.1", "port": 10000},
        "sidecar": {"unix": setup.socket.removeprefix("unix:")},
        "regions": {"eu-fra": {"endpoints": [place], **more}, **regions},
        "jwt": {"issuer": "https://id.example", "audiences": ["a"], "jwks_file": "/none"},
    }
    path = setup.root / "mesh.yaml"
    path.write_text(json.dumps(mesh))
    setup.options += ["--mesh", str(path)]


@pytest.mark.slow
def test_a_sidecar_that_could_not_see_a_digest_does_not_start(setup: Setup) -> None:
    change(setup, f'models: {{digits: {{digest: "{DIGEST}"}}}}')
    code, said = setup.refused()
    assert code == 78
    assert "Mend: name the file with --mesh" in said


@pytest.mark.slow
def test_a_sidecar_that_could_not_see_what_a_region_needs_does_not_start(setup: Setup) -> None:
    change(setup, 'models: {digits: {version: "1"}}, needs: {vectors: {max_age_s: 60}}')
    code, said = setup.refused()
    assert code == 78
    assert "need vectors" in said


async def plan(sidecar: Sidecar) -> str:
    """Ask for a plan for somebody in Germany; a refusal is none."""
    answer = await sidecar.process(processing_request())
    for option in answer.request_headers.response.header_mutation.set_headers:
        if option.header.key == ROUTE_HEADER:
            return str(option.header.raw_value.decode())
    return bytes(answer.immediate_response.body).decode()


@pytest.fixture(scope="module")
def digest(digits_store: Path) -> str:
    content = (digits_store / "digits" / "1" / "model.onnx").read_bytes()
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.slow
async def test_a_region_is_permitted_only_while_it_shows_the_approved_digest(
    setup: Setup, digits_store: Path, digest: str
) -> None:
    change(setup, f'models: {{digits: {{version: "1", digest: "{digest}"}}}}')
    with running_cell(["--region", "eu-fra", "--jurisdiction", "DE", "--models", str(digits_store)]) as cell:
        write_mesh(setup, cell.url.removeprefix("http://"))
        sidecar = Sidecar(setup)
        try:
            await sidecar.start()
            assert (await plan(sidecar)).startswith("eu-fra")
            # A policy that approves other bytes is taken, and holds at once, with no word of the cell's in between.
            text = setup.policy.read_text()
            setup.policy.write_text(text.replace(digest, DIGEST).replace("version: 1\n", "version: 2\n"))
            await sidecar.until(lambda: _taken(sidecar))
            assert "no_eligible_region" in await plan(sidecar)
        finally:
            await sidecar.stop()
            sidecar.child.kill()


async def _taken(sidecar: Sidecar) -> bool:
    return await sidecar.metric('situs_reloads_total{result="taken"}') == 1
