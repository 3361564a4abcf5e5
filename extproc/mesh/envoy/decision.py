"""The ext_proc filter: the question to the sidecar, and what its answer may change.

Where the policy reads payloads, Envoy sends the beginning of the body too, and a second filter chooses the route anew.
"""

from typing import Final

from extproc.core.reading import Reading
from extproc.mesh.envoy.api import (
    core,
    ext_proc,
    hcm,
    lua,
    matcher,
    mutation_rules,
    packed,
    seconds,
    set_filter_state,
    types,
)
from extproc.mesh.envoy.sidecar import decision_service
from extproc.mesh.section import EnvoyVersion, Mesh
from extproc.names import (
    CONTENT_ENCODING,
    CREDENTIALS_NAMESPACE,
    DECISION_HEADER,
    JWT_NAMESPACE,
    METADATA_NAMESPACE,
    ONCE_HEADER,
    PEER_IDENTITY,
    ROUTE_HEADER,
    SOURCE_ADDRESS,
)

FILTER: Final = "envoy.filters.http.ext_proc"
REROUTE_FILTER: Final = "envoy.filters.http.set_filter_state"
REROUTE_SCRIPT: Final = "function envoy_on_request(request) request:clearRouteCache() end"
"""The same for an Envoy before 1.38."""
_NONE: Final = ext_proc.ProcessingModeBodySendMode.NONE
_PATH: Final = ":path"
"""Names the model. ENVOY: pseudo-headers are subject to the allow list like any other header."""

_OF_REFUSALS: Final = ("cache-control", "content-type", "location", "retry-after")


def decision_filter(reading: Reading, mesh: Mesh) -> hcm.HttpFilter:
    """Give the filter: one message with the request's headers, one answer, and no request without it.

    Where the policy reads payloads there is a second message and answer, with as much of the body as Envoy buffers.
    """
    reads_payload = reading.payload is not None
    names = (_PATH, *reading.headers, *((CONTENT_ENCODING,) if reads_payload else ()))
    body_mode, route_cache = _NONE, ext_proc.ExternalProcessorRouteCacheAction.CLEAR
    if reads_payload:
        # ENVOY: with BUFFERED a body over the limit would be answered 413. This mode clears the route cache only after
        # the request went on (measured), by the old route, so that is left to the reroute filter.
        body_mode = ext_proc.ProcessingModeBodySendMode.BUFFERED_PARTIAL
        route_cache = ext_proc.ExternalProcessorRouteCacheAction.RETAIN
    config = ext_proc.ExternalProcessor(
        grpc_service=decision_service(mesh.workers),
        failure_mode_allow=False,
        status_on_error=types.HttpStatus(code=types.StatusCode.ServiceUnavailable),
        message_timeout=seconds(mesh.timeouts.message_s),
        processing_mode=ext_proc.ProcessingMode(
            request_header_mode=ext_proc.ProcessingModeHeaderSendMode.SEND,
            response_header_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
            request_body_mode=body_mode,
            response_body_mode=_NONE,
            request_trailer_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
            response_trailer_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
        ),
        request_attributes=[SOURCE_ADDRESS, *([PEER_IDENTITY] if reading.certificates else [])],
        forward_rules=ext_proc.HeaderForwardingRules(
            allowed_headers=matcher.ListStringMatcher(
                patterns=[matcher.StringMatcher(exact=name) for name in dict.fromkeys(names)]
            )
        ),
        metadata_options=ext_proc.MetadataOptions(
            forwarding_namespaces=ext_proc.MetadataOptionsMetadataNamespaces(
                untyped=[JWT_NAMESPACE, CREDENTIALS_NAMESPACE]
            ),
            receiving_namespaces=ext_proc.MetadataOptionsMetadataNamespaces(untyped=[METADATA_NAMESPACE]),
        ),
        mutation_rules=_permitted_mutations(reads_payload=reads_payload),
        route_cache_action=route_cache,
        # ENVOY: else it is removed where bodies are sent, and cells get chunks. No answer of ours changes a body. 1.36
        # does not know this field.
        allow_content_length_header=reads_payload and mesh.oldest_envoy > EnvoyVersion.V1_36,
    )
    return hcm.HttpFilter(name=FILTER, typed_config=packed(config))


def reroute_filter(mesh: Mesh) -> hcm.HttpFilter:
    """Give the filter that lets the route be chosen anew, after an answer to a body named the plan.

    It stands behind the decision, so a request that reaches it is one that goes on.
    """
    if mesh.oldest_envoy >= EnvoyVersion.V1_38:
        return hcm.HttpFilter(name=REROUTE_FILTER, typed_config=packed(set_filter_state.Config(clear_route_cache=True)))
    script = lua.Lua(default_source_code=core.DataSource(inline_string=REROUTE_SCRIPT))
    return hcm.HttpFilter(name="envoy.filters.http.lua", typed_config=packed(script))


def _permitted_mutations(*, reads_payload: bool) -> mutation_rules.HeaderMutationRules:
    """Permit the headers that an answer sets; any other makes the request fail instead of being dropped.

    ENVOY: the rules hold for the headers of an immediate response too. Without the second group a refusal would lose
    its content type, its decision id and its Retry-After.
    """
    once = (ONCE_HEADER,) if reads_payload else ()
    names = "|".join((ROUTE_HEADER, DECISION_HEADER, *once, *_OF_REFUSALS))
    return mutation_rules.HeaderMutationRules(
        disallow_all=True,
        allow_expression=matcher.RegexMatcher(regex=f"^({names})$"),
        disallow_is_error=True,
    )
