"""Every kind of configuration that can be rendered is one that a real Envoy accepts."""

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mesh.example import READING, mesh_of, tables_of

from extproc.core.ids import RegionId
from extproc.mesh.certs import layout_of_regions, write_certificates
from extproc.mesh.envoy import format_bootstrap, render_bootstrap
from extproc.mesh.references import render_references
from extproc.mesh.section import Endpoints, Jwt, Mesh, Retries, SidecarAddress, TcpAddress, UnixSocket

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# The base point of P-256: a public key that nobody's private key is.
NO_KEYS = json.dumps(
    {
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
                "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
            }
        ]
    }
)


def validate(binary: Path, config: Path) -> None:
    command = [str(binary), "--mode", "validate", "--config-path", str(config), "--log-level", "error"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "eprecated" not in done.stderr


@pytest.mark.parametrize(
    ("regions", "plan_length", "hops", "sidecar", "with_jwt"),
    [
        (1, 1, 0, UnixSocket(unix="/run/situs.sock"), False),
        (1, 3, 1, TcpAddress(address="127.0.0.1", port=9000), True),
        (2, 1, 2, TcpAddress(address="sidecar.internal", port=9000), False),
        (2, 2, 1, UnixSocket(unix="/run/situs.sock"), True),
        (3, 3, 0, TcpAddress(address="::1", port=9000), True),
        (4, 2, 2, UnixSocket(unix="/run/situs.sock"), False),
        (10, 3, 1, UnixSocket(unix="/run/situs.sock"), True),
    ],
)
def test_envoy_accepts_it(  # noqa: PLR0913 - one for each thing that varies
    any_envoy: Path,
    tmp_path: Path,
    *,
    regions: int,
    plan_length: int,
    hops: int,
    sidecar: SidecarAddress,
    with_jwt: bool,
) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_text(NO_KEYS)
    jwt = Jwt(issuer="https://id.example", audiences=("a", "b"), jwks_file=str(keys)) if with_jwt else None
    mesh = replace(mesh_of([9001 + i for i in range(regions)], sidecar=sidecar), jwt=jwt)
    config = tmp_path / "envoy.yaml"
    rendered = render_bootstrap(tables_of(regions, plan_length=plan_length), replace(READING, trusted_hops=hops), mesh)
    config.write_text(format_bootstrap(rendered))
    validate(any_envoy, config)


def test_envoy_accepts_names_addresses_of_all_kinds_and_no_retries(any_envoy: Path, tmp_path: Path) -> None:
    mesh: Mesh = replace(mesh_of([9001]), retries=Retries(at_least=0, statuses=(), budget_percent=0, budget_floor=0))
    places = ("cells.internal", "::1", "127.0.0.1")
    endpoints = Endpoints(endpoints=tuple(TcpAddress(address=place, port=9001) for place in places))
    config = tmp_path / "envoy.yaml"
    rendered = render_bootstrap(tables_of(1), READING, replace(mesh, regions={RegionId("r0"): endpoints}))
    config.write_text(format_bootstrap(rendered))
    validate(any_envoy, config)


@pytest.mark.parametrize("sidecar", [UnixSocket(unix="/run/situs.sock"), TcpAddress(address="::1", port=9000)])
def test_envoy_accepts_many_workers(any_envoy: Path, tmp_path: Path, sidecar: SidecarAddress) -> None:
    mesh = replace(mesh_of([9001], sidecar=sidecar), workers=64)
    config = tmp_path / "envoy.yaml"
    config.write_text(format_bootstrap(render_bootstrap(tables_of(1), READING, mesh)))
    validate(any_envoy, config)


def references(directory: Path) -> list[Path]:
    """Write the references, with the files that they name; give those that are for `--config-path`."""
    layout = layout_of_regions(directory / "tls", "demo.situs", [])
    write_certificates(layout, at=datetime.now(UTC), lifetime=timedelta(days=1))
    shutil.copy(layout.authorities[0], directory / "tls" / "clients.pem")
    (directory / "jwks.json").write_text(NO_KEYS)
    for name, text in render_references().items():
        here = text.replace("/etc/situs/", f"{directory}/").replace("/etc/envoy/", f"{directory}/")
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(here)
    return sorted(directory.glob("envoy*.yaml"))


def test_envoy_accepts_the_references(any_envoy: Path, tmp_path: Path) -> None:
    for path in references(tmp_path):
        if path.name != "envoy-payload.yaml":
            validate(any_envoy, path)


def test_envoy_accepts_the_reference_that_reads_payloads(envoy_binary: Path, tmp_path: Path) -> None:
    assert tmp_path / "envoy-payload.yaml" in references(tmp_path)
    validate(envoy_binary, tmp_path / "envoy-payload.yaml")
