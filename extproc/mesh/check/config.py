"""One Envoy's configuration as the rules see it, whatever form it came in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.mesh.check.node import Node
from extproc.mesh.section import Mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyConfig:
    """All of an Envoy's configuration that decides where a request goes.

    `origin`: the file or the admin port. `listeners`: each a `Listener`. `clusters`: each a `Cluster`, by name.
    `routes`: each a `RouteConfiguration` that came apart from its listener (RDS), by name. `endpoints`: each a
    `ClusterLoadAssignment` that came apart from its cluster (EDS), by its name. `unread`: what decides too and could
    not be read, with the reason: the linter must not be silent about what it has not seen.
    """

    origin: str
    listeners: tuple[Node, ...]
    clusters: Mapping[str, Node]
    routes: Mapping[str, Node] = field(default_factory=dict)
    endpoints: Mapping[str, Node] = field(default_factory=dict)
    unread: tuple[tuple[Node, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the configuration is held against: the policy, and the mesh file that goes with it."""

    tables: PolicyTables
    reading: Reading
    mesh: Mesh
