"""For each rule of the linter a configuration that breaks that rule and no other, and the field that it must name."""

from collections.abc import Iterator
from typing import Final

from mesh.check.breaking import (
    C0,
    HOST,
    LISTENER,
    MANAGER,
    Fault,
    manager,
    no_route_by_plan,
    put,
)
from mesh.check.faults_of_clusters import clusters
from mesh.check.faults_of_detours import claims, copies, spellings, upgrades
from mesh.check.faults_of_edges import edge, tokens
from mesh.check.faults_of_filters import decisions, filters
from mesh.check.faults_of_routes import logs, ways
from mesh.check.faults_rarer import rarer, rarer_tokens_and_clusters


def _parts() -> Iterator[Fault]:
    yield Fault(
        rule="unread",
        path=f"{MANAGER}.rds.route_config_name",
        breaks=put(manager, rds={"route_config_name": "elsewhere"}),
    )
    yield Fault(
        rule="unread",
        path=f"{MANAGER}.http_filters[0].config_discovery",
        breaks=lambda r: r.manager["http_filters"].insert(0, {"name": "later", "config_discovery": {}}),
    )
    yield Fault(rule="unread", path=f"{MANAGER}.scoped_routes", breaks=put(manager, scoped_routes={"name": "x"}))
    yield Fault(
        rule="unread",
        path=f"{MANAGER}.route_config.vhds",
        breaks=lambda r: r.manager["route_config"].update(vhds={"config_source": {}}),
    )
    yield Fault(rule="unread", path=f"{HOST}.matcher", breaks=lambda r: r.host.update(matcher={"matcher_tree": {}}))
    yield Fault(rule="unread", path=f"{LISTENER}.fcds_config", breaks=lambda r: r.listener.update(fcds_config={}))
    yield Fault(
        rule="unread",
        path=f"{C0}.eds_cluster_config",
        breaks=lambda r: (r.cluster("c0").pop("load_assignment"), r.cluster("c0").update(type="EDS"))[1],
    )
    yield Fault(rule="not-attached", path="listeners", breaks=no_route_by_plan)


FAULTS: Final = (
    *_parts(),
    *filters(),
    *decisions(),
    *edge(),
    *tokens(),
    *ways(),
    *clusters(),
    *logs(),
    *rarer(),
    *rarer_tokens_and_clusters(),
    *copies(),
    *spellings(),
    *upgrades(),
    *claims(),
)
