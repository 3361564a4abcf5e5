"""The jwt_authn filter: verifies tokens before the sidecar reads their claims."""

from extproc.mesh.envoy.api import Empty, core, hcm, header_to_metadata, jwt_authn, packed, route
from extproc.mesh.section import Jwt
from extproc.names import CREDENTIALS_NAMESPACE, JWT_PAYLOAD

_PROVIDER = "situs_tokens"


def credentials_filter() -> hcm.HttpFilter:
    """Give the filter that notes that there was an `authorization` header; nothing of its value.

    ENVOY: jwt_authn compares the scheme by letter case and passes what it does not recognise as no token. Without this
    note `authorization: bearer …` would make a tenant's client anonymous.
    """
    config = header_to_metadata.Config(
        request_rules=[
            header_to_metadata.ConfigRule(
                header="authorization",
                on_header_present=header_to_metadata.ConfigKeyValuePair(
                    metadata_namespace=CREDENTIALS_NAMESPACE, key="presented", value="yes"
                ),
            )
        ]
    )
    return hcm.HttpFilter(name="envoy.filters.http.header_to_metadata", typed_config=packed(config))


def token_filter(jwt: Jwt, *, forward: bool = False) -> hcm.HttpFilter:
    """Give the filter: no token passes without claims, a good one with them, a bad one is answered 401.

    With `forward` the token stays for filters behind this one; the route removes it in any case.
    """
    provider = jwt_authn.JwtProvider(
        issuer=jwt.issuer,
        audiences=list(jwt.audiences),
        local_jwks=core.DataSource(filename=jwt.jwks_file),
        require_expiration=True,
        # Named, so that Envoy does not also take a token from the query, where logs would keep it.
        from_headers=[jwt_authn.JwtHeader(name="Authorization", value_prefix="Bearer ")],
        payload_in_metadata=JWT_PAYLOAD,
        forward=forward,
    )
    requirement = jwt_authn.JwtRequirement(
        requires_any=jwt_authn.JwtRequirementOrList(
            requirements=[
                jwt_authn.JwtRequirement(provider_name=_PROVIDER),
                jwt_authn.JwtRequirement(allow_missing=Empty()),
            ]
        )
    )
    config = jwt_authn.JwtAuthentication(
        providers={_PROVIDER: provider},
        rules=[jwt_authn.RequirementRule(match=route.RouteMatch(prefix="/"), requires=requirement)],
    )
    return hcm.HttpFilter(name="envoy.filters.http.jwt_authn", typed_config=packed(config))
