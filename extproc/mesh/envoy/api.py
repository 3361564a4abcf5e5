"""Envoy's typed configuration messages, under short names: the only module that imports `envoy_data_plane`.

One place, because importing the package raises a deprecation warning (of pydantic, about generated code) that is not
ours to mend, and because what we use of Envoy's API is then one list.
"""

import warnings
from datetime import timedelta

import betterproto2

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from envoy_data_plane.envoy.config.accesslog import v3 as access_log
    from envoy_data_plane.envoy.config.bootstrap import v3 as bootstrap
    from envoy_data_plane.envoy.config.cluster import v3 as cluster
    from envoy_data_plane.envoy.config.common.mutation_rules import v3 as mutation_rules
    from envoy_data_plane.envoy.config.core import v3 as core
    from envoy_data_plane.envoy.config.endpoint import v3 as endpoint
    from envoy_data_plane.envoy.config.listener import v3 as listener
    from envoy_data_plane.envoy.config.overload import v3 as overload
    from envoy_data_plane.envoy.config.route import v3 as route
    from envoy_data_plane.envoy.extensions.access_loggers.grpc import v3 as grpc_log
    from envoy_data_plane.envoy.extensions.clusters.aggregate import v3 as aggregate
    from envoy_data_plane.envoy.extensions.filters.http.ext_proc import v3 as ext_proc
    from envoy_data_plane.envoy.extensions.filters.http.header_to_metadata import v3 as header_to_metadata
    from envoy_data_plane.envoy.extensions.filters.http.jwt_authn import v3 as jwt_authn
    from envoy_data_plane.envoy.extensions.filters.http.lua import v3 as lua
    from envoy_data_plane.envoy.extensions.filters.http.router import v3 as router
    from envoy_data_plane.envoy.extensions.filters.http.set_filter_state import v3 as set_filter_state
    from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
    from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation import v3 as early_mutation
    from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections import v3 as connection_limit
    from envoy_data_plane.envoy.extensions.retry.host.previous_hosts import v3 as previous_hosts
    from envoy_data_plane.envoy.extensions.retry.priority.previous_priorities import v3 as previous_priorities
    from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as transport
    from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstream_http
    from envoy_data_plane.envoy.type import v3 as types
    from envoy_data_plane.envoy.type.matcher import v3 as matcher
    from envoy_data_plane.google.protobuf import Any, Empty

__all__ = [
    "Any",
    "Empty",
    "access_log",
    "aggregate",
    "bootstrap",
    "cluster",
    "connection_limit",
    "core",
    "early_mutation",
    "endpoint",
    "ext_proc",
    "grpc_log",
    "hcm",
    "header_to_metadata",
    "jwt_authn",
    "listener",
    "lua",
    "matcher",
    "mutation_rules",
    "overload",
    "packed",
    "previous_hosts",
    "previous_priorities",
    "route",
    "router",
    "seconds",
    "set_filter_state",
    "transport",
    "types",
    "upstream_http",
]


def packed(message: betterproto2.Message) -> Any:
    """Wrap a message as an `Any`, with its type's URL."""
    return Any.pack(message)


def seconds(value: float) -> timedelta:
    """Give a duration as the messages take it."""
    return timedelta(seconds=value)
