"""Telemetry and PeerAuthentication: whether it is known where requests go, and who may talk to a cell.

ISTIO: telemetry.istio.io, security.istio.io.
"""

from collections.abc import Iterator

from extproc.mesh.check.finding import Finding
from extproc.mesh.check.istio.attached import Attached, found
from extproc.mesh.check.istio.rules import ACCESS_LOG, MTLS
from extproc.mesh.check.resource import Resource

_ROOTS = ("istio-system", "")
"""Namespaces whose resources hold in the whole mesh, as Istio is usually installed."""


def check_telemetry(telemetry: Resource, attached: Attached) -> Iterator[Finding]:
    """Judge one that holds where requests are decided."""
    if telemetry.namespace not in (*attached.istio.namespaces(), *_ROOTS):
        return
    for log in telemetry.spec.at("access_logging").each():
        if log.at("disabled").flag:
            mend = "remove it, or name the providers that it is about and leave the sidecar's out"
            yield found(ACCESS_LOG, telemetry, log.at("disabled"), "access logs are turned off", mend)
        expression = log.at("filter", "expression")
        if expression.is_there:
            mend = "remove it, or put it on another provider: the sidecar needs every request"
            yield found(ACCESS_LOG, telemetry, expression, "only some requests are logged", mend)


def check_peer_authentication(peers: Resource, attached: Attached) -> Iterator[Finding]:
    """Judge one that holds for cells or for the proxies that decide."""
    if peers.namespace not in (*attached.namespaces(), *_ROOTS):
        return
    modes = [peers.spec.at("mtls", "mode")]
    for port, node in peers.spec.at("port_level_mtls").fields():
        modes.append(peers.spec.at("port_level_mtls", port, "mode") if node.is_there else modes[0])
    for mode in modes:
        if mode.text in ("PERMISSIVE", "DISABLE"):
            yield found(MTLS, peers, mode, f"the mode is {mode.text}", "write STRICT")
