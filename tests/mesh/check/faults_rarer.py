"""Other ways to the same faults: what is written elsewhere, nested, or the other way round."""

from collections.abc import Iterator
from dataclasses import replace

from mesh.check.breaking import (
    C0,
    DECISION,
    HOST,
    HTTP,
    JWT_FILTER,
    LISTENER,
    MANAGER,
    ROUTE,
    SIDECAR,
    TYPES,
    Fault,
    decision,
    first_route,
    insert,
    of_route,
    one_more_listener,
    per_route,
    put,
    with_tokens,
)
from mesh.check.rendered import CLAIMS, Rendered
from mesh.example import READING


def rarer() -> Iterator[Fault]:
    """Other ways to the same: what is written elsewhere, nested, or the other way round."""
    key = "typed_per_filter_config.envoy.filters.http.ext_proc"
    optional = {"@type": f"{TYPES}envoy.config.route.v3.FilterConfig", "is_optional": True, "config": of_route()}
    yield Fault(rule="decision-optional", path=f"{ROUTE}.{key}.is_optional", breaks=per_route(optional))
    wrapped = {
        "@type": f"{TYPES}envoy.config.route.v3.FilterConfig",
        "config": of_route(overrides={"request_attributes": ["source.port"]}),
    }
    yield Fault(
        rule="attribute-missing",
        path=f"{ROUTE}.{key}.config.overrides.request_attributes",
        breaks=per_route(wrapped),
    )
    yield Fault(
        rule="metadata-not-received",
        path=f"{ROUTE}.{key}.overrides.metadata_options.receiving_namespaces.untyped",
        breaks=per_route(of_route(overrides={"metadata_options": {"forwarding_namespaces": {}}})),
    )

    def mutates_per_route(rendered: Rendered) -> None:
        insert("mutates", "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation")(rendered)
        rendered.by_plan["typed_per_filter_config"] = {
            "mutates": {
                "@type": f"{HTTP}.header_mutation.v3.HeaderMutationPerRoute",
                "mutations": {"request_mutations": [{"remove_on_match": {"key_matcher": {"contains": "situs"}}}]},
            }
        }

    yield Fault(
        rule="filter-behind-decision",
        path=f"{ROUTE}.typed_per_filter_config.mutates.mutations.request_mutations[0].remove_on_match.key_matcher",
        breaks=mutates_per_route,
    )
    yield Fault(
        rule="filter-behind-decision",
        path=f"{MANAGER}.http_filters[1].typed_config.request_headers_to_add_when_not_enforced[0].header.key",
        breaks=insert(
            "limits",
            "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            request_headers_to_add_when_not_enforced=[{"header": {"key": "x-situs-once", "value": "1"}}],
        ),
    )
    yield Fault(rule="decision-elsewhere", path=f"{DECISION}.grpc_service", breaks=put(decision, grpc_service={}))
    yield Fault(
        rule="header-not-forwarded",
        path=f"{DECISION}.forward_rules.allowed_headers",
        breaks=lambda r: r.decision["forward_rules"].update(
            disallowed_headers={"patterns": [{"safe_regex": {"regex": "x-data-c.*"}}]}
        ),
    )
    yield Fault(
        rule="mutation-rules",
        path=f"{DECISION}.mutation_rules.allow_expression",
        breaks=lambda r: r.decision["mutation_rules"].update(disallow_expression={"regex": "x-situs-route"}),
    )
    yield Fault(
        rule="mutation-rules",
        path=f"{DECISION}.mutation_rules.allow_expression",
        breaks=lambda r: r.decision["mutation_rules"].update(allow_expression={"regex": "("}),
    )
    yield Fault(
        rule="trusted-hops",
        path=f"{MANAGER}.early_header_mutation_extensions",
        breaks=lambda r: r.manager["early_header_mutation_extensions"][0]["typed_config"]["mutations"].append(
            {"remove": "x-forwarded-for"}
        ),
        reading=replace(READING, trusted_hops=1),
    )
    yield Fault(
        rule="proxy-protocol",
        path=f"{LISTENER}.filter_chains[0].use_proxy_proto",
        breaks=lambda r: r.listener["filter_chains"][0].update(use_proxy_proto=True),
    )


