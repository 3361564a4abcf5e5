"""Tokens: verified before the decision, by the issuer that the mesh file names, and their claims sent on."""

from collections.abc import Iterator, Sequence
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.scope import Scope
from extproc.mesh.check.view import Filter, Manager, Way
from extproc.names import CREDENTIALS_NAMESPACE, JWT_NAMESPACE, JWT_PAYLOAD

JWT: Final = "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
_NOTES: Final = "envoy.extensions.filters.http.header_to_metadata.v3.Config"

TOKEN_MISSING: Final = Rule(
    id="token-missing",
    severity=Severity.LEAK,
    title="Where the policy reads claims, tokens are verified before the decision",
    why="Without jwt_authn there are no claims: a claim that would have narrowed does not.",
)
TOKEN_BEHIND_DECISION: Final = Rule(
    id="token-behind-decision",
    severity=Severity.LEAK,
    title="Tokens are verified before the decision, not after it",
    why="The sidecar would decide without the claims, and the request would go on by that decision.",
)
TOKEN_PAYLOAD: Final = Rule(
    id="token-payload",
    severity=Severity.LEAK,
    title="The claims reach the sidecar",
    why="It reads them under one key and nowhere else; under another they count as no claims.",
)
TOKEN_ISSUER: Final = Rule(
    id="token-issuer",
    severity=Severity.LEAK,
    title="Claims are believed of the mesh file's issuer alone",
    why="Whoever signs for another issuer could claim any tenant and any residency.",
)
TOKEN_KEYS: Final = Rule(
    id="token-keys",
    severity=Severity.LEAK,
    title="Tokens are verified with the keys that the mesh file names",
    why="Whoever holds other keys that count could claim any tenant and any residency.",
)
TOKEN_AUDIENCE: Final = Rule(
    id="token-audience",
    severity=Severity.LEAK,
    title="A token must be meant for this service",
    why="Without audiences a token that another service was given can be used here.",
)
TOKEN_EXPIRY: Final = Rule(
    id="token-expiry",
    severity=Severity.FAULT,
    title="A token has an end",
    why="Without require_expiration a token without `exp` counts for ever.",
)
TOKEN_QUERY: Final = Rule(
    id="token-query",
    severity=Severity.FAULT,
    title="Tokens come in a header",
    why="By default Envoy also takes ?access_token=, which every log on the way keeps.",
)
TOKEN_UNVERIFIED: Final = Rule(
    id="token-unverified",
    severity=Severity.LEAK,
    title="No way to the decision leaves a token unverified",
    why="With extract_only_without_validation anybody's claims are believed; without a requirement nobody's are read.",
)
CREDENTIALS_UNNOTED: Final = Rule(
    id="credentials-unnoted",
    severity=Severity.LEAK,
    title="That there were credentials is noted before tokens are verified",
    why="Measured: the scheme is compared by letter case, so `bearer …` passes as no token, and a tenant's client "
    "would be decided as an anonymous one.",
)
RULES: Final = (
    TOKEN_MISSING,
    TOKEN_BEHIND_DECISION,
    TOKEN_PAYLOAD,
    TOKEN_ISSUER,
    TOKEN_KEYS,
    TOKEN_AUDIENCE,
    TOKEN_EXPIRY,
    TOKEN_QUERY,
    TOKEN_UNVERIFIED,
    CREDENTIALS_UNNOTED,
)


def check_tokens(manager: Manager, decision: int, ways: Sequence[Way], scope: Scope) -> Iterator[Finding]:
    """Check the filters before the decision, where the policy reads claims."""
    if not scope.expected.reading.claims:
        return
    front = manager.filters[:decision]
    verifiers = [index for index, one in enumerate(front) if one.type == JWT]
    behind = [one for one in manager.filters[decision:] if one.type == JWT]
    if not verifiers and behind:
        yield scope.found(
            TOKEN_BEHIND_DECISION, behind[0].node, "tokens are verified after the decision", "move it before ext_proc"
        )
        return
    if not verifiers:
        yield scope.found(
            TOKEN_MISSING,
            manager.node.at("http_filters"),
            "the policy reads claims, and no filter verifies tokens",
            "insert the jwt_authn filter that `situs mesh render` gives, before ext_proc",
        )
        return
    for index in verifiers:
        yield from check_token_filter(front[index].config, scope)
        for way in ways:
            yield from _turned_off(front[index], way, scope)
            yield from _required_otherwise(front[index], way, scope)
    for one in front:
        yield from _forges(one, ways, scope)
    if not any(_notes_credentials(one) for one in front[: verifiers[0]]):
        yield scope.found(
            CREDENTIALS_UNNOTED,
            manager.node.at("http_filters"),
            f"no filter before jwt_authn notes `authorization` under {CREDENTIALS_NAMESPACE}",
            "insert the header_to_metadata filter that `situs mesh render` gives, before jwt_authn",
        )


def check_token_filter(config: Node, scope: Scope) -> Iterator[Finding]:
    """Check the configuration of the filter that verifies tokens (a JwtAuthentication)."""
    providers = dict(config.at("providers").fields())
    carriers = {name: node for name, node in providers.items() if node.at("payload_in_metadata").text == JWT_PAYLOAD}
    if not carriers:
        only = next(iter(providers.values())) if len(providers) == 1 else None
        yield scope.found(
            TOKEN_PAYLOAD,
            config.at("providers") if only is None else only.at("payload_in_metadata"),
            f"no provider puts claims under {JWT_PAYLOAD}",
            f"write `payload_in_metadata: {JWT_PAYLOAD}`",
        )
        return
    for provider in carriers.values():
        yield from _provider(provider, scope)
    yield from _requirements(config, frozenset(carriers), scope)


