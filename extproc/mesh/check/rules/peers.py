"""Who is at the other end of a connection: plain, or TLS that takes one identity and no other."""

from collections.abc import Iterator
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.scope import Scope

_SOCKETS: Final = "envoy.extensions.transport_sockets"
_TLS: Final = f"{_SOCKETS}.tls.v3.UpstreamTlsContext"
_KNOWN: Final = frozenset(("", _TLS, f"{_SOCKETS}.raw_buffer.v3.RawBuffer"))
_POOLS: Final = frozenset(
    (
        "envoy.extensions.upstreams.http.generic.v3.GenericConnectionPoolProto",
        "envoy.extensions.upstreams.http.http.v3.HttpConnectionPoolProto",
    )
)
_URI: Final = 3
_ACCEPT_UNTRUSTED: Final = 1
_SPIFFE_VALIDATOR: Final = "envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig"

PEER_IDENTITY: Final = Rule(
    id="peer-identity",
    severity=Severity.LEAK,
    title="A connection is taken for a region's, or the sidecar's, only with its SPIFFE id",
    why="Whoever answers at that address, by mistake or by intent, would get the data; any certificate of the same "
    "authority would do.",
)
TUNNEL: Final = Rule(
    id="tunnel",
    severity=Severity.LEAK,
    title="Connections to cells go there and through nothing",
    why="A transport socket that is neither plain nor TLS may go through a proxy, which may be anywhere.",
)
RULES: Final = (PEER_IDENTITY, TUNNEL)


def accepts_anybody(context: Node) -> bool:
    """Tell whether a validation context takes certificates that nobody signed."""
    trust = context.at("trust_chain_verification")
    return trust.choice == "ACCEPT_UNTRUSTED" or trust.number == _ACCEPT_UNTRUSTED


def check_socket(cluster: Node, scope: Scope) -> Iterator[Finding]:
    """Check that a cluster's connections are plain or TLS."""
    for socket in _sockets(cluster):
        kind = socket.at("typed_config").typed()[0]
        if kind not in _KNOWN:
            yield scope.found(TUNNEL, socket, f"connections are made by {kind}", "write the TLS transport socket")
    pool = cluster.at("upstream_config", "typed_config")
    if cluster.at("upstream_config").is_there and pool.typed()[0] not in _POOLS:
        told = f"connections are made by {pool.typed()[0]}"
        yield scope.found(TUNNEL, cluster.at("upstream_config"), told, "remove upstream_config")


def check_peer(cluster: Node, identity: str | None, scope: Scope) -> Iterator[Finding]:
    """Check that every connection of a cluster asks for the identity."""
    mend = f"demand the URI {identity} in match_typed_subject_alt_names, as `situs mesh render` does"
    for socket in _sockets(cluster):
        kind, tls = socket.at("typed_config").typed()
        if kind != _TLS:
            yield scope.found(PEER_IDENTITY, socket, "plain, and the mesh file has a tls section", mend)
            continue
        common = tls.at("common_tls_context")
        contexts = (
            common.at("validation_context"),
            common.at("combined_validation_context", "default_validation_context"),
        )
        context = next((each for each in contexts if each.is_there), contexts[0])
        trust = context.at("trust_chain_verification")
        if accepts_anybody(context):
            yield scope.found(PEER_IDENTITY, trust, "certificates are not verified", "write VERIFY_TRUST_CHAIN")
        elif context.at("allow_expired_certificate").flag:
            node = context.at("allow_expired_certificate")
            yield scope.found(PEER_IDENTITY, node, "certificates that expired are taken", "remove this line")
        elif tls.at("auto_sni_san_validation").flag:
            told = "the name that is asked for counts in place of the identity"
            yield scope.found(PEER_IDENTITY, tls.at("auto_sni_san_validation"), told, "remove auto_sni_san_validation")
        elif (extension := _verifier(common, context)).is_there:
            told = f"'{extension.at('name').text}' verifies in its own way"
            yield scope.found(PEER_IDENTITY, extension, told, "remove the extension")
        elif not _asks_for(context, identity or ""):
            yield scope.found(PEER_IDENTITY, context, f"does not ask for {identity}, or for others too", mend)
        elif not _verifies(common, context):
            yield scope.found(PEER_IDENTITY, context, "trusts no authority, so verifies nothing", "write trusted_ca")


def _sockets(cluster: Node) -> Iterator[Node]:
    """Give every transport socket that a connection of the cluster may have; a plain one where there is none."""
    matches = [match.at("transport_socket") for match in cluster.at("transport_socket_matches").items()]
    yield from matches
    if cluster.at("transport_socket").is_there or not matches:
        yield cluster.at("transport_socket")


def _asks_for(context: Node, identity: str) -> bool:
    typed = [(each.at("san_type"), each.at("matcher")) for each in context.at("match_typed_subject_alt_names").items()]
    texts = list(context.at("match_subject_alt_names").items())
    if not typed:
        return bool(texts) and all(each.at("exact").text == identity for each in texts)
    return all(
        (kind.choice == "URI" or kind.number == _URI)
        and matcher.at("exact").text == identity
        and not matcher.at("ignore_case").flag
        for kind, matcher in typed
    )


def _verifier(common: Node, context: Node) -> Node:
    """Give the extension that may verify other than the context says. ENVOY: that for SPIFFE demands the names too."""
    own = context.at("custom_validator_config")
    if own.is_there and own.at("typed_config").typed()[0] != _SPIFFE_VALIDATOR:
        return own
    return common.at("custom_handshaker")


def _verifies(common: Node, context: Node) -> bool:
    return (
        any(context.at(name).is_there for name in ("trusted_ca", "system_root_certs", "custom_validator_config"))
        or context.at("ca_certificate_provider_instance").is_there
        or common.at("combined_validation_context", "validation_context_sds_secret_config").is_there
    )
