"""The regional inference cell: an onnxruntime model server that says what it serves, and where.

A cell is one region's server with a local model store. It speaks the Open Inference Protocol (OIP, KServe v2)
over HTTP and puts on every answer which cell, region, jurisdiction, model version and model digest served it.

Read in this order:

1. `cli`      the command `situs-cell serve`: its options are the manual.
2. `app`      one request from the first header to the last byte, as numbered steps.
3. `tensors`  what a tensor of a request must look like, and the sentence that says so when it does not.
4. `batcher`  how requests that wait together are computed together, without any added delay.

Below these: `store` (files to bytes and digest), `provider` (CPU or GPU, never one in place of the other),
`model` (bytes to an onnxruntime session), `protocol` (OIP messages), `routes`, `headers`, `identity`, `errors`,
`access_log`, `events`, and `server` (sockets, signals, drain). `digits` trains the model of the demo and the tests.

This package never imports `extproc`: a cell knows nothing of the sidecar that routes to it.
"""

import os

# ONNX RUNTIME: as it is on PyPI it reports its use to its maker, on Linux too, unless this is set before it is imported
# (its Privacy.md). A cell sends nothing to anybody. Whoever sets the variable decides otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
