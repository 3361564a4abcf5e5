"""What a rule knows beside the node that it looks at: what is expected, and the clusters of the whole configuration."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import permutations
from typing import Final

from extproc.core.ids import RegionId
from extproc.core.steering import PLAN_SEPARATOR, format_plan
from extproc.mesh.check.config import EnvoyConfig, Expected
from extproc.mesh.check.finding import Finding, Rule
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.places import Place, place_of, places_of
from extproc.names import SIDECAR_CLUSTER

AGGREGATE: Final = "envoy.extensions.clusters.aggregate.v3.ClusterConfig"
_OPEN_TYPES: Final = frozenset(
    (
        "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
        "envoy.extensions.clusters.reverse_connection.v3.RevConClusterConfig",
        "envoy.extensions.clusters.original_dst.v3.OriginalDstClusterConfig",
        # Whatever the module is made to do.
        "envoy.extensions.clusters.dynamic_modules.v3.ClusterConfig",
    )
)
_DNS: Final = "envoy.extensions.clusters.dns.v3.DnsCluster"
_LISTED_NAMES: Final = frozenset(
    f"envoy.cluster.{name}" for name in ("dns", "eds", "logical_dns", "static", "strict_dns")
)
# ENVOY: these are found by their names too, because they need no configuration of their own.
_OPEN_NAMES: Final = frozenset(("envoy.cluster.original_dst", "envoy.clusters.original_dst"))
_ORIGINAL_DST: Final = 4
_EDS: Final = 3
_MOST_NESTED: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is expected, and what else the configuration holds. Made by :func:`scope_of` or :func:`scope_alone`.

    `regions` has the region of each cluster that is one's own, by the names that hold here; `members` how a region's
    cluster is called in plans and here.
    """

    origin: str
    expected: Expected
    clusters: Mapping[str, Node] = field(default_factory=dict)
    endpoints: Mapping[str, Node] = field(default_factory=dict)
    regions: Mapping[str, RegionId] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[Place, RegionId] = field(default_factory=dict)
    sidecars: frozenset[Place] = frozenset()
    is_whole: bool = True

    def found(self, rule: Rule, node: Node, message: str, mend: str) -> Finding:
        """Make a finding."""
        return Finding(rule=rule, origin=self.origin, path=node.path, message=message, mend=mend)

    def plan(self, name: str) -> tuple[str, ...] | None:
        """Give the clusters of which the plan of that name must consist; None where the name is no plan's."""
        names = name.split(PLAN_SEPARATOR)
        if len(set(names)) < len(names) or not all(each in self.members for each in names):
            return None
        members = tuple(self.members[each] for each in names)
        return None if members == (name,) else members

    def plans(self) -> Iterator[str]:
        """Give the name of every plan that the policy's sidecar may name and that is no region's own cluster."""
        own = all(name == member for name, member in self.members.items())
        for size in range(2 if own else 1, min(self.expected.tables.plan_length, len(self.members)) + 1):
            for plan in permutations(self.members, size):
                yield format_plan(plan)

    def is_open(self, cluster: Node) -> bool:
        """Tell whether a cluster sends to wherever a request or a connection says."""
        kind = cluster.at("cluster_type", "typed_config").typed()[0]
        return (
            cluster.at("type").choice == "ORIGINAL_DST"
            or cluster.at("type").number == _ORIGINAL_DST
            or cluster.at("cluster_type", "name").text in _OPEN_NAMES
            or kind in _OPEN_TYPES
        )

    def where(self, name: str) -> str:
        """Say to which region, plan or other place of cells a cluster leads; empty for one that leads to none."""
        if name in self.regions:
            return f"region {self.regions[name]}"
        if self.plan(name) is not None:
            return f"the plan {name}"
        return self._led(name, 0)

    def _led(self, name: str, depth: int) -> str:
        cluster = self.clusters.get(name)
        if cluster is None:
            return ""
        for member in _named(cluster):
            told = f"region {self.regions[member.text]}" if member.text in self.regions else ""
            told = told or (self._led(member.text, depth + 1) if depth < _MOST_NESTED else "")
            if told:
                return told
        held = sorted(
            {self.cells[place] for _, place in self.places(cluster) if place is not None and place in self.cells}
        )
        return f"cells of {', '.join(held)}" if held else ""

    def places(self, cluster: Node) -> Iterator[tuple[Node, Place | None]]:
        """Give the endpoints of a cluster, whether they stand in it or were discovered; None for what is no address."""
        for assignment in self.assignments(cluster):
            yield from places_of(assignment)

    def assignments(self, cluster: Node) -> Iterator[Node]:
        """Give the endpoints' messages of a cluster."""
        if cluster.at("load_assignment").is_there:
            yield cluster.at("load_assignment")
        service = cluster.at("eds_cluster_config", "service_name").text or cluster.at("name").text
        if is_discovered(cluster) and service in self.endpoints:
            yield self.endpoints[service]

    def is_sidecar(self, name: str) -> bool:
        """Tell whether a cluster is the sidecar's: by its name, or because it holds the sidecar and nobody else."""
        if name == SIDECAR_CLUSTER:
            return True
        cluster = self.clusters.get(name)
        if cluster is None:
            return False
        held = [place for _, place in self.places(cluster)]
        return bool(held) and all(place in self.sidecars for place in held)


