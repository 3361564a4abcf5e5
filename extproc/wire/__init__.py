"""Bytes in, bytes out: what Envoy sends becomes facts, and what was decided becomes an answer.

Owns the protobuf messages of Envoy and the gRPC server. Decides nothing and records nothing: the composition root
(:mod:`extproc.sidecar`) passes in what to call. The messages come from xds-protos, whose upb-backed classes parse a
typical request in 5 us.

* :mod:`extproc.wire.request` - a `ProcessingRequest` becomes `RequestFacts`
* :mod:`extproc.wire.payload` - the stream of a request whose payload the policy reads
* :mod:`extproc.wire.response` - a `Decision` becomes a `ProcessingResponse`
* :mod:`extproc.wire.refusals` - which HTTP status each refusal is
* :mod:`extproc.wire.access_log` - Envoy's access log becomes attempts and ended requests
* :mod:`extproc.wire.server` - the gRPC services on one socket
"""
