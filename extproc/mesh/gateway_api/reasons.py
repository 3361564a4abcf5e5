"""Why the fields of the rendered resources are what they are, beside those of Envoy's own configuration."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from extproc.mesh.envoy.reasons import REASONS as OF_ENVOY

_OF_RESOURCES: Final = {
    "parametersRef": "The proxies of this class have the sidecar in their pods.",
    "allowedRoutes": "Routes of others would be lost here: the connection manager is ours.",
    "directResponse": "What is answered while the patches are not there, or not taken: a refusal.",
    "bufferLimit": "How much of what a client sends is held for each connection; part of the decision where payloads "
    "are read.",
    "connectionLimit": "Further connections are closed. Protects Envoy's memory.",
    "clientValidation": "The sidecar reads the SPIFFE id of a client's certificate: an unverified one must not get in.",
    "externalTrafficPolicy": "A packet keeps its source address; with Cluster every client would be where the node is.",
    "initContainers": "The sidecar: it is ready before Envoy starts, and ends after Envoy did (Kubernetes 1.29 and "
    "later).",
    "accessLog": "Envoy Gateway's own log writes clients' addresses and paths to standard output. Envoy tells the "
    "sidecar what happened, by the logs of the patched listener.",
    "fsGroup": "Files of the sidecar and Envoy, and the socket between them.",
    "subPathExpr": "Each pod has its own log and key.",
    "jsonPath": "The connection manager of this listener, replaced whole and at once: Envoy Gateway applies what it "
    "can of a policy, and half of this would leak.",
}

REASONS: Final[Mapping[str, str]] = MappingProxyType({**OF_ENVOY, **_OF_RESOURCES})
