"""The committed policy and Envoy configuration are what they are said to be made from."""

import subprocess
from pathlib import Path

import pytest
import yaml
from compose.files import COMPOSE, ROOT

from extproc.cli.main import main
from extproc.demo.tokens import Issuer


def test_the_policy_is_the_demos() -> None:
    assert (COMPOSE / "policy.yaml").read_text() == (ROOT / "extproc/policy/examples/demo.yaml").read_text()


@pytest.mark.slow
def test_the_rendering_is_current(tmp_path: Path) -> None:
    files = ["--policy", str(COMPOSE / "policy.yaml"), "--mesh", str(COMPOSE / "mesh.yaml")]
    assert main(["mesh", "render", "--for", "envoy", *files, "--output", str(tmp_path / "envoy.yaml")]) == 0
    rendered = (tmp_path / "envoy.yaml").read_text()
    assert (COMPOSE / "envoy.yaml").read_text() == rendered, "run the command at the top of compose/mesh.yaml"


@pytest.mark.slow
@pytest.mark.parametrize("version", ["envoy_binary", "oldest_envoy"])
def test_envoy_accepts_the_rendering(request: pytest.FixtureRequest, tmp_path: Path, version: str) -> None:
    binary: Path = request.getfixturevalue(version)
    keys = tmp_path / "jwks.json"
    Issuer().write_jwks(keys)
    # Validation binds to no address, but reads the file of keys, which is on a volume of Envoy's.
    text = (COMPOSE / "envoy.yaml").read_text()
    assert "/etc/envoy/keys/jwks.json" in text
    (tmp_path / "envoy.yaml").write_text(text.replace("/etc/envoy/keys/jwks.json", str(keys)))
    command = [str(binary), "--mode", "validate", "--config-path", str(tmp_path / "envoy.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_rendering_names_every_cell() -> None:
    clusters = yaml.safe_load((COMPOSE / "envoy.yaml").read_text())["static_resources"]["clusters"]
    assert {"eu-fra", "eu-ams", "us-iad", "me-dxb"} <= {cluster["name"] for cluster in clusters}
