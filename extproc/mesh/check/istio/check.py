"""All of Istio's resources that are given, each judged by its kind, and what only shows between them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from extproc.mesh.check.config import Expected
from extproc.mesh.check.finding import Finding
from extproc.mesh.check.istio.attached import Attached, found
from extproc.mesh.check.istio.destination_rule import check_destination_rule
from extproc.mesh.check.istio.envoy_filter import check_envoy_filter
from extproc.mesh.check.istio.gateway_api import check_extension_policy, check_patch_policy
from extproc.mesh.check.istio.outbound import check_mesh_config, check_sidecar
from extproc.mesh.check.istio.rules import OUTLIER
from extproc.mesh.check.istio.service_entry import check_service_entry
from extproc.mesh.check.istio.virtual_service import check_virtual_service
from extproc.mesh.check.istio.watched import check_peer_authentication, check_telemetry
from extproc.mesh.check.paths import Camel
from extproc.mesh.check.reading.documents import parse_documents, refuse
from extproc.mesh.check.reading.kubernetes import VALUES
from extproc.mesh.check.resource import Resource
from extproc.mesh.istio.section import IstioMesh

Check: TypeAlias = Callable[[Resource, Attached], Iterator[Finding]]

_NETWORKING: Final = "networking.istio.io"
_CHECKS: Final[dict[tuple[str, str], Check]] = {
    (_NETWORKING, "EnvoyFilter"): check_envoy_filter,
    (_NETWORKING, "ServiceEntry"): check_service_entry,
    (_NETWORKING, "DestinationRule"): check_destination_rule,
    (_NETWORKING, "VirtualService"): check_virtual_service,
    (_NETWORKING, "Sidecar"): check_sidecar,
    ("telemetry.istio.io", "Telemetry"): check_telemetry,
    ("security.istio.io", "PeerAuthentication"): check_peer_authentication,
    ("gateway.envoyproxy.io", "EnvoyExtensionPolicy"): check_extension_policy,
    ("gateway.envoyproxy.io", "EnvoyPatchPolicy"): check_patch_policy,
}
_MESH_NAMES: Final = ("istio", "istio-")
"""ISTIO: the settings of the mesh lie in the ConfigMap `istio`, of a revision in `istio-REVISION`."""


def is_judged(resource: Resource) -> bool:
    """Tell whether a resource is of a kind that is judged here."""
    return (resource.group, resource.kind) in _CHECKS or bool(_mesh_configs(resource))


def check_istio(resources: Sequence[Resource], expected: Expected) -> Iterator[Finding]:
    """Judge all resources. Raises DocumentError where the mesh file does not say how Istio is used."""
    needs = next((each for each in resources if each.group.endswith(".istio.io")), None)
    if needs is not None and expected.mesh.istio is None:
        mend = "add 'istio: {}' to it, with what differs from the defaults"
        refuse(needs.origin, f"{needs.title} is Istio's, and the mesh file has no section istio", mend)
    attached = Attached(expected=expected, istio=expected.mesh.istio or IstioMesh())
    for resource in resources:
        check = _CHECKS.get((resource.group, resource.kind))
        if check is not None:
            yield from check(resource, attached)
        for mesh_config in _mesh_configs(resource):
            yield from check_mesh_config(resource, mesh_config)
    yield from _without_rule(resources, attached)


def _without_rule(resources: Sequence[Resource], attached: Attached) -> Iterator[Finding]:
    ruled = {
        region
        for resource in resources
        if resource.kind == "DestinationRule"
        for region in attached.regions_of(resource.spec.at("host").text)
    }
    for resource in resources:
        if resource.kind != "ServiceEntry":
            continue
        for host in resource.spec.at("hosts").each():
            if any(region not in ruled for region in attached.regions_of(host.text)):
                told = f"no DestinationRule for '{host.text}' is among what was given"
                yield found(OUTLIER, resource, host, told, "give it beside this, or write one")


def _mesh_configs(resource: Resource) -> tuple[Camel, ...]:
    """Give the settings of the mesh that lie in a ConfigMap of Istio, or in what installs it."""
    if resource.kind == "IstioOperator" and resource.spec.at("mesh_config").is_there:
        return (resource.spec.at("mesh_config"),)
    if resource.kind == VALUES and resource.root.at("mesh_config").is_there:
        return (resource.root.at("mesh_config"),)
    if resource.kind != "ConfigMap" or resource.group or not resource.name.startswith(_MESH_NAMES):
        return ()
    text = resource.root.at("data", "mesh")
    if not text.text:
        return ()
    documents = parse_documents(text.text.encode("utf-8", "surrogatepass"), f"{resource.origin}, {text.path}")
    return tuple(Camel(document.value, f"{text.path}: ") for document in documents)
