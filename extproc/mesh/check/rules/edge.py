"""The edge: whose address counts, what is stripped before any filter runs, and how paths and names are read."""

from collections.abc import Iterator
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.exchange import HEADER_NOT_FORWARDED
from extproc.mesh.check.rules.matching import matches
from extproc.mesh.check.rules.peers import accepts_anybody
from extproc.mesh.check.rules.scope import Scope
from extproc.mesh.check.rules.timing import check_timeouts
from extproc.names import DECISION_HEADER, HEADER_PREFIX, ONCE_HEADER, ROUTE_HEADER

EARLY_MUTATION: Final = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_PROXY_PROTOCOL: Final = "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"
_DOWNSTREAM_TLS: Final = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_OURS: Final = (ROUTE_HEADER, DECISION_HEADER, ONCE_HEADER, f"{HEADER_PREFIX}any-other")
_ENVOYS: Final = ("x-envoy-max-retries", "x-envoy-retry-on", "x-envoy-upstream-rq-timeout-ms")
_REJECTS: Final = ("REJECT_REQUEST", "DROP_HEADER")
_SAFE_SLASHES: Final = ("REJECT_REQUEST", "UNESCAPE_AND_REDIRECT", "UNESCAPE_AND_FORWARD")

REMOTE_ADDRESS: Final = Rule(
    id="remote-address",
    severity=Severity.LEAK,
    title="The client's address is the one that Envoy saw",
    why="Measured: without use_remote_address the sidecar was told the address that a client wrote into "
    "x-forwarded-for, and so the country that it chose.",
)
TRUSTED_HOPS: Final = Rule(
    id="trusted-hops",
    severity=Severity.LEAK,
    title="Envoy and the policy agree on how many proxies stand in front",
    why="With one hop more than there are, the client's own x-forwarded-for counts; with one less, every client is "
    "where the proxy is.",
)
ADDRESS_DETECTION: Final = Rule(
    id="address-detection",
    severity=Severity.LEAK,
    title="No extension tells the client's address",
    why="It may take it from a header that a client can write, whatever edge the policy declares.",
)
PROXY_PROTOCOL: Final = Rule(
    id="proxy-protocol",
    severity=Severity.LEAK,
    title="The PROXY protocol is read only where the policy declares it",
    why="Whoever can connect writes the address that counts; the policy declares proxies that write x-forwarded-for.",
)
EARLY_STRIP: Final = Rule(
    id="early-strip",
    severity=Severity.LEAK,
    title="No client can write x-situs-*",
    why="Route-level removal comes after the route was chosen. Measured: with an answer of the sidecar that names no "
    "plan, the client's own x-situs-route led to the region that it named.",
)
EARLY_STRIP_ENVOY: Final = Rule(
    id="early-strip-envoy",
    severity=Severity.FAULT,
    title="No client can write x-envoy-*",
    why="A client could change retries and timeouts; they stay in the plan, and take from others.",
)
CLIENT_CERTIFICATES: Final = Rule(
    id="client-certificates",
    severity=Severity.LEAK,
    title="Where the policy matches SPIFFE ids, clients' certificates are verified",
    why="Measured: a certificate that nobody verified gives its id too, so anybody could be any tenant.",
)
PATH_SPELLING: Final = Rule(
    id="path-spelling",
    severity=Severity.FAULT,
    title="A path has one spelling, for the sidecar and for the cell",
    why="Otherwise the cell may read another model from it than the one that was decided about.",
)
UNDERSCORES: Final = Rule(
    id="underscores",
    severity=Severity.FAULT,
    title="Headers with underscores are not passed on",
    why="Some servers take x_situs_decision for x-situs-decision.",
)
PAYLOAD_BUFFER: Final = Rule(
    id="payload-buffer",
    severity=Severity.FAULT,
    title="Where payloads are read, the buffer is the policy's limit",
    why="The buffer is what makes a body partial to the sidecar: with less, a body within the limit counts as one that "
    "cannot be read, and with more than the limit its beginning can reach a cell twice (measured).",
)
RULES: Final = (
    REMOTE_ADDRESS,
    TRUSTED_HOPS,
    ADDRESS_DETECTION,
    PROXY_PROTOCOL,
    EARLY_STRIP,
    EARLY_STRIP_ENVOY,
    CLIENT_CERTIFICATES,
    PATH_SPELLING,
    UNDERSCORES,
    PAYLOAD_BUFFER,
)


