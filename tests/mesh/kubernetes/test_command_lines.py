"""The programs take the command lines that are rendered: our own parsers, and a real Envoy."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from mesh.kubernetes.rendered import Resource, changed, containers, example, pods, rendered, rendering
from mesh.test_validate import NO_KEYS

from extproc.cli.main import build_parser
from extproc.core.ids import RegionId
from extproc.mesh.kubernetes import drain
from extproc.mesh.section import Endpoints, TcpAddress
from inference.cli import _parser as build_cell_parser
from inference.provider import Device

pytestmark = pytest.mark.slow


def commands() -> list[tuple[str, list[str]]]:
    """Give each container's program and arguments."""
    found = []
    for _, _, pod in pods(rendering()):
        for container in containers(pod):
            assert len(container["command"]) == 1
            found.append((container["command"][0], [as_started(word) for word in container["args"]]))
    return found


def as_started(word: str) -> str:
    """Give an argument as Kubernetes does, which puts in what the pod is called."""
    return word.replace("$(POD_NAME)", "pod-0")


def gateway() -> Resource:
    return next(pod for name, _, pod in pods(rendering()) if name == "gateway/statefulset.yaml")


def test_the_sidecar_takes_its_arguments() -> None:
    (words,) = [args for program, args in commands() if program == "situs"]
    args = build_parser("serve").parse_args(words)
    assert args.log == Path("/var/lib/situs-log/log")
    assert args.key == Path("/var/lib/situs-keys/ring/log.key")
    assert args.geo_db == Path("/var/lib/situs-geo/country.mmdb")
    assert args.overrides == Path("/etc/situs/orders/overrides.yaml")
    assert args.key_root == [Path("/etc/situs-files/trust/acme.vkey")]
    assert (args.org, args.env, args.node) == ("acme", "prod", "pod-0")
    assert args.listen is None  # so the socket is the mesh file's, which Envoy was rendered from


def test_the_sidecar_takes_all_that_a_mesh_file_can_say() -> None:
    _, _, settings = example()
    assert settings.geo is not None
    geo = replace(settings.geo, anonymity="vpn.mmdb")
    mesh = changed(geo=geo, arguments=("--witnesses", "/etc/situs-files/trust/policy", "--org=other"))
    pod = next(pod for name, _, pod in pods(rendered(mesh)) if name == "gateway/statefulset.yaml")
    args = build_parser("serve").parse_args(containers(pod)[0]["args"])
    assert args.anonymity_db == Path("/var/lib/situs-geo/vpn.mmdb")
    assert args.witnesses == Path("/etc/situs-files/trust/policy")
    assert args.org == "other"


def test_cells_take_their_arguments() -> None:
    found = [build_cell_parser().parse_args(args) for program, args in commands() if program == "situs-cell"]
    policy, _, _ = example()
    assert sorted((args.region, args.jurisdiction) for args in found) == sorted(
        (region.id, region.country) for region in policy.tables.regions for _ in ("plain", "kserve")
    )
    assert {args.listen for args in found} == {("0.0.0.0", 8080)}  # noqa: S104 - nothing listens in this test
    assert {args.device for args in found} == {Device.CPU}


def test_cells_with_gpus_take_their_arguments() -> None:
    _, _, settings = example()
    assert settings.cells is not None
    mesh = changed(cells=replace(settings.cells, gpus=2, cpu_millis=4500))
    for name, _, pod in pods(rendered(mesh)):
        if name.startswith("cells/"):
            (container,) = containers(pod)
            args = build_cell_parser().parse_args([as_started(word) for word in container["args"]])
            assert (args.device, args.threads) == (Device.GPU, 4)
            assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"
            assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"


def test_the_hook_that_begins_a_drain_is_a_program_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(drain, "drain", asked.append)
    command = containers(gateway())[0]["lifecycle"]["preStop"]["exec"]["command"]
    assert command[:3] == ["python", "-m", drain.__name__]
    assert drain.main(command[3:]) == 0
    assert asked == ["127.0.0.1:9901"]


def test_no_other_program_is_started() -> None:
    assert {program for program, _ in commands()} == {"situs", "envoy", "situs-cell"}


def _validate(binary: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    keys = folder / "jwks.json"
    keys.write_text(NO_KEYS)
    config = folder / "envoy.yaml"
    text = rendering().files["gateway/envoy.yaml"]
    assert "/etc/situs-files/jwks/jwks.json" in text
    config.write_text(text.replace("/etc/situs-files/jwks/jwks.json", str(keys)))
    (words,) = [args for program, args in commands() if program == "envoy"]
    words = [str(config) if word == "/etc/envoy/envoy.yaml" else word for word in words]
    return subprocess.run([binary, *words, "--mode", "validate"], capture_output=True, text=True, check=False)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("binary", ["envoy_binary", "oldest_envoy"])
def test_envoy_takes_its_arguments_and_its_configuration(
    binary: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    done = _validate(request.getfixturevalue(binary), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "eprecated" not in done.stderr


def test_envoy_and_the_sidecar_are_rendered_for_the_same_cells() -> None:
    policy, mesh, _ = example()
    region = RegionId("eu-fra")
    endpoints = Endpoints(endpoints=(TcpAddress(address="cell-eu-fra.situs-cells.svc", port=8080),))
    other = rendered(replace(mesh, regions={**mesh.regions, region: endpoints}))
    assert "cell-eu-fra.situs-cells.svc" in other.files["gateway/envoy.yaml"]
    assert policy.tables.revision not in other.files["gateway/envoy.yaml"]
