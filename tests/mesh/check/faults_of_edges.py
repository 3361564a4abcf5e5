"""Faults of the listener and of tokens."""

from collections.abc import Iterator
from typing import Any

from mesh.check.breaking import (
    JWT_FILTER,
    LISTENER,
    MANAGER,
    PROVIDER,
    TYPES,
    Break,
    Fault,
    certificates_without_tls,
    drop,
    jwt_to_the_back,
    manager,
    no_credentials,
    provider,
    put,
    with_tokens,
)
from mesh.check.rendered import CLAIMS, PAYLOAD, Rendered


def edge() -> Iterator[Fault]:
    yield Fault(
        rule="remote-address",
        path=f"{MANAGER}.use_remote_address",
        breaks=put(manager, use_remote_address=False),
    )
    yield Fault(
        rule="trusted-hops",
        path=f"{MANAGER}.xff_num_trusted_hops",
        breaks=put(manager, xff_num_trusted_hops=1),
    )
    yield Fault(
        rule="address-detection",
        path=f"{MANAGER}.original_ip_detection_extensions[0]",
        breaks=put(manager, original_ip_detection_extensions=[{"name": "custom_header"}]),
    )
    proxied = {
        "name": "x",
        "typed_config": {"@type": f"{TYPES}envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"},
    }
    yield Fault(
        rule="proxy-protocol",
        path=f"{LISTENER}.listener_filters[0]",
        breaks=lambda r: r.listener.update(listener_filters=[proxied]),
    )
    early = f"{MANAGER}.early_header_mutation_extensions"

    def mutations(rendered: Rendered) -> list[Any]:
        found: list[Any] = rendered.manager["early_header_mutation_extensions"][0]["typed_config"]["mutations"]
        return found

    yield Fault(rule="early-strip", path=early, breaks=lambda r: mutations(r).pop(0))
    yield Fault(rule="early-strip-envoy", path=early, breaks=lambda r: mutations(r).pop(1))
    yield Fault(
        rule="early-strip",
        path=f"{early}[0].typed_config.mutations[2].append.header.key",
        breaks=lambda r: mutations(r).append({"append": {"header": {"key": "x-situs-route", "value": "c2"}}}),
    )
    yield Fault(
        rule="client-certificates",
        path=f"{LISTENER}.filter_chains[0].transport_socket",
        breaks=certificates_without_tls,
    )
    for name in ("normalize_path", "merge_slashes", "path_with_escaped_slashes_action"):
        yield Fault(rule="path-spelling", path=f"{MANAGER}.{name}", breaks=drop(manager, name))
    yield Fault(
        rule="underscores",
        path=f"{MANAGER}.common_http_protocol_options.headers_with_underscores_action",
        breaks=drop(manager, "common_http_protocol_options"),
    )
    yield Fault(
        rule="payload-buffer",
        path=f"{LISTENER}.per_connection_buffer_limit_bytes",
        breaks=lambda r: r.listener.pop("per_connection_buffer_limit_bytes"),
        reading=PAYLOAD,
    )
    for name in ("request_timeout", "request_headers_timeout", "stream_idle_timeout"):
        yield Fault(rule="default-timeout", path=f"{MANAGER}.{name}", breaks=drop(manager, name))


def tokens() -> Iterator[Fault]:
    def fault(rule: str, path: str, breaks: Break) -> Fault:
        return Fault(rule=rule, path=path, breaks=breaks, reading=CLAIMS, mesh=with_tokens)

    def rules(rendered: Rendered) -> list[Any]:
        found: list[Any] = rendered.filter("jwt_authn")["typed_config"]["rules"]
        return found

    yield fault("token-missing", f"{MANAGER}.http_filters", lambda r: r.manager["http_filters"].pop(1))
    yield fault("token-behind-decision", f"{MANAGER}.http_filters[2]", jwt_to_the_back)
    yield fault("token-payload", f"{PROVIDER}.payload_in_metadata", drop(provider, "payload_in_metadata"))
    yield fault("token-issuer", f"{PROVIDER}.issuer", put(provider, issuer="https://evil.example"))
    yield fault(
        "token-keys", f"{PROVIDER}.local_jwks.filename", put(provider, local_jwks={"filename": "/home/me/jwks.json"})
    )
    yield fault("token-keys", f"{PROVIDER}.local_jwks.filename", drop(provider, "local_jwks"))
    yield fault("token-audience", f"{PROVIDER}.audiences", drop(provider, "audiences"))
    yield fault("token-audience", f"{PROVIDER}.audiences", put(provider, audiences=["other"]))
    yield fault("token-expiry", f"{PROVIDER}.require_expiration", drop(provider, "require_expiration"))
    yield fault("token-query", f"{PROVIDER}.from_headers", drop(provider, "from_headers"))
    yield fault("token-query", f"{PROVIDER}.from_params", put(provider, from_params=["token"]))
    yield fault("token-unverified", f"{JWT_FILTER}.rules[0].requires", lambda r: rules(r)[0].pop("requires"))
    yield fault("token-unverified", f"{JWT_FILTER}.rules", lambda r: rules(r)[0].update(match={"prefix": "/v2"}))
    for name in ("allow_missing_or_failed", "extract_only_without_validation"):
        yield fault(
            "token-unverified",
            f"{JWT_FILTER}.rules[0].requires.requires_any.requirements[1].{name}",
            lambda r, name=name: rules(r)[0]["requires"]["requires_any"]["requirements"].insert(1, {name: {}}),  # type: ignore[misc]
        )
    yield fault("credentials-unnoted", f"{MANAGER}.http_filters", no_credentials)