def check_edge(manager: Node, scope: Scope) -> Iterator[Finding]:
    """Check a connection manager's own fields."""
    yield from _address(manager, scope)
    yield from _stripped(manager, scope)
    yield from _spelling(manager, scope)
    names = ("request_timeout", "request_headers_timeout", "stream_idle_timeout")
    yield from check_timeouts(manager, names, scope, "the connection manager")


def check_listener(listener: Node, chain: Node, scope: Scope) -> Iterator[Finding]:
    """Check what belongs to the listener of a manager: who may say whose connection it is, and how much is held."""
    for one in listener.at("listener_filters").items():
        if (
            one.at("typed_config").typed()[0] == _PROXY_PROTOCOL
            or one.at("name").text == "envoy.filters.listener.proxy_protocol"
        ):
            yield _proxied(one, scope)
    if chain.at("use_proxy_proto").flag:
        yield _proxied(chain.at("use_proxy_proto"), scope)
    if scope.expected.reading.certificates:
        yield from _certificates(chain, scope)
    payload = scope.expected.reading.payload
    buffered = listener.at("per_connection_buffer_limit_bytes")
    if payload is not None and buffered.number != payload.limit_bytes:
        yield scope.found(
            PAYLOAD_BUFFER,
            buffered,
            f"{buffered.value or 'the default, 1 MiB,'} is not the policy's limit",
            f"write {payload.limit_bytes}",
        )


def _proxied(node: Node, scope: Scope) -> Finding:
    return scope.found(
        PROXY_PROTOCOL,
        node,
        "the PROXY protocol's address is taken for the client's",
        "remove it, and declare the proxy in the policy as `edge: {trusted_hops: …}`",
    )


def _address(manager: Node, scope: Scope) -> Iterator[Finding]:
    if not manager.at("use_remote_address").flag:
        yield scope.found(
            REMOTE_ADDRESS,
            manager.at("use_remote_address"),
            "the client's address is what it writes into x-forwarded-for",
            "write `use_remote_address: true`",
        )
    hops, declared = manager.at("xff_num_trusted_hops"), scope.expected.reading.trusted_hops
    # ISTIO: a merge cannot set a number back to 0. Without the header there is nothing that it could count.
    is_forwarded = _survives("x-forwarded-for", _early(manager))
    if (hops.number or 0) != declared and (is_forwarded or declared > 0):
        yield scope.found(
            TRUSTED_HOPS,
            hops,
            f"{hops.value or 0} proxies are trusted, and the policy declares {declared}",
            f"write `xff_num_trusted_hops: {declared}`, or mend the policy's `edge`",
        )
    elif declared > 0 and not is_forwarded:
        yield scope.found(
            TRUSTED_HOPS,
            manager.at("early_header_mutation_extensions"),
            "x-forwarded-for is removed, so every client is where the proxy in front is",
            "leave x-forwarded-for, in which the policy's proxies write",
        )
    for mutation in _early(manager):
        key = mutation.at("append", "header", "key")
        if declared > 0 and key.text.lower() == "x-forwarded-for":
            told = "x-forwarded-for is written anew, and the last address in it counts"
            yield scope.found(ADDRESS_DETECTION, key, told, "leave x-forwarded-for to the policy's proxies")
    for one in manager.at("original_ip_detection_extensions").items():
        yield scope.found(
            ADDRESS_DETECTION, one, f"'{one.at('name').text}' tells the client's address", "remove the extension"
        )


