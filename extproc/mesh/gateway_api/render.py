"""The whole attachment to Envoy Gateway, as files to apply. Pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from extproc.mesh.gateway_api.patches import cluster_patches, listener_patch
from extproc.mesh.gateway_api.proxy import envoy_proxy
from extproc.mesh.gateway_api.reasons import REASONS
from extproc.mesh.gateway_api.resources import (
    client_policy,
    envoy_secrets,
    gateway,
    gateway_class,
    refusal_filter,
    refusing_route,
)
from extproc.mesh.gateway_api.section import GatewayApiMesh
from extproc.mesh.rendering import Rendering
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import write_yaml

if TYPE_CHECKING:
    from extproc.policy.compile import CompiledPolicy


def render_gateway_api(policy: "CompiledPolicy", mesh: Mesh, heading: str) -> Rendering:
    """Render the resources of one Gateway whose every request is decided.

    Raises ValueError (place and mend) where the mesh file lacks what they need, or has what they cannot give.
    """
    place = _checked(mesh)
    secrets = envoy_secrets(place, mesh)
    resources = {
        **({} if secrets is None else {"envoy-secrets": secrets}),
        "gateway-class": gateway_class(place),
        "envoy-proxy": envoy_proxy(place, mesh),
        "gateway": gateway(place, mesh),
        "http-route-filter": refusal_filter(place),
        "http-route": refusing_route(place, mesh),
        "client-traffic-policy": client_policy(place, policy.reading, mesh),
    }
    clusters = cluster_patches(place, policy.tables, policy.reading, mesh)
    resources |= {f"patch-clusters-{number}": each for number, each in enumerate(clusters)}
    resources["patch-listener"] = listener_patch(place, policy.tables, policy.reading, mesh)
    return Rendering(
        files={
            f"{name}.yaml": write_yaml(fields, heading=heading, reasons=REASONS) for name, fields in resources.items()
        }
    )


def _checked(mesh: Mesh) -> GatewayApiMesh:
    place = mesh.gateway_api
    if place is None:
        raise ValueError(
            "the mesh file has no section 'gateway_api'. Mend: add it, with the sidecar's image and arguments "
            "(extproc/mesh/gateway_api/section.py explains each field)"
        )
    tls = mesh.listener_tls
    if (tls is None) != (place.certificate is None):
        raise ValueError(
            "listener.tls and gateway_api.certificate say different things: only one is there. Mend: write both, the "
            "second with the name of the Secret that Envoy Gateway takes the certificate from, or neither"
        )
    if (tls is None or tls.clients is None) != (place.clients is None):
        raise ValueError(
            "listener.tls.clients and gateway_api.clients say different things: only one is there. Mend: write both, "
            "the second with the name of the ConfigMap that has the authorities under 'ca.crt', or neither"
        )
    if mesh.tls is not None and mesh.directory in place.proxy.files:
        raise ValueError(
            f"gateway_api.proxy.files: {mesh.directory} is the mesh file's 'directory', where the rendering puts files "
            "of its own. Mend: mount these in another folder, or name another directory"
        )
    for what, path in _files_of_envoy(mesh):
        if not any(path.startswith(f"{folder}/") for folder in place.proxy.files):
            folder = path.rpartition("/")[0] or "/"
            raise ValueError(
                f"{what}: Envoy's container has no {path}. "
                f"Mend: add '{folder}: {{config_map: NAME}}' (or a secret) to gateway_api.proxy.files"
            )
    return place


def _files_of_envoy(mesh: Mesh) -> Iterator[tuple[str, str]]:
    """Give each file that Envoy reads by path. Those of the listener's TLS are read by Envoy Gateway instead."""
    if mesh.jwt is not None:
        yield "jwt.jwks_file", mesh.jwt.jwks_file
    if mesh.tls is not None:
        yield "tls.certificate", mesh.tls.certificate
        yield "tls.key", mesh.tls.key
        yield "tls.authorities", mesh.tls.authorities
