"""Why the fields of Istio's and Kubernetes' resources are what they are; Envoy's own are explained by its reasons."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from extproc.mesh.envoy.reasons import REASONS

RESOURCE_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **REASONS,
        "kind: EnvoyFilter": "One resource holds the whole attachment: replaced whole, so that no proxy ever has the "
        "plans' routes without what strips a client's own plan.",
        "workloadSelector": "Only these proxies. Without labels a patch would hold for all of the namespace.",
        "priority": "Applied after others, so that what is put first here stays first.",
        "envoyfilter.istio.io/referenced-services": "A gateway that is sent only the clusters of its own routes would "
        "not know of those that our plans name.",
        "operation: INSERT_FIRST": "The filters are put at the top, the last of them first. Istio's authorization "
        "(RBAC) then judges the route that was decided on.",
        "name: no_upgrade": "Istio's listeners permit web sockets, of which only the beginning would be decided.",
        "name: situs.no_forwarded_address": "The policy counts no proxies in front. A merge cannot set back what the "
        "mesh counts, so the header goes.",
        "name: allow_any": "The way out for what no service claims: closed on this port.",
        "name: PassthroughFilterChain": "The way out for what is not HTTP: closed on this port.",
        "exportTo": "Nobody but the deciding proxies knows this host, so no other reaches a cell by it.",
        "localityLbSetting": "Off: with it Istio would go on to cells of other places by itself, to all of them.",
        "resolution: STATIC": "The addresses as they stand. Never NONE, by which a client's packet chooses the place.",
        "h2UpgradePolicy": "HTTP/1.1 to cells, as where Envoy is rendered alone.",
        "idleTimeout": "Less than the keep-alive of many servers (5 s): no request is sent into a closing connection.",
        "outlierDetection": "Gateway errors and failed connections eject a cell. A 500 does not: one client with a "
        "poisoned request must not eject a region.",
        "minHealthPercent": "No panic: below Istio's own or another percentage it would send to dead cells instead of "
        "going on to the next region of the plan.",
        "connectionPool": "Sized for all that may be in flight; Envoy's default of 1,024 refuses legal requests.",
        "subjectAltNames": "What proves that a cell is in this region. Another region's cell fails the handshake.",
        "directResponse": "Istio's own route of these hosts refuses. The routes by plan are put before it.",
        "forwardOriginalToken": "The token goes no further than the proxy.",
        "mtls": "Plain text from anybody is refused.",
        "mode: OPTIONAL_MUTUAL": "A certificate that is presented is verified; the policy decides about those without.",
        "action: ALLOW": "Whoever is not named here is refused by the cell's own proxy.",
        "namespaceSelector": "Together with the labels below it, in one entry: two entries would each do.",
    }
)
