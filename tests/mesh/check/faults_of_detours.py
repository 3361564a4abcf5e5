"""Ways round the decision that are written where nobody looks for them, and other spellings of the same."""

import copy
from collections.abc import Iterator
from dataclasses import replace

from mesh.check.breaking import (
    C0,
    HOST,
    HTTP,
    JWT_FILTER,
    LISTENER,
    MANAGER,
    PLAN,
    ROUTE,
    TYPES,
    Break,
    Fault,
    c0,
    endpoint,
    first_route,
    insert,
    manager,
    mode,
    of_route,
    one_more_listener,
    put,
    with_tokens,
)
from mesh.check.rendered import CLAIMS, Fields, Rendered
from mesh.example import READING

OTHER = "shop.example"
"""A host whose requests are not for a model."""
_SECOND = "static_resources.listeners[1].filter_chains[0].filters[0].typed_config"
_STATE = {"object_key": "envoy.tcp_proxy.cluster", "format_string": {"text_format_source": {"inline_string": "%SNI%"}}}


def _shop(rendered: Rendered, *cells: Fields) -> None:
    assignment = {"cluster_name": "shop", "endpoints": [{"lb_endpoints": list(cells)}]}
    rendered.clusters.append({"name": "shop", "connect_timeout": "1s", "load_assignment": assignment})


def copy_of_another_host(cluster: str, name: str = "cluster", level: str = "action") -> Break:
    """Copy requests of another host, which nobody decides about, to a cluster."""

    def breaks(rendered: Rendered) -> None:
        _shop(rendered, endpoint(9))
        action: Fields = {"cluster": "shop"}
        host = {
            "name": "shop",
            "domains": [OTHER],
            "routes": [{"match": {"prefix": "/"}, "route": action}],
            "typed_per_filter_config": {"envoy.filters.http.ext_proc": of_route(disabled=True)},
        }
        {"action": action, "host": host}[level]["request_mirror_policies"] = [{name: cluster}]
        rendered.manager["route_config"]["virtual_hosts"].append(host)

    return breaks


def composite(rendered: Rendered) -> None:
    """Put a cluster that sends each attempt to another one, and a route to it."""
    rendered.clusters.append(
        {"name": "each_once", "connect_timeout": "1s", "lb_policy": "CLUSTER_PROVIDED", "cluster_type": _composite()}
    )
    first_route(cluster="each_once")(rendered)


def _composite() -> Fields:
    type_ = f"{TYPES}envoy.extensions.clusters.composite.v3.ClusterConfig"
    return {"name": "envoy.clusters.composite", "typed_config": {"@type": type_, "clusters": [{"name": "c2"}]}}


def copies() -> Iterator[Fault]:
    """Copies, calls and connections that are no route by plan."""
    second = f"{MANAGER}.route_config.virtual_hosts[1]"
    for level, path in (("action", f"{second}.routes[0].route"), ("host", second)):
        for name, cluster in (("cluster", "c2"), ("cluster_header", "x-copy")):
            yield Fault(
                rule="mirror",
                path=f"{path}.request_mirror_policies[0]",
                breaks=copy_of_another_host(cluster, name, level),
            )
    to_region = {"grpc_service": {"envoy_grpc": {"cluster_name": "c2"}}}
    yield Fault(
        rule="filter-to-region",
        path=f"{MANAGER}.access_log[1].typed_config.common_config.grpc_service.envoy_grpc.cluster_name",
        breaks=lambda r: r.manager["access_log"].append({"typed_config": {"common_config": to_region}}),
    )
    yield Fault(
        rule="filter-to-region",
        path=f"{MANAGER}.tracing.provider.typed_config.grpc_service.envoy_grpc.cluster_name",
        breaks=put(manager, tracing={"provider": {"typed_config": to_region}}),
    )
    state = f"{TYPES}envoy.extensions.filters.network.set_filter_state.v3.Config"
    yield Fault(
        rule="network-route",
        path=f"{_SECOND}.on_new_connection[0].object_key",
        breaks=one_more_listener(**{"@type": state, "on_new_connection": [_STATE]}),
    )
    thrift = f"{TYPES}envoy.extensions.filters.network.thrift_proxy.v3.ThriftProxy"
    yield Fault(
        rule="network-route",
        path=f"{_SECOND}.routes[0].cluster_header",
        breaks=one_more_listener(**{"@type": thrift, "routes": [{"cluster_header": "x-to"}]}),
    )
    wrapped = {"@type": f"{TYPES}envoy.extensions.common.matching.v3.ExtensionWithMatcher"}

    def inside(rendered: Rendered) -> None:
        one_more_listener(**wrapped, extension_config={"typed_config": {"@type": rendered.manager["@type"]}})(rendered)

    yield Fault(rule="unread", path=_SECOND, breaks=inside)
    yield Fault(
        rule="unread",
        path=f"{LISTENER}.listener_filters[0].config_discovery",
        breaks=lambda r: r.listener.update(listener_filters=[{"name": "later", "config_discovery": {}}]),
    )