def aggregated(cluster: Node) -> Iterator[Node]:
    """Give the members of an aggregate cluster, in order."""
    kind, config = cluster.at("cluster_type", "typed_config").typed()
    if kind == AGGREGATE:
        yield from config.at("clusters").items()


def is_listed(cluster: Node) -> bool:
    """Tell whether a cluster holds the endpoints that are written for it: not a type that finds others."""
    own = cluster.at("cluster_type")
    kind = own.at("typed_config").typed()[0]
    return not own.is_there or kind == _DNS or (not kind and own.at("name").text in _LISTED_NAMES)


def _named(cluster: Node) -> Iterator[Node]:
    """Give what may be the name of a cluster to which one of a type of its own leads (measured of composite ones)."""
    if cluster.at("cluster_type").is_there:
        yield from (node for node in cluster.at("cluster_type", "typed_config").descendants() if node.text)


def is_discovered(cluster: Node) -> bool:
    """Tell whether a cluster's endpoints come apart from it (EDS)."""
    return cluster.at("type").choice == "EDS" or cluster.at("type").number == _EDS


def scope_of(config: EnvoyConfig, expected: Expected) -> Scope:
    """Give the scope of a whole configuration.

    ISTIO: there a region's cluster is Istio's own and each plan is an aggregate; a bootstrap that was rendered for
    Envoy alone from the same mesh file is told by having none of those names.
    """
    names = expected.mesh.names_of_clusters()
    if not any(name in config.clusters for name in names):
        names = {}
    return _scope(expected, config.origin, names, clusters=config.clusters, endpoints=config.endpoints)


def scope_alone(origin: str, expected: Expected) -> Scope:
    """Give the scope of a part that stands alone, such as a patch: other clusters are known by their names only."""
    return _scope(expected, origin, expected.mesh.names_of_clusters(), is_whole=False)


def _scope(  # noqa: PLR0913 - what differs between the two
    expected: Expected,
    origin: str,
    names: Mapping[str, RegionId],
    *,
    clusters: Mapping[str, Node] | None = None,
    endpoints: Mapping[str, Node] | None = None,
    is_whole: bool = True,
) -> Scope:
    called = {region: name for name, region in names.items()}
    own = {region.cluster: called.get(region.id, region.cluster) for region in expected.tables.regions}
    return Scope(
        origin=origin,
        expected=expected,
        clusters=clusters or {},
        endpoints=endpoints or {},
        regions={own[region.cluster]: region.id for region in expected.tables.regions},
        members=own,
        cells={place_of(place): region for region, held in expected.mesh.regions.items() for place in held.endpoints},
        sidecars=frozenset(place_of(place) for place in expected.mesh.sidecars()),
        is_whole=is_whole,
    )
