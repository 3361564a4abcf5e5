"""A sidecar as the samples of Python SDKs write it: `python -m bench.sample ADDRESS`.

The generated servicer, an asynchronous generator for the stream, asyncio's own event loop, and an answer built anew for
each request. It steers every request alike, decides nothing, records nothing, and does not log, which samples often do:
it is the cheapest of its kind.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    CommonResponse,
    HeaderMutation,
    HeadersResponse,
    ProcessingRequest,
    ProcessingResponse,
)
from envoy.service.ext_proc.v3.external_processor_pb2_grpc import (
    ExternalProcessorServicer,
    add_ExternalProcessorServicer_to_server,
)

from bench.sidecars import DECISION, STEERING
from extproc.names import DECISION_HEADER, ROUTE_HEADER


class _Processor(ExternalProcessorServicer):  # type: ignore[misc]  # generated without types
    async def Process(  # noqa: N802 - the method's name in the protocol
        self,
        request_iterator: AsyncIterator[ProcessingRequest],
        context: Any,  # noqa: ANN401, ARG002 - of the generated signature
    ) -> AsyncIterator[ProcessingResponse]:
        async for request in request_iterator:
            if request.HasField("request_headers"):
                headers = {each.key: each.raw_value for each in request.request_headers.headers.headers}
                if ":path" not in headers:
                    yield ProcessingResponse()
                    continue
                yield ProcessingResponse(
                    request_headers=HeadersResponse(
                        response=CommonResponse(
                            header_mutation=HeaderMutation(
                                set_headers=[
                                    _header(ROUTE_HEADER, STEERING.route),
                                    _header(DECISION_HEADER, DECISION),
                                ]
                            ),
                            clear_route_cache=True,
                        )
                    )
                )


def _header(name: str, value: str) -> HeaderValueOption:
    return HeaderValueOption(
        header=HeaderValue(key=name, raw_value=value.encode()),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )


async def _serve(listen: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server()
    add_ExternalProcessorServicer_to_server(_Processor(), server)
    server.add_insecure_port(listen)
    await server.start()
    await stop.wait()
    await server.stop(1.0)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
