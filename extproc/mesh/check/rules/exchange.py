"""What goes to the sidecar and what comes back: headers, metadata, and what an answer may change."""

from collections.abc import Iterator
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.matching import any_matches, may_change
from extproc.mesh.check.rules.scope import Scope
from extproc.names import (
    CONTENT_ENCODING,
    CREDENTIALS_NAMESPACE,
    DECISION_HEADER,
    JWT_NAMESPACE,
    METADATA_NAMESPACE,
    ONCE_HEADER,
    ROUTE_HEADER,
)

_SECRETS: Final = ("authorization", "cookie", "x-api-key")
_REFUSALS: Final = ("cache-control", "content-type", "location", "retry-after")

HEADER_NOT_FORWARDED: Final = Rule(
    id="header-not-forwarded",
    severity=Severity.LEAK,
    title="Every header that the policy reads must be sent to the sidecar",
    why="What a client declares can only narrow where its request may go; a declaration that is not sent narrows "
    "nothing.",
)
HEADERS_FORWARDED: Final = Rule(
    id="headers-forwarded",
    severity=Severity.FAULT,
    title="No credentials are sent to the sidecar",
    why="Without forward_rules, or with wide ones, cookies and Authorization are sent; the sidecar reads neither.",
)
METADATA_NOT_FORWARDED: Final = Rule(
    id="metadata-not-forwarded",
    severity=Severity.LEAK,
    title="Verified claims, and that there were credentials, must be sent to the sidecar",
    why="Without the namespaces a client of a tenant is decided as an anonymous one, and a claim that would have "
    "narrowed does not.",
)
METADATA_NOT_RECEIVED: Final = Rule(
    id="metadata-not-received",
    severity=Severity.LEAK,
    title="The decision's id must come back with the answer",
    why="Envoy drops it silently where its namespace is not listed (measured), and no log entry can then be held "
    "against its decision.",
)
MUTATION_RULES: Final = Rule(
    id="mutation-rules",
    severity=Severity.FAULT,
    title="An answer sets the headers of ours and no others, and one that tries is an error",
    why="Without disallow_is_error a header that may not be set is dropped silently, the plan too. With "
    "allow_all_routing an answer could set the host.",
)
RULES: Final = (
    HEADER_NOT_FORWARDED,
    HEADERS_FORWARDED,
    METADATA_NOT_FORWARDED,
    METADATA_NOT_RECEIVED,
    MUTATION_RULES,
)


def check_forwarded(rules: Node, scope: Scope) -> Iterator[Finding]:
    """Check HeaderForwardingRules: what the policy reads, and no credentials."""
    allowed, refused = rules.at("allowed_headers"), rules.at("disallowed_headers")

    def is_sent(name: str) -> bool:
        if refused.is_there and any_matches(refused, name):
            return False
        return not allowed.is_there or any_matches(allowed, name)

    reading = scope.expected.reading
    needed = (":path", *reading.headers, *((CONTENT_ENCODING,) if reading.payload is not None else ()))
    for name in dict.fromkeys(needed):
        if not is_sent(name):
            node = allowed if allowed.is_there else refused
            yield scope.found(
                HEADER_NOT_FORWARDED, node, f"the policy reads {name}, and it is not sent", f"add `exact: {name}`"
            )
    wide = [name for name in _SECRETS if name not in needed and is_sent(name)]
    if wide:
        yield scope.found(
            HEADERS_FORWARDED,
            rules,
            f"{', '.join(wide)} would be sent to the sidecar",
            f"list exactly {', '.join(dict.fromkeys(needed))} in allowed_headers",
        )


def check_metadata(options: Node, scope: Scope) -> Iterator[Finding]:
    """Check MetadataOptions: claims go, the decision's id comes."""
    forwarded = options.at("forwarding_namespaces", "untyped")
    there = {each.text for each in forwarded.items()}
    if scope.expected.reading.claims:
        for name in (JWT_NAMESPACE, CREDENTIALS_NAMESPACE):
            if name not in there:
                yield scope.found(METADATA_NOT_FORWARDED, forwarded, f"{name} is not sent", f"add {name}")
    received = options.at("receiving_namespaces", "untyped")
    if METADATA_NAMESPACE not in {each.text for each in received.items()}:
        yield scope.found(
            METADATA_NOT_RECEIVED,
            received,
            f"the namespace {METADATA_NAMESPACE} of answers is dropped",
            f"add {METADATA_NAMESPACE}",
        )


def check_mutations(rules: Node, scope: Scope) -> Iterator[Finding]:
    """Check HeaderMutationRules: the headers of ours, and no others."""
    if not rules.at("disallow_is_error").flag:
        yield scope.found(
            MUTATION_RULES,
            rules.at("disallow_is_error"),
            "a header that may not be set is dropped without a word",
            "write `disallow_is_error: true`",
        )
    once = (ONCE_HEADER,) if scope.expected.reading.payload is not None else ()
    lacking = [name for name in (ROUTE_HEADER, DECISION_HEADER, *once, *_REFUSALS) if not may_change(rules, name)]
    if lacking:
        yield scope.found(
            MUTATION_RULES,
            rules.at("allow_expression") if rules.at("allow_expression").is_there else rules,
            f"an answer cannot set {', '.join(lacking)}",
            "permit them in allow_expression",
        )
    wide = [name for name in (":authority", "x-envoy-retry-on", "authorization") if may_change(rules, name)]
    if wide:
        yield scope.found(
            MUTATION_RULES,
            rules,
            f"an answer can set {', '.join(wide)}",
            "write `disallow_all: true` and permit the headers of ours in allow_expression",
        )
