"""What Envoy Gateway makes of a gateway: as it was captured, patched as it would patch it, and as an Envoy reads it.

`captured/unpatched.json` is its configuration of the example's Gateway without our patch policies, `patched.json` with
those of `patches.json`, which are the rendering's of that day, and `operations.json` what it makes of single
operations; `python -m mesh.gateway_api.capture` makes them.
"""

import copy
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.access_loggers.grpc.v3 import als_pb2 as _als
from envoy.extensions.clusters.aggregate.v3 import cluster_pb2 as _aggregate
from envoy.extensions.filters.http.ext_proc.v3 import ext_proc_pb2 as _ext_proc
from envoy.extensions.filters.http.header_to_metadata.v3 import header_to_metadata_pb2 as _header_to_metadata
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as _jwt_authn
from envoy.extensions.filters.http.router.v3 import router_pb2 as _router
from envoy.extensions.filters.network.connection_limit.v3 import connection_limit_pb2 as _connection_limit
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as _manager
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2 as _early
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2 as _hosts
from envoy.extensions.retry.priority.previous_priorities.v3 import previous_priorities_config_pb2 as _priorities
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as _upstream
from google.protobuf import json_format
from google.protobuf.message import Message
from mesh.gateway_api.json_patch import PatchError, apply_operation

CAPTURED: Final = Path(__file__).parent / "captured"
LISTENER: Final = "situs-system/situs/models"
MANAGER: Final = "envoy.filters.network.http_connection_manager"

# What may stand in an `Any`: its message must have been imported to be read.
IMPORTED: Final = (
    _als,
    _aggregate,
    _ext_proc,
    _header_to_metadata,
    _jwt_authn,
    _router,
    _connection_limit,
    _manager,
    _early,
    _hosts,
    _priorities,
    _upstream,
)

TYPES: Final[Mapping[str, type[Message]]] = {
    "type.googleapis.com/envoy.config.listener.v3.Listener": Listener,
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration": RouteConfiguration,
    "type.googleapis.com/envoy.config.cluster.v3.Cluster": Cluster,
}

_LISTENER, _, _CLUSTER = TYPES

Json = Any
Resources = dict[str, dict[str, Message]]
"""By type and name."""


def resources_of(dump: Mapping[str, list[Json]]) -> Resources:
    """Give the resources of a captured dump."""
    return {
        type_: {message.name: message for each in dump[type_] for message in [read(type_, each)]}  # type: ignore[attr-defined]
        for type_ in TYPES
    }


def captured(name: str) -> Resources:
    """Give what was captured under that name."""
    return resources_of(json.loads((CAPTURED / f"{name}.json").read_text()))


def read(type_: str, fields: Json) -> Message:
    """Read a resource from its JSON form, strictly."""
    return json_format.ParseDict({k: v for k, v in fields.items() if k != "@type"}, TYPES[type_]())


def write(message: Message) -> Json:
    """Write a resource as Envoy Gateway does before it patches: named as in the protobuf files, no defaults."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def patched(resources: Resources, patches: Iterable[Json]) -> tuple[Resources, list[str]]:
    """Apply patches as Envoy Gateway does: one after another, each whole or not at all. Gives what went wrong, too."""
    changed = copy.deepcopy(resources)
    problems: list[str] = []
    for patch in patches:
        of_type, operation = changed[patch["type"]], patch["operation"]
        try:
            if operation["op"] == "add" and not operation.get("path") and not operation.get("jsonPath"):
                added = read(patch["type"], operation["value"])
                of_type[added.name] = added  # type: ignore[attr-defined]
            elif patch["name"] not in of_type:
                problems.append(f"there is no {patch['name']}")
            else:
                fields = apply_operation(write(of_type[patch["name"]]), operation)
                of_type[patch["name"]] = read(patch["type"], fields)
        except (PatchError, json_format.ParseError) as error:
            problems.append(str(error))
    return changed, problems


def listener_of(resources: Resources, port: int) -> Json:
    """Give our listener, on loopback, with the routes in it that come apart from it (RDS)."""
    listeners, routes, _ = (resources[type_] for type_ in TYPES)
    fields = write(listeners[LISTENER])
    fields["address"] = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    for each in fields["default_filter_chain"]["filters"]:
        if each["name"] == MANAGER and "rds" in each["typed_config"]:
            name = each["typed_config"].pop("rds")["route_config_name"]
            each["typed_config"]["route_config"] = write(routes[name])
    return fields


def clusters_of(resources: Resources) -> list[Json]:
    """Give all clusters."""
    return [write(each) for each in resources[_CLUSTER].values()]


def bootstrap_of(resources: Resources, port: int, admin: int) -> Json:
    """Give a configuration that an Envoy reads from a file: our listener, and all clusters."""
    return {
        **_own(admin),
        "static_resources": {"listeners": [listener_of(resources, port)], "clusters": clusters_of(resources)},
    }


class ControlPlane:
    """Gives an Envoy its configuration while it runs, by files, which it watches: clusters first, then listeners."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "xds"
        self._directory.mkdir()

    def bootstrap(self, admin: int) -> Json:
        """Give what the Envoy starts with."""
        sources = {
            f"{name}_config": {
                "resource_api_version": "V3",
                "path_config_source": {"path": str(self._directory / f"{name}.json")},
            }
            for name in ("cds", "lds")
        }
        return {**_own(admin), "dynamic_resources": sources}

    def publish(self, resources: Resources, port: int) -> None:
        """Put resources in the place of those before."""
        for name, type_, each in (
            ("cds", _CLUSTER, clusters_of(resources)),
            ("lds", _LISTENER, [listener_of(resources, port)]),
        ):
            content = {"resources": [{"@type": type_, **fields} for fields in each]}
            # ENVOY: a file that is moved into its place is noticed; one that is written there is not.
            partial = self._directory / f".{name}"
            partial.write_text(json.dumps(content))
            partial.replace(self._directory / f"{name}.json")


def _own(admin: int) -> Json:
    return {
        "node": {"id": "gateway", "cluster": "gateway"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
    }
