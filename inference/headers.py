"""Every header name that the cell reads or writes, in ASGI's form: lower-case bytes."""

from typing import Final

# Read: set by the sidecar through Envoy, never trusted for anything but refusing and for the access log.
EXPECT_REGION: Final = b"x-situs-expect-region"  # differs from the cell's region: 421
DECISION: Final = b"x-situs-decision"  # identity of the routing decision, copied into the access log

# Written on every answer: who answered.
CELL: Final = b"x-situs-cell"
REGION: Final = b"x-situs-region"
JURISDICTION: Final = b"x-situs-jurisdiction"

# Written on answers about readiness and to inference requests, for who sends them here; a proxy removes it.
LOAD: Final = b"endpoint-load-metrics"  # SPEC: ORCA

# Written on every answer that concerns a model version which the cell has.
MODEL: Final = b"x-situs-model"
MODEL_VERSION: Final = b"x-situs-model-version"
MODEL_DIGEST: Final = b"x-situs-model-digest"  # sha256:<hex> of the bytes that were loaded
PROVIDER: Final = b"x-situs-provider"  # onnxruntime's name of the execution provider

# HTTP's own.
ALLOW: Final = b"allow"
CONNECTION: Final = b"connection"
CONTENT_ENCODING: Final = b"content-encoding"
CONTENT_LENGTH: Final = b"content-length"
CONTENT_TYPE: Final = b"content-type"
RETRY_AFTER: Final = b"retry-after"

# SPEC: OIP binary tensor data extension; its presence means that the body is not JSON alone.
BINARY_HEADER_LENGTH: Final = b"inference-header-content-length"
