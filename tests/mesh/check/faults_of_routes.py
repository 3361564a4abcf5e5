"""Faults of routes, of other ways to a cell, and of the logs."""

from collections.abc import Iterator

from mesh.check.breaking import (
    HOST,
    MANAGER,
    ROUTE,
    TYPES,
    Fault,
    action,
    by_plan,
    drop,
    endpoint,
    first_route,
    manager,
    one_more_listener,
    put,
    upstream_log,
)
from mesh.check.rendered import PAYLOAD, Rendered


def ways() -> Iterator[Fault]:
    yield Fault(rule="route-to-region", path=f"{HOST}.routes[0].route.cluster", breaks=first_route(cluster="c2"))
    yield Fault(rule="route-to-region", path=f"{HOST}.routes[0].route.cluster", breaks=first_route(cluster="c0>c2"))
    yield Fault(
        rule="route-to-region",
        path=f"{HOST}.routes[0].route.weighted_clusters.clusters[1].name",
        breaks=first_route(weighted_clusters={"clusters": [{"name": "web", "weight": 1}, {"name": "c1"}]}),
    )

    def alias(rendered: Rendered) -> None:
        """Another cluster with the same cell: a name says nothing."""
        rendered.clusters.append(
            {"name": "web", "load_assignment": {"endpoints": [{"lb_endpoints": [endpoint(9003)]}]}}
        )
        first_route(cluster="web")(rendered)

    yield Fault(rule="route-to-region", path=f"{HOST}.routes[0].route.cluster", breaks=alias)
    yield Fault(
        rule="cluster-header",
        path=f"{HOST}.routes[0].route.cluster_header",
        breaks=first_route(cluster_header="x-region"),
    )
    yield Fault(
        rule="cluster-specifier",
        path=f"{HOST}.routes[0].route.inline_cluster_specifier_plugin",
        breaks=first_route(inline_cluster_specifier_plugin={"extension": {"name": "lua"}}),
    )

    def passes_through(rendered: Rendered) -> None:
        rendered.clusters.append({"name": "anywhere", "type": "ORIGINAL_DST"})
        first_route(cluster="anywhere")(rendered)

    yield Fault(rule="open-destination", path=f"{HOST}.routes[0].route.cluster", breaks=passes_through)
    mirrors = [{"cluster": "c2"}]
    for part, path in (
        (action, f"{ROUTE}.route"),
        (lambda r: r.host, HOST),
        (lambda r: r.manager["route_config"], f"{MANAGER}.route_config"),
    ):
        yield Fault(
            rule="mirror",
            path=f"{path}.request_mirror_policies[0]",
            breaks=put(part, request_mirror_policies=mirrors),
        )
    yield Fault(
        rule="internal-redirect",
        path=f"{ROUTE}.route.internal_redirect_policy",
        breaks=put(action, internal_redirect_policy={"max_internal_redirects": 1}),
    )
    yield Fault(
        rule="hedging",
        path=f"{ROUTE}.route.hedge_policy",
        breaks=put(action, hedge_policy={"hedge_on_per_try_timeout": True}),
    )
    yield Fault(
        rule="retry-priority",
        path=f"{ROUTE}.route.retry_policy.retry_priority",
        breaks=lambda r: r.by_plan["route"]["retry_policy"].pop("retry_priority"),
    )
    yield Fault(rule="retry-priority", path=f"{ROUTE}.route.retry_policy", breaks=drop(action, "retry_policy"))
    yield Fault(
        rule="once-missing",
        path=f"{HOST}.routes",
        breaks=lambda r: r.host["routes"].pop(0),
        reading=PAYLOAD,
    )
    yield Fault(
        rule="once-missing",
        path=f"{ROUTE}.route.retry_policy",
        breaks=lambda r: r.host["routes"][0]["route"].update(retry_policy=r.by_plan["route"]["retry_policy"]),
        reading=PAYLOAD,
    )
    adds = [{"header": {"key": "x-situs-decision", "value": "mine"}}]
    yield Fault(
        rule="decision-header-changed",
        path=f"{HOST}.request_headers_to_add[0].header.key",
        breaks=put(lambda r: r.host, request_headers_to_add=adds),
    )
    yield Fault(
        rule="decision-header-changed",
        path=f"{ROUTE}.request_headers_to_remove[5]",
        breaks=lambda r: r.by_plan["request_headers_to_remove"].append("x-situs-decision"),
    )
    for name, value in (("prefix_rewrite", "/v2/models/b"), ("regex_rewrite", {"substitution": "/"})):
        yield Fault(rule="path-rewritten", path=f"{ROUTE}.route.{name}", breaks=put(action, **{name: value}))
    yield Fault(
        rule="headers-to-cells",
        path=f"{ROUTE}.request_headers_to_remove",
        breaks=drop(by_plan, "request_headers_to_remove"),
    )
    yield Fault(
        rule="body-twice",
        path=f"{HOST}.routes[1].request_body_buffer_limit",
        breaks=put(by_plan, request_body_buffer_limit=1 << 20),
        reading=PAYLOAD,
    )
    yield Fault(rule="default-timeout", path=f"{ROUTE}.route.timeout", breaks=drop(action, "timeout"))
    yield Fault(
        rule="default-timeout",
        path=f"{ROUTE}.route.retry_policy.per_try_timeout",
        breaks=lambda r: r.by_plan["route"]["retry_policy"].pop("per_try_timeout"),
    )
    tcp = f"{TYPES}envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
    second = "static_resources.listeners[1].filter_chains[0].filters[0]"
    for name in ("c2", "c0>c1"):
        yield Fault(
            rule="network-route",
            path=f"{second}.typed_config.cluster",
            breaks=one_more_listener(**{"@type": tcp, "cluster": name}),
        )
    yield Fault(
        rule="network-route",
        path=f"{second}.typed_config.weighted_clusters.clusters[0].name",
        breaks=one_more_listener(**{"@type": tcp, "weighted_clusters": {"clusters": [{"name": "c1"}]}}),
    )
    yield Fault(
        rule="network-route",
        path=f"{second}.typed_config.prefix_routes.catch_all_route.cluster",
        breaks=one_more_listener(
            **{"@type": f"{TYPES}some.unknown.Proxy", "prefix_routes": {"catch_all_route": {"cluster": "c1"}}}
        ),
    )
    sni = f"{TYPES}envoy.extensions.filters.network.sni_cluster.v3.SniCluster"
    yield Fault(rule="network-route", path=second, breaks=one_more_listener(**{"@type": sni}))


def logs() -> Iterator[Fault]:
    log = f"{MANAGER}.http_filters[1].typed_config.upstream_log"
    config = "typed_config.common_config"
    yield Fault(rule="request-log", path=f"{MANAGER}.access_log", breaks=drop(manager, "access_log"))
    yield Fault(
        rule="request-log",
        path=f"{MANAGER}.access_log[0].{config}.grpc_service",
        breaks=lambda r: r.manager["access_log"][0]["typed_config"]["common_config"].update(
            grpc_service={"envoy_grpc": {"cluster_name": "other"}}
        ),
    )
    yield Fault(
        rule="attempt-log",
        path=log,
        breaks=lambda r: r.filter("router")["typed_config"].pop("upstream_log"),
    )
    yield Fault(rule="attempt-log", path=f"{MANAGER}.http_filters", breaks=lambda r: r.manager["http_filters"].pop())
    yield Fault(
        rule="log-filtered",
        path=f"{log}[0].filter",
        breaks=put(upstream_log, filter={"status_code_filter": {}}),
    )
    yield Fault(
        rule="log-decision",
        path=f"{log}[0].typed_config.additional_request_headers_to_log",
        breaks=lambda r: upstream_log(r)["typed_config"].pop("additional_request_headers_to_log"),
    )
