"""The reference configurations of `envoy/`: `python -m extproc.mesh.references`, with `--check` to compare only.

Rendered from example policies and mesh files, so that what a reader sees there is what the command makes.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from extproc.core.ids import DataClass, TenantId
from extproc.core.payload import Detector, PayloadReading
from extproc.core.reading import Reading
from extproc.mesh.envoy import format_bootstrap, render_bootstrap, render_secrets
from extproc.mesh.gateway_api.render import render_gateway_api
from extproc.mesh.istio.render import render_istio
from extproc.mesh.kubernetes.render import render_kubernetes
from extproc.mesh.parse import load_mesh
from extproc.mesh.section import Mesh
from extproc.policy.compile import CompiledPolicy
from extproc.policy.load import load_policy

REFERENCES: Final = Path(__file__).parents[2] / "envoy"
_HEADING: Final = (
    "The reference: rendered from extproc/policy/examples/demo.yaml and extproc/mesh/examples/demo.yaml. "
    "Do not edit; change what it is rendered from, then run `make envoy`."
)


_PAYLOAD_HEADING: Final = (
    "The reference for a policy that also reads payloads, hosts and client certificates: rendered from "
    "extproc/policy/examples/minimal.yaml and extproc/mesh/examples/minimal.yaml, to which are added a class told from "
    "the first 64 KiB of a body, a tenant matched by host and one matched by SPIFFE id, with the listener of "
    "extproc/mesh/examples/tls.yaml, which verifies client certificates. "
    "Do not edit; change what it is rendered from, then run `make envoy`."
)
_PAYLOAD_BYTES: Final = 64 * 1024

_TLS_HEADING: Final = (
    "The reference with TLS everywhere: rendered from extproc/policy/examples/demo.yaml and "
    "extproc/mesh/examples/tls.yaml. Do not edit; change what it is rendered from, then run `make envoy`."
)

_MESH_HEADING: Final = (
    "The reference: rendered from extproc/policy/examples/demo.yaml and extproc/mesh/examples/{}. "
    "Do not edit; change what it is rendered from, then run `make envoy`."
)
_SHOWN: Final = "/eu-fra/"
"""Of the cells of all regions, which differ in names and addresses only, one region's."""


def render_references() -> dict[str, str]:
    """Give the text of each reference by its file name."""
    policy, mesh = _example("demo.yaml")
    reference = format_bootstrap(render_bootstrap(policy.tables, policy.reading, mesh), heading=_HEADING)
    policy, secured = _example("demo.yaml", "tls.yaml")
    with_tls = format_bootstrap(render_bootstrap(policy.tables, policy.reading, secured), heading=_TLS_HEADING)
    policy, mesh = _example("minimal.yaml")
    # What a SPIFFE id is read from must be verified, so this one has the other's listener.
    mesh = replace(mesh, listener_tls=secured.listener_tls)
    rendered = render_bootstrap(policy.tables, _reads_all(policy.reading), mesh)
    return {
        "envoy.yaml": reference,
        "envoy-payload.yaml": format_bootstrap(rendered, heading=_PAYLOAD_HEADING),
        "envoy-tls.yaml": with_tls,
        **render_secrets(secured, heading=_TLS_HEADING),
        **_resources(),
    }


def _resources() -> dict[str, str]:
    """Give the resources of each mesh by their names below the folder of the mesh, and of one region's cells alone."""
    policy, mesh = _example("demo.yaml", "istio.yaml")
    istio = render_istio(policy, mesh, _MESH_HEADING.format("istio.yaml"))
    policy, mesh = _example("demo.yaml", "gateway-api.yaml")
    gateway_api = render_gateway_api(policy, mesh, _MESH_HEADING.format("gateway-api.yaml"))
    policy, mesh = _example("demo.yaml", "kubernetes.yaml")
    kubernetes = render_kubernetes(policy, mesh, _MESH_HEADING.format("kubernetes.yaml"))
    shown = {name: text for name, text in kubernetes.files.items() if not name.startswith("cells/") or _SHOWN in name}
    return {
        **{f"istio/{name}": text for name, text in istio.files.items()},
        **{f"envoy-gateway/{name}": text for name, text in gateway_api.files.items()},
        **{f"kubernetes/{name}": text for name, text in shown.items()},
    }


def _example(name: str, mesh_name: str | None = None) -> tuple[CompiledPolicy, Mesh]:
    with (
        as_file(files("extproc.policy") / "examples" / name) as policy_file,
        as_file(files("extproc.mesh") / "examples" / (mesh_name or name)) as mesh_file,
    ):
        policy = load_policy(policy_file)
        return policy, load_mesh(mesh_file, policy.tables, policy.reading)


def _reads_all(reading: Reading) -> Reading:
    """Add everything that changes Envoy's configuration and that the examples do not read."""
    payload = PayloadReading(
        limit_bytes=_PAYLOAD_BYTES,
        unreadable=DataClass("personal"),
        detectors={Detector.IBAN: DataClass("personal")},
    )
    bindings = replace(
        reading.bindings,
        by_host={"clinic.api.example": TenantId("clinic")},
        below_spiffe={"spiffe://acme.example/": TenantId("mesh")},
    )
    return replace(reading, payload=payload, bindings=bindings)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the references, or with `--check` exit with 1 where one is not current."""
    parser = argparse.ArgumentParser(prog="python -m extproc.mesh.references", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not current")
    parser.add_argument("--directory", type=Path, default=REFERENCES, help="default: %(default)s")
    args = parser.parse_args(argv)
    stale = False
    for name, text in render_references().items():
        path: Path = args.directory / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale = True
        if args.check:
            sys.stderr.write(f"{path} is not current. Mend: make envoy\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if stale and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