def spellings() -> Iterator[Fault]:
    """The same in other words: letter case of enums, addresses, types of clusters."""
    yield Fault(
        rule="headers-not-sent",
        path=f"{MANAGER}.http_filters[0].typed_config.processing_mode.request_header_mode",
        breaks=put(mode, request_header_mode="skip"),
    )
    yield Fault(rule="open-cluster", path=f"{C0}.type", breaks=put(c0, type="original_dst"))
    straight = f"{HOST}.routes[0].route.cluster"
    yield Fault(rule="route-to-region", path=straight, breaks=composite)
    yield Fault(
        rule="open-cluster",
        path=f"{C0}.cluster_type",
        breaks=lambda r: r.cluster("c0").update(cluster_type=_composite()),
    )
    module = f"{TYPES}envoy.extensions.clusters.dynamic_modules.v3.ClusterConfig"

    def by_module(rendered: Rendered) -> None:
        rendered.clusters.append({"name": "any", "cluster_type": {"name": "x", "typed_config": {"@type": module}}})
        first_route(cluster="any")(rendered)

    yield Fault(rule="open-destination", path=straight, breaks=by_module)

    def mapped(host: str) -> Break:
        def breaks(rendered: Rendered) -> None:
            _shop(rendered, endpoint(9003, host))
            first_route(cluster="shop")(rendered)

        return breaks

    for host in ("::ffff:127.0.0.1", "::ffff:7f00:1"):
        yield Fault(rule="route-to-region", path=straight, breaks=mapped(host))

    def named(rendered: Rendered) -> None:
        _shop(rendered, {"endpoint_name": "a"})
        rendered.cluster("shop")["load_assignment"]["named_endpoints"] = {"a": endpoint(9003)["endpoint"]}
        first_route(cluster="shop")(rendered)

    yield Fault(rule="route-to-region", path=straight, breaks=named)
    yield Fault(
        rule="balancer",
        path=f"{PLAN}.load_balancing_policy.policies[0]",
        breaks=lambda r: r.cluster("c0>c1").update(load_balancing_policy={"policies": [{}]}),
    )
    pool = {"typed_config": {"@type": f"{TYPES}envoy.extensions.upstreams.http.udp.v3.UdpConnectionPoolProto"}}
    yield Fault(rule="tunnel", path=f"{C0}.upstream_config", breaks=put(c0, upstream_config=pool))