def _early(manager: Node) -> list[Node]:
    """Give what is done to headers before anything else is."""
    return [
        mutation
        for extension in manager.at("early_header_mutation_extensions").items()
        if extension.at("typed_config").typed()[0] == EARLY_MUTATION
        for mutation in extension.at("typed_config").typed()[1].at("mutations").items()
    ]


def _survives(header: str, mutations: list[Node]) -> bool:
    """Tell whether a header of that name that a client wrote is still there after them."""
    return not any(
        mutation.at("remove").text.lower() == header
        or (
            mutation.at("remove_on_match", "key_matcher").is_there
            and matches(mutation.at("remove_on_match", "key_matcher"), header)
        )
        for mutation in mutations
    )


def _stripped(manager: Node, scope: Scope) -> Iterator[Finding]:
    mutations = _early(manager)
    for rule, names, prefix in ((EARLY_STRIP, _OURS, HEADER_PREFIX), (EARLY_STRIP_ENVOY, _ENVOYS, "x-envoy-")):
        left = [name for name in names if _survives(name, mutations)]
        if left:
            yield scope.found(
                rule,
                manager.at("early_header_mutation_extensions"),
                f"a client's {', '.join(left)} comes through",
                f"remove_on_match the prefix {prefix} in an early header mutation",
            )
    needed = [*scope.expected.reading.headers, *(("authorization",) if scope.expected.reading.claims else ())]
    for name in needed:
        for mutation in mutations:
            if not _survives(name, [mutation]):
                told = f"the policy reads {name}, and it is removed before the decision"
                yield scope.found(HEADER_NOT_FORWARDED, mutation, told, "remove this mutation")
    for mutation in mutations:
        key = mutation.at("append", "header", "key")
        if key.text.lower().startswith(HEADER_PREFIX):
            yield scope.found(EARLY_STRIP, key, f"writes {key.text} before the decision", "leave x-situs-* to us")


def _spelling(manager: Node, scope: Scope) -> Iterator[Finding]:
    slashes = manager.at("path_with_escaped_slashes_action")
    for node, is_right, mend in (
        (manager.at("normalize_path"), manager.at("normalize_path").flag, "normalize_path: true"),
        (manager.at("merge_slashes"), manager.at("merge_slashes").flag, "merge_slashes: true"),
        (slashes, slashes.choice in _SAFE_SLASHES, "path_with_escaped_slashes_action: REJECT_REQUEST"),
    ):
        if not is_right:
            yield scope.found(PATH_SPELLING, node, "a path may have several spellings", f"write `{mend}`")
    action = manager.at("common_http_protocol_options", "headers_with_underscores_action")
    if action.choice not in _REJECTS:
        yield scope.found(UNDERSCORES, action, "they are passed on", "write REJECT_REQUEST")


def _certificates(chain: Node, scope: Scope) -> Iterator[Finding]:
    socket = chain.at("transport_socket", "typed_config")
    kind, tls = socket.typed()
    common = tls.at("common_tls_context")
    combined = common.at("combined_validation_context")
    contexts = [
        each for each in (common.at("validation_context"), combined.at("default_validation_context")) if each.is_there
    ]
    verifies = (
        any(each.at("trusted_ca").is_there or each.at("system_root_certs").is_there for each in contexts)
        or common.at("validation_context_sds_secret_config").is_there
        or combined.at("validation_context_sds_secret_config").is_there
    )
    lax = [each for each in contexts if accepts_anybody(each)]
    if kind != _DOWNSTREAM_TLS or not verifies or lax:
        node = lax[0].at("trust_chain_verification") if lax else chain.at("transport_socket")
        yield scope.found(
            CLIENT_CERTIFICATES,
            node,
            "the policy matches SPIFFE ids, and this listener verifies no client certificates",
            "write `listener: {tls: {…, clients: FILE}}` in the mesh file, and render it",
        )
