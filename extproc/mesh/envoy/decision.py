"""The ext_proc filter: the question to the sidecar, and what its answer may change."""

from typing import Final

from extproc.core.reading import Reading
from extproc.mesh.envoy.api import ext_proc, hcm, matcher, mutation_rules, packed, seconds, types
from extproc.mesh.envoy.sidecar import sidecar_service
from extproc.mesh.section import Mesh
from extproc.names import (
    CREDENTIALS_NAMESPACE,
    DECISION_HEADER,
    JWT_NAMESPACE,
    METADATA_NAMESPACE,
    ROUTE_HEADER,
    SOURCE_ADDRESS,
)

FILTER: Final = "envoy.filters.http.ext_proc"
_PATH: Final = ":path"
"""Names the model. ENVOY: pseudo-headers are subject to the allow list like any other header."""

_OF_REFUSALS: Final = ("cache-control", "content-type", "location", "retry-after")


def decision_filter(reading: Reading, mesh: Mesh) -> hcm.HttpFilter:
    """Give the filter: one message with the request's headers, one answer, and no request without it."""
    config = ext_proc.ExternalProcessor(
        grpc_service=sidecar_service(),
        failure_mode_allow=False,
        status_on_error=types.HttpStatus(code=types.StatusCode.ServiceUnavailable),
        message_timeout=seconds(mesh.timeouts.message_s),
        processing_mode=ext_proc.ProcessingMode(
            request_header_mode=ext_proc.ProcessingModeHeaderSendMode.SEND,
            response_header_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
            request_body_mode=ext_proc.ProcessingModeBodySendMode.NONE,
            response_body_mode=ext_proc.ProcessingModeBodySendMode.NONE,
            request_trailer_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
            response_trailer_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
        ),
        request_attributes=[SOURCE_ADDRESS],
        forward_rules=ext_proc.HeaderForwardingRules(
            allowed_headers=matcher.ListStringMatcher(
                patterns=[matcher.StringMatcher(exact=name) for name in (_PATH, *reading.headers)]
            )
        ),
        metadata_options=ext_proc.MetadataOptions(
            forwarding_namespaces=ext_proc.MetadataOptionsMetadataNamespaces(
                untyped=[JWT_NAMESPACE, CREDENTIALS_NAMESPACE]
            ),
            receiving_namespaces=ext_proc.MetadataOptionsMetadataNamespaces(untyped=[METADATA_NAMESPACE]),
        ),
        mutation_rules=_permitted_mutations(),
        route_cache_action=ext_proc.ExternalProcessorRouteCacheAction.CLEAR,
    )
    return hcm.HttpFilter(name=FILTER, typed_config=packed(config))


def _permitted_mutations() -> mutation_rules.HeaderMutationRules:
    """Permit the headers that an answer sets; any other makes the request fail instead of being dropped.

    ENVOY: the rules hold for the headers of an immediate response too. Without the second group a refusal would lose
    its content type, its decision id and its Retry-After.
    """
    names = "|".join((ROUTE_HEADER, DECISION_HEADER, *_OF_REFUSALS))
    return mutation_rules.HeaderMutationRules(
        disallow_all=True,
        allow_expression=matcher.RegexMatcher(regex=f"^({names})$"),
        disallow_is_error=True,
    )
