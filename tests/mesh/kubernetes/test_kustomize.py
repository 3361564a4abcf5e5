"""Every folder is one that Kustomize builds, with Envoy's configuration byte for byte in it."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from mesh.kubernetes.rendered import Resource, rendering
from support.needs import missing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("deploy")
    rendering().write(place)
    return place


def build(folder: Path) -> list[Resource]:
    for command in (["kubectl", "kustomize"], ["kustomize", "build"]):
        if shutil.which(command[0]) is not None:
            done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))
    return missing("neither kubectl nor kustomize. Mend: install one of them")


def folders() -> list[str]:
    return sorted(name.removesuffix("/kustomization.yaml") for name in rendering().files if "kustomization" in name)


@pytest.mark.slow
def test_every_folder_is_built(folder: Path) -> None:
    for name in folders():
        built = build(folder / name)
        there = {path.name for path in (folder / name).iterdir()}
        made = 3 if name == "gateway" else 0
        assert len(built) == len(there) - 1 - made + made
    assert len(folders()) == 1 + 2 * 4


@pytest.mark.slow
def test_the_pods_mount_the_files_as_they_are_and_another_configuration_is_another_name(folder: Path) -> None:
    built = build(folder / "gateway")
    maps = {it["metadata"]["name"]: it["data"] for it in built if it["kind"] == "ConfigMap"}
    assert {file for data in maps.values() for file in data} == {"envoy.yaml", "mesh.yaml", "policy.yaml"}
    for data in maps.values():
        for file, text in data.items():
            assert text == rendering().files[f"gateway/{file}"]
    (pods,) = [it["spec"]["template"]["spec"] for it in built if it["kind"] == "StatefulSet"]
    mounted = {it["name"]: it["configMap"]["name"] for it in pods["volumes"] if "configMap" in it}
    assert {mounted["envoy"], mounted["mesh"], mounted["policy"]} == set(maps)
    assert mounted["policy"] == "situs-policy"
    envoy = folder / "gateway" / "envoy.yaml"
    text = envoy.read_text()
    try:
        envoy.write_text(f"{text}# changed\n")
        again = build(folder / "gateway")
    finally:
        envoy.write_text(text)
    assert mounted["envoy"] not in {it["metadata"]["name"] for it in again if it["kind"] == "ConfigMap"}


def test_what_was_written_does_not_differ(folder: Path) -> None:
    assert list(rendering().differences(folder)) == []
    path = folder / "gateway" / "service.yaml"
    text = path.read_text()
    try:
        path.write_text(text.replace("port: 80\n", "port: 81\n"))
        assert "-    port: 81\n" in [line.replace("-  - ", "-    ") for line in rendering().differences(folder)]
    finally:
        path.write_text(text)