def rarer_tokens_and_clusters() -> Iterator[Fault]:
    """The same, of tokens, clusters and other listeners."""

    def without_validation(rendered: Rendered) -> None:
        rendered.filter("jwt_authn")["typed_config"]["requirement_map"] = {"none": {"allow_missing": {}}}
        rendered.filter("jwt_authn")["typed_config"]["rules"][0].pop("requires")
        rendered.filter("jwt_authn")["typed_config"]["rules"][0]["requirement_name"] = "none"

    yield Fault(
        rule="token-unverified",
        path=f"{JWT_FILTER}.requirement_map.none",
        breaks=without_validation,
        reading=CLAIMS,
        mesh=with_tokens,
    )

    def nowhere(rendered: Rendered) -> None:
        rendered.filter("jwt_authn")["typed_config"]["rules"][0].pop("requires")
        rendered.filter("jwt_authn")["typed_config"]["rules"][0]["requirement_name"] = "absent"

    yield Fault(
        rule="token-unverified",
        path=f"{JWT_FILTER}.rules[0].requires",
        breaks=nowhere,
        reading=CLAIMS,
        mesh=with_tokens,
    )
    yield Fault(
        rule="token-unverified",
        path=f"{MANAGER}.http_filters[1].disabled",
        breaks=lambda r: r.filter("jwt_authn").update(disabled=True),
        reading=CLAIMS,
        mesh=with_tokens,
    )
    off = {"@type": f"{TYPES}envoy.config.route.v3.FilterConfig", "disabled": True}
    yield Fault(
        rule="token-unverified",
        path=f"{HOST}.routes[1].typed_per_filter_config.envoy.filters.http.jwt_authn.disabled",
        breaks=lambda r: r.host["routes"][1].update(typed_per_filter_config={"envoy.filters.http.jwt_authn": off}),
        reading=CLAIMS,
        mesh=with_tokens,
    )
    yield Fault(
        rule="token-payload",
        path=f"{JWT_FILTER}.providers",
        breaks=lambda r: r.filter("jwt_authn")["typed_config"].update(providers={}),
        reading=CLAIMS,
        mesh=with_tokens,
    )

    def nested(rendered: Rendered) -> None:
        """An aggregate of aggregates, one of which holds a region."""
        type_ = f"{TYPES}envoy.extensions.clusters.aggregate.v3.ClusterConfig"
        for name, member in (("outer", "inner"), ("inner", "c2")):
            config = {"@type": type_, "clusters": [member]}
            rendered.clusters.append({"name": name, "cluster_type": {"name": "x", "typed_config": config}})
        first_route(cluster="outer")(rendered)

    yield Fault(rule="route-to-region", path=f"{HOST}.routes[0].route.cluster", breaks=nested)
    yield Fault(
        rule="sidecar-endpoints",
        path=f"{SIDECAR}.type",
        breaks=lambda r: r.cluster("situs_sidecar").update(type="ORIGINAL_DST"),
    )
    yield Fault(
        rule="region-endpoints",
        path=f"{C0}.load_assignment.endpoints[0].lb_endpoints[1]",
        breaks=lambda r: r.cluster("c0")["load_assignment"]["endpoints"][0]["lb_endpoints"].append(
            {"endpoint_name": "later"}
        ),
    )
    more = [{"address": {"socket_address": {"address": "127.0.0.1", "port_value": 9002}}}]
    yield Fault(
        rule="two-regions",
        path=f"{C0}.load_assignment.endpoints[0].lb_endpoints[0].endpoint.additional_addresses[0]",
        breaks=lambda r: r.cluster("c0")["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"].update(
            additional_addresses=more
        ),
    )
    tcp = f"{TYPES}envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"

    def anywhere(rendered: Rendered) -> None:
        rendered.clusters.append({"name": "anywhere", "type": "ORIGINAL_DST"})
        one_more_listener(**{"@type": tcp, "cluster": "anywhere"})(rendered)

    yield Fault(
        rule="network-route",
        path="static_resources.listeners[1].filter_chains[0].filters[0].typed_config.cluster",
        breaks=anywhere,
    )

    def by_udp(rendered: Rendered) -> None:
        proxy = {"@type": f"{TYPES}envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig", "cluster": "c1"}
        listener = {"name": "udp", "listener_filters": [{"name": "x", "typed_config": proxy}]}
        rendered.fields["static_resources"]["listeners"].append(listener)

    yield Fault(
        rule="network-route",
        path="static_resources.listeners[1].listener_filters[0].typed_config.cluster",
        breaks=by_udp,
    )