def upgrades() -> Iterator[Fault]:
    """An upgrade's own filters, a cluster's, and what stands behind the decision."""
    path = f"{MANAGER}.upgrade_configs[0].filters"

    def lax(index: int, **fields: object) -> Break:
        def breaks(rendered: Rendered) -> None:
            filters = copy.deepcopy(rendered.manager["http_filters"])
            filters[index]["typed_config"].update(fields)
            rendered.manager["upgrade_configs"] = [{"upgrade_type": "websocket", "filters": filters}]

        return breaks

    yield Fault(
        rule="failure-mode-allow",
        path=f"{path}[0].typed_config.failure_mode_allow",
        breaks=lax(0, failure_mode_allow=True),
    )
    yield Fault(rule="attempt-log", path=f"{path}[1].typed_config.upstream_log", breaks=lax(1, upstream_log=[]))
    mutates = {
        "name": "mutates",
        "typed_config": {
            "@type": f"{HTTP}.header_mutation.v3.HeaderMutation",
            "mutations": {"request_mutations": [{"remove": "x-situs-decision"}]},
        },
    }
    changed = "typed_config.mutations.request_mutations[0].remove"
    yield Fault(
        rule="filter-behind-decision",
        path=f"{MANAGER}.http_filters[1].typed_config.upstream_http_filters[0].{changed}",
        breaks=lambda r: r.filter("router")["typed_config"].update(upstream_http_filters=[mutates]),
    )
    options = "typed_extension_protocol_options"
    name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    yield Fault(
        rule="filter-behind-decision",
        path=f"{C0}.{options}.{name}.http_filters[0].{changed}",
        breaks=lambda r: r.cluster("c0")[options][name].update(http_filters=[mutates]),
    )
    yield Fault(
        rule="filter-to-region",
        path=f"{C0}.filters[0].typed_config.grpc_service.envoy_grpc.cluster_name",
        breaks=put(c0, filters=[{"typed_config": {"grpc_service": {"envoy_grpc": {"cluster_name": "c1"}}}}]),
    )
    yield Fault(
        rule="filter-behind-decision",
        path=f"{MANAGER}.http_filters[1].typed_config.mutations.request_mutations[0].remove_on_match.key_matcher",
        breaks=insert(
            "mutates",
            "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            mutations={"request_mutations": [{"remove_on_match": {"key_matcher": {"suffix": "-decision"}}}]},
        ),
    )

    def limits(rendered: Rendered) -> None:
        insert("limits", "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit")(rendered)
        added = [{"header": {"key": "x-situs-route", "value": "c2"}}]
        rendered.by_plan["typed_per_filter_config"] = {
            "limits": {
                "@type": f"{HTTP}.local_ratelimit.v3.LocalRateLimit",
                "request_headers_to_add_when_not_enforced": added,
            }
        }

    yield Fault(
        rule="filter-behind-decision",
        path=f"{ROUTE}.typed_per_filter_config.limits.request_headers_to_add_when_not_enforced[0].header.key",
        breaks=limits,
    )


def claims() -> Iterator[Fault]:
    """What the policy reads, taken away or forged before the decision."""
    early = f"{MANAGER}.early_header_mutation_extensions[0].typed_config.mutations[2]"

    def mutates(**mutation: object) -> Break:
        return lambda r: r.manager["early_header_mutation_extensions"][0]["typed_config"]["mutations"].append(mutation)

    yield Fault(rule="header-not-forwarded", path=early, breaks=mutates(remove="X-Data-Class"))
    yield Fault(
        rule="header-not-forwarded",
        path=early,
        breaks=mutates(remove="authorization"),
        reading=CLAIMS,
        mesh=with_tokens,
    )
    written = {"header": {"key": "x-forwarded-for", "value": "%REQ(x-client)%"}}
    yield Fault(
        rule="address-detection",
        path=f"{early}.append.header.key",
        breaks=mutates(append=written),
        reading=replace(READING, trusted_hops=1),
    )
    jwt = "envoy.filters.http.jwt_authn"
    rule = {"header": "x-claims", "on_header_present": {"metadata_namespace": jwt, "type": "PROTOBUF_VALUE"}}
    yield Fault(
        rule="token-unverified",
        path=f"{MANAGER}.http_filters[2].typed_config.request_rules[0].on_header_present.metadata_namespace",
        breaks=insert("notes", "envoy.extensions.filters.http.header_to_metadata.v3.Config", 2, request_rules=[rule]),
        reading=CLAIMS,
        mesh=with_tokens,
    )
    receives = {"receiving_namespaces": {"untyped": [jwt]}}
    yield Fault(
        rule="token-unverified",
        path=f"{MANAGER}.http_filters[0].typed_config.metadata_options.receiving_namespaces.untyped[0]",
        breaks=insert(
            "asks", "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor", 0, metadata_options=receives
        ),
        reading=CLAIMS,
        mesh=with_tokens,
    )

    def required_otherwise(rendered: Rendered) -> None:
        rendered.filter("jwt_authn")["typed_config"]["requirement_map"] = {"lax": {"allow_missing_or_failed": {}}}
        per_route = {"@type": f"{HTTP}.jwt_authn.v3.PerRouteConfig", "requirement_name": "lax"}
        rendered.host["typed_per_filter_config"] = {jwt: per_route}

    yield Fault(
        rule="token-unverified",
        path=f"{JWT_FILTER}.requirement_map.lax.allow_missing_or_failed",
        breaks=required_otherwise,
        reading=CLAIMS,
        mesh=with_tokens,
    )