def _provider(provider: Node, scope: Scope) -> Iterator[Finding]:
    jwt = scope.expected.mesh.jwt
    issuer = provider.at("issuer")
    if jwt is not None and issuer.text != jwt.issuer:
        yield scope.found(
            TOKEN_ISSUER, issuer, f"'{issuer.text}' is not the mesh file's issuer", f'write "{jwt.issuer}"'
        )
    keys = provider.at("local_jwks", "filename")
    if jwt is not None and keys.text != jwt.jwks_file:
        yield scope.found(TOKEN_KEYS, keys, "not the keys of the mesh file", f'write "{jwt.jwks_file}"')
    audiences = provider.at("audiences")
    named = [each.text for each in audiences.items()]
    wrong = [each for each in named if jwt is not None and each not in jwt.audiences]
    if not named or wrong:
        yield scope.found(
            TOKEN_AUDIENCE,
            audiences,
            f"{', '.join(wrong)} is none of the mesh file's audiences" if wrong else "tokens for any audience count",
            f"write {', '.join(jwt.audiences) if jwt is not None else 'the audience of this service'}",
        )
    if not provider.at("require_expiration").flag:
        yield scope.found(
            TOKEN_EXPIRY, provider.at("require_expiration"), "a token without an end counts", "write true"
        )
    sources = [provider.at(name) for name in ("from_headers", "from_params", "from_cookies")]
    if any(sources[1].items()) or not any(each.is_there for each in sources):
        yield scope.found(
            TOKEN_QUERY,
            sources[1] if any(sources[1].items()) else sources[0],
            "tokens are taken from the query",
            'write `from_headers: [{name: Authorization, value_prefix: "Bearer "}]`',
        )


def _requirements(config: Node, carriers: frozenset[str], scope: Scope) -> Iterator[Finding]:
    rules = list(config.at("rules").items())
    for rule in rules:
        requirement = rule.at("requires")
        if rule.at("requirement_name").is_there:
            requirement = _named(config, rule.at("requirement_name").text)
        yield from _requirement(requirement, rule, carriers, scope)
    if not any(rule.at("match", "prefix").text == "/" for rule in rules):
        yield scope.found(
            TOKEN_UNVERIFIED,
            config.at("rules"),
            "no rule takes every path",
            'add a rule with `match: {prefix: "/"}` that requires the provider, or allow_missing',
        )


def _requirement(requirement: Node, rule: Node, carriers: frozenset[str], scope: Scope) -> Iterator[Finding]:
    below = list(requirement.descendants())
    for node in below:
        for name in ("extract_only_without_validation", "allow_missing_or_failed"):
            if node.at(name).is_there:
                yield scope.found(
                    TOKEN_UNVERIFIED, node.at(name), "a token that does not verify passes", "write `allow_missing: {}`"
                )
                return
    providers = {node.at("provider_name").text for node in below}
    if not providers & carriers:
        yield scope.found(
            TOKEN_UNVERIFIED,
            rule.at("requires") if not requirement.is_there else requirement,
            "on these paths no token is verified",
            "require the provider whose claims the sidecar reads, or allow_missing",
        )


def _named(config: Node, name: str) -> Node:
    for written, node in config.at("requirement_map").fields():
        if written == name:
            return node
    return Node(None, f"{config.path}.requirement_map.{name}")


def _turned_off(one: Filter, way: Way, scope: Scope) -> Iterator[Finding]:
    off = one.node.at("disabled") if one.node.at("disabled").flag else None
    for setting in way.settings(one.name):
        off = setting.off if setting.is_disabled else None
    if off is not None:
        yield scope.found(TOKEN_UNVERIFIED, off, "tokens are not verified here", "remove `disabled`")


def _required_otherwise(one: Filter, way: Way, scope: Scope) -> Iterator[Finding]:
    """Check what a route requires in place of the rules."""
    providers = dict(one.config.at("providers").fields())
    carriers = frozenset(name for name, node in providers.items() if node.at("payload_in_metadata").text == JWT_PAYLOAD)
    for setting in way.settings(one.name):
        name = setting.config.at("requirement_name")
        if name.is_there:
            yield from _requirement(_named(one.config, name.text), setting.node, carriers, scope)


def _forges(one: Filter, ways: Sequence[Way], scope: Scope) -> Iterator[Finding]:
    """Find a filter that writes where the verified claims are. Whose they are then, anybody may say."""
    if one.type == JWT:
        return
    configs = [one.config, *(setting.config for way in ways for setting in way.settings(one.name))]
    for config in configs:
        for node in config.descendants():
            written = [node.at("metadata_namespace"), node.at("namespace")]
            written.extend(node.at("metadata_options", "receiving_namespaces").descendants())
            for each in written:
                if each.text == JWT_NAMESPACE:
                    told = f"'{one.name}' writes where verified claims are"
                    yield scope.found(TOKEN_UNVERIFIED, each, told, "let it write into a namespace of its own")


def _notes_credentials(one: Filter) -> bool:
    return one.type == _NOTES and any(
        rule.at("header").text.lower() == "authorization"
        and rule.at("on_header_present", "metadata_namespace").text == CREDENTIALS_NAMESPACE
        for rule in one.config.at("request_rules").items()
    )
