"""Faults of the filters: the decision among the others, and what it is asked."""

from collections.abc import Iterator

from mesh.check.breaking import (
    DECISION,
    HOST,
    MANAGER,
    ROUTE,
    TYPES,
    Fault,
    decision,
    drop,
    insert,
    mode,
    no_decision,
    no_reroute,
    of_route,
    per_route,
    put,
    with_tokens,
    with_workers,
    without,
    wrapped_decision,
)
from mesh.check.rendered import CLAIMS, PAYLOAD


def filters() -> Iterator[Fault]:
    yield Fault(rule="decision-missing", path=f"{MANAGER}.http_filters", breaks=no_decision)
    yield Fault(
        rule="decision-disabled",
        path=f"{MANAGER}.http_filters[0].disabled",
        breaks=lambda r: r.filter("ext_proc").update(disabled=True),
    )
    key = "typed_per_filter_config.envoy.filters.http.ext_proc"
    for level, path in (("route", ROUTE), ("host", HOST), ("routes", f"{MANAGER}.route_config")):
        yield Fault(
            rule="decision-disabled",
            path=f"{path}.{key}.disabled",
            breaks=per_route(of_route(disabled=True), level),
        )
    wrapped = {"@type": f"{TYPES}envoy.config.route.v3.FilterConfig", "disabled": True}
    yield Fault(rule="decision-disabled", path=f"{ROUTE}.{key}.disabled", breaks=per_route(wrapped))
    yield Fault(
        rule="decision-skipped",
        path=f"{HOST}.routes[1].{key}.disabled",
        breaks=per_route(of_route(disabled=True), "refusal"),
    )
    yield Fault(rule="decision-conditional", path=f"{MANAGER}.http_filters[0]", breaks=wrapped_decision)
    yield Fault(
        rule="decision-optional",
        path=f"{MANAGER}.http_filters[0].is_optional",
        breaks=lambda r: r.filter("ext_proc").update(is_optional=True),
    )
    for name in ("lua.v3.Lua", "wasm.v3.Wasm", "golang.v3alpha.Config", "ext_authz.v3.ExtAuthz"):
        yield Fault(
            rule="filter-behind-decision",
            path=f"{MANAGER}.http_filters[1]",
            breaks=insert("behind", f"envoy.extensions.filters.http.{name}"),
        )
    key_of = f"{MANAGER}.http_filters[1].typed_config.mutations.request_mutations[0]"
    adds = {"append": {"header": {"key": "X-Situs-Route", "value": "c2"}}}
    yield Fault(
        rule="filter-behind-decision",
        path=f"{key_of}.append.header.key",
        breaks=insert(
            "mutates",
            "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            mutations={"request_mutations": [adds]},
        ),
    )
    yield Fault(
        rule="filter-behind-decision",
        path=f"{MANAGER}.http_filters[1].typed_config.request_rules[0].header",
        breaks=insert(
            "notes",
            "envoy.extensions.filters.http.header_to_metadata.v3.Config",
            request_rules=[{"header": "x-situs-decision", "remove": True}],
        ),
    )
    yield Fault(
        rule="filter-behind-decision",
        path=f"{MANAGER}.http_filters[1].typed_config.providers.p.claim_to_headers[0].header_name",
        breaks=insert(
            "tokens",
            "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            providers={"p": {"claim_to_headers": [{"header_name": "x-situs-route", "claim_name": "region"}]}},
        ),
    )
    yield Fault(
        rule="upgrade-without-decision",
        path=f"{MANAGER}.upgrade_configs[0].filters",
        breaks=lambda r: r.manager.update(
            upgrade_configs=[{"upgrade_type": "websocket", "filters": [r.manager["http_filters"][-1]]}]
        ),
    )
    yield Fault(
        rule="rbac-before-decision",
        path=f"{MANAGER}.http_filters[0]",
        breaks=insert("rbac", "envoy.extensions.filters.http.rbac.v3.RBAC", 0),
    )
    yield Fault(
        rule="mirror",
        path=f"{MANAGER}.http_filters[0]",
        breaks=insert("tap", "envoy.extensions.filters.http.tap.v3.Tap", 0),
    )
    yield Fault(rule="reroute-missing", path=f"{MANAGER}.http_filters", breaks=no_reroute, reading=PAYLOAD)
    yield Fault(
        rule="filter-to-region",
        path=f"{MANAGER}.http_filters[0].typed_config.http_service.server_uri.cluster",
        breaks=insert(
            "asks",
            "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            0,
            http_service={"server_uri": {"cluster": "c2"}},
        ),
    )
    yield Fault(
        rule="filter-to-region",
        path=f"{MANAGER}.http_filters[0].typed_config.grpc_service.envoy_grpc.cluster_name",
        breaks=insert(
            "asks",
            "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            0,
            grpc_service={"envoy_grpc": {"cluster_name": "c1"}},
        ),
    )
    yield Fault(
        rule="filter-to-region",
        path=f"{MANAGER}.http_filters[0].typed_config.inline_code",
        breaks=insert(
            "lua",
            "envoy.extensions.filters.http.lua.v3.Lua",
            0,
            inline_code='function envoy_on_request(h) h:httpCall("c2", {}, "", 1) end',
        ),
    )


