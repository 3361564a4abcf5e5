"""Who may reach a cell, and by what a token is known to Istio's own policies."""

from collections.abc import Iterator, Mapping

from extproc.mesh.istio.kinds import SECURITY, resource
from extproc.mesh.istio.section import IstioMesh
from extproc.mesh.section import Jwt, Mesh
from extproc.mesh.yaml_text import Json

_STRICT: Mapping[str, Json] = {"mtls": {"mode": "STRICT"}}


def security_resources(mesh: Mesh, istio: IstioMesh) -> Iterator[Mapping[str, Json]]:
    """Give mutual TLS for our namespace, and for cells of this cluster also that only deciding proxies reach them."""
    yield resource(SECURITY, "PeerAuthentication", "situs-strict", istio.namespace, _STRICT)
    if istio.cells is not None:
        selected: Mapping[str, Json] = {"matchLabels": istio.cells.labels}
        strict: dict[str, Json] = {"selector": selected, **_STRICT}
        yield resource(SECURITY, "PeerAuthentication", "situs-cells", istio.cells.namespace, strict)
        admitted: dict[str, Json] = {
            "selector": selected,
            "action": "ALLOW",
            "rules": [{"from": list(_sources(istio)), "to": [{"operation": {"ports": [str(istio.cells.port)]}}]}],
        }
        yield resource(SECURITY, "AuthorizationPolicy", "situs-cells", istio.cells.namespace, admitted)
    if istio.tokens is not None and mesh.jwt is not None:
        yield from _token_rules(mesh.jwt, istio)


def _sources(istio: IstioMesh) -> Iterator[Mapping[str, Json]]:
    """Give who may reach cells. ISTIO: a principal is a SPIFFE id without its scheme, and `*` may end it."""
    if istio.gateway is not None:
        account = f"{istio.trust_domain}/ns/{istio.gateway.namespace}/sa/{istio.gateway.service_account}"
        yield {"source": {"principals": [account]}}
    if istio.outbound is not None:
        accounts = [f"{istio.trust_domain}/ns/{namespace}/sa/*" for namespace in istio.outbound.namespaces]
        yield {"source": {"principals": accounts}}


def _token_rules(jwt: Jwt, istio: IstioMesh) -> Iterator[Mapping[str, Json]]:
    tokens = istio.tokens
    rule: dict[str, Json] = {
        "issuer": jwt.issuer,
        "audiences": list(jwt.audiences),
        "fromHeaders": [{"name": "Authorization", "prefix": "Bearer "}],
        "forwardOriginalToken": False,
    }
    if tokens is not None and tokens.jwks_uri is not None:
        rule["jwksUri"] = tokens.jwks_uri
    elif tokens is not None and tokens.jwks is not None:
        rule["jwks"] = tokens.jwks
    if istio.gateway is not None:
        spec: dict[str, Json] = {"selector": {"matchLabels": istio.gateway.labels}, "jwtRules": [rule]}
        yield resource(SECURITY, "RequestAuthentication", "situs-tokens", istio.gateway.namespace, spec)
