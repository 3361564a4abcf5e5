"""The plans: one aggregate cluster for each ordered choice of regions that a decision may name.

They depend on the list of regions only. A policy that forbids a region, or a legal suspension, changes nothing here:
the sidecar then never names a plan that holds it.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

from extproc.core.steering import format_plan
from extproc.mesh.envoy.api import aggregate, cluster, packed, seconds
from extproc.mesh.envoy.clusters import breakers
from extproc.mesh.section import Mesh


def plan_clusters(
    regions: Sequence[str],
    length: int,
    mesh: Mesh,
    *,
    shortest: int = 2,
    member: Callable[[str], str] = str,
) -> Iterator[cluster.Cluster]:
    """Give the clusters of all plans of two regions and more, up to `length`, in order of length and catalogue.

    A plan of one region is that region's own cluster. Where the regions' own clusters bear other names, `member` gives
    them, and a plan of one region (`shortest` 1) is a cluster like the others.
    """
    for size in range(shortest, min(length, len(regions)) + 1):
        for plan in permutations(regions, size):
            yield _plan_cluster(plan, [member(region) for region in plan], mesh)


def _plan_cluster(plan: Sequence[str], members: Sequence[str], mesh: Mesh) -> cluster.Cluster:
    return cluster.Cluster(
        name=format_plan(plan),
        connect_timeout=seconds(mesh.timeouts.connect_s),
        lb_policy=cluster.ClusterLbPolicy.CLUSTER_PROVIDED,
        cluster_type=cluster.ClusterCustomClusterType(
            name="envoy.clusters.aggregate",
            typed_config=packed(aggregate.ClusterConfig(clusters=list(members))),
        ),
        # ENVOY: retries are counted against the cluster that the route named, which is this one.
        circuit_breakers=breakers(mesh.limits, mesh.retries),
    )
