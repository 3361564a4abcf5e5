"""The regions in Istio's own terms: for each a host that its cells have, and how its cluster treats them.

What Istio's resources can say is said by them. What they cannot (an active health check, when a change of health
counts) is merged into the clusters that Istio makes of them: :mod:`extproc.mesh.istio.patches`.
"""

from collections.abc import Iterator, Mapping, Sequence

from extproc.core.ids import RegionId
from extproc.core.tables import Region
from extproc.mesh.envoy.addresses import discovery_of
from extproc.mesh.envoy.api import cluster
from extproc.mesh.istio.kinds import NETWORKING, duration, resource
from extproc.mesh.istio.section import IstioMesh, PeerProof
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json


def region_resources(regions: Sequence[Region], mesh: Mesh, istio: IstioMesh) -> Iterator[Mapping[str, Json]]:
    """Give the ServiceEntry and the DestinationRule of each region, in the policy's order."""
    for region in regions:
        yield _service_entry(region.id, mesh, istio)
        yield _destination_rule(region.id, mesh, istio)


def _service_entry(region: RegionId, mesh: Mesh, istio: IstioMesh) -> Mapping[str, Json]:
    entry = mesh.regions[region]
    is_fixed = discovery_of(entry.endpoints) is cluster.ClusterDiscoveryType.STATIC
    spec: dict[str, Json] = {
        "hosts": [istio.host_of(region)],
        "exportTo": list(istio.namespaces()),
        "location": "MESH_INTERNAL" if istio.cells is not None else "MESH_EXTERNAL",
        "resolution": "STATIC" if is_fixed else "DNS",
        "ports": [{"number": istio.port, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": place.address, "ports": {"http": place.port}} for place in entry.endpoints],
    }
    return resource(NETWORKING, "ServiceEntry", str(region), istio.namespace, spec)


def _destination_rule(region: RegionId, mesh: Mesh, istio: IstioMesh) -> Mapping[str, Json]:
    limits, health, timeouts = mesh.limits, mesh.health, mesh.timeouts
    policy: dict[str, Json] = {
        "loadBalancer": {"simple": "LEAST_REQUEST", "localityLbSetting": {"enabled": False}},
        "connectionPool": {
            "tcp": {"maxConnections": limits.in_flight, "connectTimeout": duration(timeouts.connect_s)},
            "http": {
                "http1MaxPendingRequests": limits.in_flight,
                "http2MaxRequests": limits.in_flight,
                "idleTimeout": duration(timeouts.cell_idle_s),
                "h2UpgradePolicy": "DO_NOT_UPGRADE",
            },
        },
        "outlierDetection": {
            "interval": duration(1),
            "baseEjectionTime": duration(health.ejection_s),
            "maxEjectionPercent": 100,
            "minHealthPercent": 0,
            "consecutiveGatewayErrors": health.failures,
            "consecutive5xxErrors": 0,
            "splitExternalLocalOriginErrors": True,
            "consecutiveLocalOriginFailures": health.failures,
        },
    }
    if (tls := _tls(region, mesh, istio)) is not None:
        policy["tls"] = tls
    spec: dict[str, Json] = {
        "host": istio.host_of(region),
        "exportTo": list(istio.namespaces()),
        "trafficPolicy": policy,
    }
    return resource(NETWORKING, "DestinationRule", str(region), istio.namespace, spec)


def _tls(region: RegionId, mesh: Mesh, istio: IstioMesh) -> Mapping[str, Json] | None:
    """Give how each side proves itself: a connection to a cell that proves another region fails."""
    identity = mesh.regions[region].identity
    if mesh.tls is None or identity is None:
        return None
    if istio.prove is PeerProof.MESH:
        return {"mode": "ISTIO_MUTUAL", "subjectAltNames": [identity]}
    return {
        "mode": "MUTUAL",
        "clientCertificate": mesh.tls.certificate,
        "privateKey": mesh.tls.key,
        "caCertificates": mesh.tls.authorities,
        "subjectAltNames": [identity],
    }
