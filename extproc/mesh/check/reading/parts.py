"""The parts of one Envoy's configuration, gathered from wherever they stand.

SPEC: the xDS resource types. ENVOY: a name of a cluster or of a route configuration is taken once.
"""

from typing import Final

from extproc.mesh.check.config import EnvoyConfig
from extproc.mesh.check.node import Node
from extproc.mesh.check.reading.unresolved import unresolved

LISTENER: Final = "envoy.config.listener.v3.Listener"
CLUSTER: Final = "envoy.config.cluster.v3.Cluster"
ROUTES: Final = "envoy.config.route.v3.RouteConfiguration"
ENDPOINTS: Final = "envoy.config.endpoint.v3.ClusterLoadAssignment"
_WRAPPER: Final = "envoy.service.discovery.v3.Resource"
_OF_NO_ROUTE: Final = frozenset(
    ("envoy.extensions.transport_sockets.tls.v3.Secret", "envoy.service.runtime.v3.Runtime")
)
_NOT_READ: Final = frozenset(
    (
        "envoy.config.core.v3.TypedExtensionConfig",
        "envoy.config.route.v3.ScopedRouteConfiguration",
        "envoy.config.route.v3.VirtualHost",
    )
)


class Parts:
    """What was gathered so far. `taken` counts the resources that were known, also those that decide nothing."""

    def __init__(self) -> None:
        self.taken = 0
        self.listeners: list[Node] = []
        self.clusters: dict[str, Node] = {}
        self.routes: dict[str, Node] = {}
        self.endpoints: dict[str, Node] = {}
        self.runtimes: list[Node] = []
        """Layers of runtime values. They are in no resource, and change what resources say."""
        self.unread: list[tuple[Node, str]] = []

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing yet."""
        return not (self.listeners or self.clusters or self.routes or self.endpoints or self.unread)

    def add(self, resource: Node) -> bool:
        """Take one xDS resource, told by its `@type`. False if it is none that can stand by itself."""
        name, value = resource.typed()
        self.taken += 1
        if name == _WRAPPER:
            return self.add(value.at("resource"))
        if name == LISTENER:
            self.listeners.append(value)
        elif name == CLUSTER:
            self.add_cluster(value)
        elif name == ROUTES:
            self.add_routes(value)
        elif name == ENDPOINTS:
            self.endpoints[value.at("cluster_name").text] = value
        elif name in _NOT_READ:
            self.unread.append((resource, f"a {name.rpartition('.')[2]}, which is not read by itself"))
        else:
            return name in _OF_NO_ROUTE
        return True

    def add_cluster(self, cluster: Node) -> None:
        """Take a cluster; a second one of the same name is not lost, but is not read either."""
        _take(self.clusters, cluster, self.unread, "cluster")

    def add_routes(self, routes: Node) -> None:
        """Take a route configuration."""
        _take(self.routes, routes, self.unread, "route configuration")

    def merge(self, others: "Parts") -> None:
        """Take what others gathered."""
        self.listeners.extend(others.listeners)
        for cluster in others.clusters.values():
            self.add_cluster(cluster)
        for routes in others.routes.values():
            self.add_routes(routes)
        self.endpoints.update(others.endpoints)
        self.runtimes.extend(others.runtimes)
        self.unread.extend(others.unread)

    def config(self, origin: str) -> EnvoyConfig:
        """Give the configuration, with what it refers to and does not hold among the unread."""
        whole = EnvoyConfig(
            origin=origin,
            listeners=tuple(self.listeners),
            clusters=self.clusters,
            routes=self.routes,
            endpoints=self.endpoints,
        )
        unread = (*self.unread, *unresolved(whole))
        return EnvoyConfig(
            origin=origin,
            listeners=whole.listeners,
            clusters=whole.clusters,
            routes=whole.routes,
            endpoints=whole.endpoints,
            unread=unread,
        )


def _take(known: dict[str, Node], node: Node, unread: list[tuple[Node, str]], what: str) -> None:
    name = node.at("name").text
    first = known.setdefault(name, node)
    if first is not node and first.value != node.value:
        unread.append((node, f"a second {what} of the name '{name}', other than the one at {first.path}"))
