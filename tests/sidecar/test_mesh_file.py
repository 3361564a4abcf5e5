"""A sidecar with a mesh file: cells asked by mutual TLS, and clusters that Envoy names in Istio's way."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from signals.servers import http, serving
from support.certificates import Authority
from support.messages import processing_request
from support.sidecar import Setup, Sidecar, started

from extproc.names import (
    ACCESS_LOG_SERVICE,
    ATTEMPT_LOG,
    DECISION_HEADER,
    METADATA_DECISION,
    METADATA_NAMESPACE,
    REQUEST_LOG,
    ROUTE_HEADER,
)

pytestmark = pytest.mark.slow

SITUS, ENVOY = "spiffe://acme.example/situs", "spiffe://acme.example/envoy"
REGIONS = ("eu-fra", "eu-ams", "us-iad", "me-dxb")
CA = Authority()


def identity_of(region: str) -> str:
    return f"spiffe://acme.example/cells/{region}"


def _context(folder: Path, region: str) -> ssl.SSLContext:
    """What a cell shows; that of us-iad shows what a cell in Dubai would."""
    files = CA.leaf(identity_of("me-dxb" if region == "us-iad" else region)).write(folder / region, CA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(files.authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextlib.asynccontextmanager
async def with_cells(setup: Setup, *options: str) -> AsyncIterator[Sidecar]:
    """A sidecar and cells that it asks by TLS, in a mesh of Istio's."""
    async with contextlib.AsyncExitStack() as stack:
        answer = http(x_situs_model_version="1")
        cells = {
            region: await stack.enter_async_context(serving(answer, _context(setup.root, region))) for region in REGIONS
        }
        mesh = {
            "apiVersion": "situs/v1",
            "listener": {"address": "127.0.0.1", "port": 10000},
            "sidecar": {"unix": setup.socket.removeprefix("unix:")},
            "regions": {
                region: {"endpoints": [cell.place], "identity": identity_of(region)} for region, cell in cells.items()
            },
            "tls": {"certificate": "/c", "key": "/k", "authorities": "/a", "identity": ENVOY},
            "istio": {},
            "jwt": {"issuer": "https://id.example", "audiences": ["situs"], "jwks_file": "/j"},
        }
        path = setup.root / "mesh.yaml"
        path.write_text(json.dumps(mesh))
        own = CA.leaf(SITUS).write(setup.root / "own", CA)
        setup.options = ["--mesh", str(path), *own.arguments(), *options]
        yield await stack.enter_async_context(started(Sidecar(setup)))


async def _up(sidecar: Sidecar, *labels: str) -> list[float]:
    samples = [",".join([*labels, f'region="{region}"']) for region in REGIONS]
    return [await sidecar.metric(f"situs_region_up{{{sample}}}") for sample in samples]


async def _until_up(sidecar: Sidecar) -> None:
    """Wait until every region is seen as it is; a slow machine may miss the first round's handshakes."""
    for _ in range(200):
        if await _up(sidecar) == [1, 1, 0, 1]:
            return
        await asyncio.sleep(0.1)
    assert await _up(sidecar) == [1, 1, 0, 1]


async def test_cells_are_asked_by_tls_and_must_prove_their_region(setup: Setup) -> None:
    async with with_cells(setup) as sidecar:
        await _until_up(sidecar)
        said = setup.output.read_text()
        assert f"it proves to be {identity_of('me-dxb')}; expected {identity_of('us-iad')}" in said


async def test_the_supervisor_of_several_asks_them_so_too(setup: Setup) -> None:
    async with with_cells(setup, "--workers", "2") as sidecar:

        async def all_seen() -> bool:
            return [await _up(sidecar, f'worker="{worker}"') for worker in range(2)] == [[1, 1, 0, 1]] * 2

        for _ in range(200):
            if await all_seen():
                break
            await asyncio.sleep(0.1)
        assert await all_seen()


async def test_a_delivery_to_a_cluster_with_istios_name_is_one_to_its_region(setup: Setup) -> None:
    async with with_cells(setup) as sidecar:
        await _until_up(sidecar)
        response = await sidecar.process(processing_request(address="31.0.0.7:0"))
        headers = response.request_headers.response.header_mutation.set_headers
        told = {option.header.key: option.header.raw_value.decode() for option in headers}
        decision, region = told[DECISION_HEADER], told[ROUTE_HEADER].partition(">")[0]
        cluster = f"outbound|8080||{region}.cells.situs.internal"
        async with grpc.aio.insecure_channel(setup.socket) as channel:
            method: grpc.aio.StreamUnaryMultiCallable[bytes, bytes]
            method = channel.stream_unary(f"/{ACCESS_LOG_SERVICE}/StreamAccessLogs")
            for log in (ATTEMPT_LOG, REQUEST_LOG):
                await method(iter([_message(log, decision, cluster)]), timeout=10)

        async def delivered() -> bool:
            return await sidecar.metric('situs_deliveries_total{finding="matched"}') == 1

        await sidecar.until(delivered)
        assert await sidecar.metric("situs_violations_total") == 0


def _message(log: str, decision: str, cluster: str) -> bytes:
    entry = HTTPAccessLogEntry()
    common = entry.common_properties
    if log == ATTEMPT_LOG:
        entry.request.request_headers[DECISION_HEADER] = decision
    else:
        common.metadata.filter_metadata[METADATA_NAMESPACE].fields[METADATA_DECISION].string_value = decision
    common.upstream_cluster = cluster
    common.upstream_request_attempt_count = 1
    common.upstream_remote_address.socket_address.address = "127.0.0.1"
    common.time_to_first_upstream_rx_byte.FromMilliseconds(5)
    entry.response.response_code.value = 200
    message = StreamAccessLogsMessage(identifier=StreamAccessLogsMessage.Identifier(log_name=log))
    message.http_logs.log_entry.append(entry)
    serialised: bytes = message.SerializeToString()
    return serialised
