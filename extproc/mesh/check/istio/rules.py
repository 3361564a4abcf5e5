"""The rules that are Istio's alone. What can be said of a cluster or a route is said by the rules for those."""

from typing import Final

from extproc.mesh.check.finding import Rule, Severity

EXPORT: Final = Rule(
    id="istio-export",
    severity=Severity.LEAK,
    title="a region's host is known only where requests are decided",
    why="By default a host is known in all namespaces: any workload could send to a region past the decision.",
)
ALLOW_ANY: Final = Rule(
    id="istio-allow-any",
    severity=Severity.LEAK,
    title="a workload reaches only what the mesh knows",
    why="With ALLOW_ANY, which is the default, what is sent to a cell's own address passes, undecided.",
)
ACCESS_LOG: Final = Rule(
    id="istio-access-log",
    severity=Severity.FAULT,
    title="the access log reaches the sidecar whole",
    why="A log that Istio makes of an extension provider would be gone, or have holes, and nobody would know which "
    "region a request reached. One that an EnvoyFilter puts there stays: that is judged on the proxy's dump.",
)
MTLS: Final = Rule(
    id="istio-mtls",
    severity=Severity.LEAK,
    title="cells and gateways take mutual TLS only",
    why="With PERMISSIVE or DISABLE anybody in the cluster can talk to a cell past the gateway, and nobody could tell.",
)
REMOVED: Final = Rule(
    id="istio-filter-removed",
    severity=Severity.LEAK,
    title="no EnvoyFilter takes away what decides",
    why="Patches of several EnvoyFilters are applied to the same proxy one after the other: the last one wins.",
)
FAILS_OPEN: Final = Rule(
    id="gateway-fails-open",
    severity=Severity.LEAK,
    title="an EnvoyExtensionPolicy does not fail open",
    why="When the sidecar is away, every request would pass undecided.",
)
OUTLIER: Final = Rule(
    id="istio-outlier-detection",
    severity=Severity.FAULT,
    title="every region's host has outlier detection",
    why="Without it Envoy goes on sending to a cell that fails, and the next region of the plan is not tried.",
)
SUBSET: Final = Rule(
    id="istio-subset",
    severity=Severity.FAULT,
    title="a region's host has no subsets",
    why="A plan names the cluster without a subset. What a subset says is not done, and its cluster is no plan's.",
)
RETRIES: Final = Rule(
    id="istio-retries",
    severity=Severity.FAULT,
    title="no VirtualService sets retries, faults or timeouts for a region's host",
    why="Retries belong to the route by plan; a second set of them multiplies what a brown-out receives.",
)
NAMESPACE: Final = Rule(
    id="istio-namespace",
    severity=Severity.FAULT,
    title="resources of the regions and of the decision are where the mesh file says",
    why="In another namespace Istio applies them to other proxies, or does not find them.",
)
MESH_LOCALITY: Final = Rule(
    id="istio-mesh-locality",
    severity=Severity.FAULT,
    title="the mesh's own locality settings name no region of ours",
    why="They hold for every host whose DestinationRule does not turn them off: one that is lost is enough.",
)

ALL: Final = (
    EXPORT,
    ALLOW_ANY,
    ACCESS_LOG,
    MTLS,
    REMOVED,
    FAILS_OPEN,
    OUTLIER,
    SUBSET,
    RETRIES,
    NAMESPACE,
    MESH_LOCALITY,
)