def decisions() -> Iterator[Fault]:
    yield Fault(
        rule="failure-mode-allow",
        path=f"{DECISION}.failure_mode_allow",
        breaks=put(decision, failure_mode_allow=True),
    )
    overrides = f"{ROUTE}.typed_per_filter_config.envoy.filters.http.ext_proc.overrides"
    yield Fault(
        rule="failure-mode-allow",
        path=f"{overrides}.failure_mode_allow",
        breaks=per_route(of_route(overrides={"failure_mode_allow": True})),
    )
    yield Fault(
        rule="decision-elsewhere",
        path=f"{overrides}.grpc_service.envoy_grpc.cluster_name",
        breaks=per_route(of_route(overrides={"grpc_service": {"envoy_grpc": {"cluster_name": "other"}}})),
    )
    yield Fault(
        rule="observability-mode",
        path=f"{overrides}.async_mode",
        breaks=per_route(of_route(overrides={"async_mode": True})),
    )
    yield Fault(
        rule="headers-not-sent",
        path=f"{overrides}.processing_mode.request_header_mode",
        breaks=per_route(
            of_route(overrides={"processing_mode": {"request_header_mode": "SKIP", "response_header_mode": "SKIP"}})
        ),
    )
    yield Fault(
        rule="decision-elsewhere",
        path=f"{DECISION}.grpc_service.envoy_grpc.cluster_name",
        breaks=put(decision, grpc_service={"envoy_grpc": {"cluster_name": "other"}}),
    )
    yield Fault(
        rule="decision-elsewhere",
        path=f"{DECISION}.grpc_service.google_grpc",
        breaks=put(decision, grpc_service={"google_grpc": {"target_uri": "a:1"}}),
    )
    for name, rule in (
        ("observability_mode", "observability-mode"),
        ("allow_mode_override", "mode-override"),
        ("disable_immediate_response", "refusals-dropped"),
    ):
        yield Fault(rule=rule, path=f"{DECISION}.{name}", breaks=put(decision, **{name: True}))
    yield Fault(
        rule="headers-not-sent",
        path=f"{DECISION}.processing_mode.request_header_mode",
        breaks=put(mode, request_header_mode="SKIP"),
    )
    yield Fault(
        rule="phases-unneeded",
        path=f"{DECISION}.processing_mode.response_header_mode",
        breaks=drop(decision, "processing_mode"),
    )
    for name, value in (("response_body_mode", "BUFFERED"), ("request_body_mode", "STREAMED")):
        yield Fault(
            rule="phases-unneeded", path=f"{DECISION}.processing_mode.{name}", breaks=put(mode, **{name: value})
        )
    yield Fault(
        rule="phases-unneeded",
        path=f"{DECISION}.processing_mode.request_trailer_mode",
        breaks=put(mode, request_trailer_mode="SEND"),
    )
    yield Fault(
        rule="payload-not-read",
        path=f"{DECISION}.processing_mode.request_body_mode",
        breaks=put(mode, request_body_mode="NONE"),
        reading=PAYLOAD,
    )
    yield Fault(
        rule="route-cache", path=f"{DECISION}.route_cache_action", breaks=put(decision, route_cache_action="RETAIN")
    )
    yield Fault(
        rule="attribute-missing",
        path=f"{DECISION}.request_attributes",
        breaks=put(decision, request_attributes=[]),
    )
    yield Fault(
        rule="attribute-unneeded",
        path=f"{DECISION}.request_attributes[1]",
        breaks=lambda r: r.decision["request_attributes"].append("xds.node"),
    )
    allowed = f"{DECISION}.forward_rules.allowed_headers"
    yield Fault(
        rule="header-not-forwarded",
        path=allowed,
        breaks=without(lambda r: r.decision["forward_rules"]["allowed_headers"]["patterns"], {"exact": "x-data-class"}),
    )
    yield Fault(rule="headers-forwarded", path=f"{DECISION}.forward_rules", breaks=drop(decision, "forward_rules"))
    yield Fault(
        rule="metadata-not-forwarded",
        path=f"{MANAGER}.http_filters[2].typed_config.metadata_options.forwarding_namespaces.untyped",
        breaks=lambda r: r.decision["metadata_options"]["forwarding_namespaces"]["untyped"].pop(),
        reading=CLAIMS,
        mesh=with_tokens,
    )
    yield Fault(
        rule="metadata-not-received",
        path=f"{DECISION}.metadata_options.receiving_namespaces.untyped",
        breaks=lambda r: r.decision["metadata_options"].pop("receiving_namespaces"),
    )
    rules = f"{DECISION}.mutation_rules"
    yield Fault(
        rule="mutation-rules",
        path=f"{rules}.disallow_is_error",
        breaks=lambda r: r.decision["mutation_rules"].pop("disallow_is_error"),
    )
    yield Fault(
        rule="mutation-rules",
        path=rules,
        breaks=lambda r: r.decision["mutation_rules"].update(disallow_all=False, allow_all_routing=True),
    )
    yield Fault(
        rule="mutation-rules",
        path=f"{rules}.allow_expression",
        breaks=lambda r: r.decision["mutation_rules"].update(allow_expression={"regex": "^x-situs-route$"}),
    )
    yield Fault(
        rule="decision-extension",
        path=f"{DECISION}.processing_request_modifier",
        breaks=put(decision, processing_request_modifier={"name": "modifies"}),
    )
    yield Fault(
        rule="status-on-error", path=f"{DECISION}.status_on_error.code", breaks=drop(decision, "status_on_error")
    )
    yield Fault(
        rule="worker-retry",
        path=f"{DECISION}.grpc_service.retry_policy",
        breaks=lambda r: r.decision["grpc_service"].pop("retry_policy"),
        mesh=with_workers,
    )
    yield Fault(rule="default-timeout", path=f"{DECISION}.message_timeout", breaks=drop(decision, "message_timeout"))
