"""Sidecar and MeshConfig: what a workload may reach that the mesh does not know, and the mesh's own locality settings.

ISTIO: networking.istio.io, meshConfig.
"""

from collections.abc import Iterator

from extproc.mesh.check.finding import Finding
from extproc.mesh.check.istio.attached import Attached, found
from extproc.mesh.check.istio.rules import ALLOW_ANY, MESH_LOCALITY
from extproc.mesh.check.paths import Camel
from extproc.mesh.check.resource import Resource

_REGISTRY_ONLY = "write outboundTrafficPolicy: {mode: REGISTRY_ONLY}"
_TARGETS = ("distribute", "failover", "failover_priority")


def check_sidecar(sidecar: Resource, _: Attached) -> Iterator[Finding]:
    """Judge what the workloads of one Sidecar may reach."""
    policy = sidecar.spec.at("outbound_traffic_policy")
    # ISTIO: a policy that is there without a mode is REGISTRY_ONLY, the first value of the enum.
    if policy.at("mode").text == "ALLOW_ANY":
        yield found(ALLOW_ANY, sidecar, policy.at("mode"), "what the mesh does not know passes", _REGISTRY_ONLY)


def check_mesh_config(resource: Resource, mesh_config: Camel) -> Iterator[Finding]:
    """Judge the settings of the whole mesh."""
    mode = mesh_config.at("outbound_traffic_policy", "mode")
    if mode.text == "ALLOW_ANY":
        yield found(ALLOW_ANY, resource, mode, "what the mesh does not know passes", _REGISTRY_ONLY)
    elif not mesh_config.at("outbound_traffic_policy").is_there:
        told = "it is not given, and the default lets pass what the mesh does not know"
        yield found(ALLOW_ANY, resource, mesh_config.at("outbound_traffic_policy"), told, _REGISTRY_ONLY)
    locality = mesh_config.at("locality_lb_setting")
    if locality.at("enabled").value in (False, "false"):
        return
    for name in _TARGETS:
        if locality.at(name).is_there:
            told = "the mesh says where requests go when a place fails"
            mend = "keep every region's DestinationRule with localityLbSetting: {enabled: false}, or turn it off here"
            yield found(MESH_LOCALITY, resource, locality.at(name), told, mend)
