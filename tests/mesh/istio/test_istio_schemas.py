"""Every resource that can be rendered has the shape that Istio and Kubernetes take, and every patch is a message."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from mesh.example import tables_of
from mesh.istio.crd_schemas import schema_of
from mesh.istio.merge_rules import parse_patch
from mesh.istio.proxies import documents
from mesh.istio.test_istio_render import CLAIMS, GATEWAY, JWT, OUTBOUND, mesh_with

from extproc.core.ids import DataClass
from extproc.core.payload import PayloadReading
from extproc.core.reading import Reading
from extproc.mesh.istio.render import render_tables
from extproc.mesh.istio.section import CellPods, Tokens
from extproc.mesh.section import EnvoyVersion, ListenerTls, Mesh, PeerTls, TcpAddress

RESOURCES = ("regions.yaml", "gateway.yaml", "outbound.yaml", "security.yaml", "network.yaml")
CELLS = CellPods(namespace="cells", labels={"app": "cell"})
TLS = PeerTls(certificate="/c.pem", key="/k.pem", authorities="/a.pem", identity="spiffe://a.example/envoy")
PAYLOADS = replace(CLAIMS, payload=PayloadReading(limit_bytes=65536, unreadable=DataClass("personal"), detectors={}))


def with_all() -> Mesh:
    mesh = mesh_with(
        replace(GATEWAY, outbound=OUTBOUND, cells=CELLS, tokens=Tokens(jwks="{}"), sidecar=None),
        tls=replace(TLS, sidecar="spiffe://a.example/situs"),
        listener_tls=ListenerTls(certificate="/c", key="/k", clients="/a"),
        sidecar=TcpAddress(address="10.0.0.9", port=9000),
        workers=2,
    )
    named = {region: replace(each, identity=f"spiffe://a.example/{region}") for region, each in mesh.regions.items()}
    return replace(mesh, regions=named)


def resources(mesh: Mesh, reading: Reading) -> list[Mapping[str, Any]]:
    files = render_tables(tables_of(2), reading, mesh, "").files
    return [each for name in RESOURCES if name in files for each in documents(files[name])]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mesh", "reading"),
    [
        (mesh_with(GATEWAY), CLAIMS),
        (mesh_with(GATEWAY, oldest_envoy=EnvoyVersion.V1_36), PAYLOADS),
        (with_all(), CLAIMS),
        (mesh_with(replace(GATEWAY, gateway=None, outbound=OUTBOUND), jwt=JWT), CLAIMS),
    ],
    ids=["gateway", "payloads", "all", "outbound"],
)
def test_every_resource_has_its_shape(mesh: Mesh, reading: Reading) -> None:
    found = resources(mesh, reading)
    assert len(found) >= 6
    names = [(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) for each in found]
    assert len(set(names)) == len(names)
    for each in found:
        jsonschema.validate(each, schema_of(each))
        for patch in each["spec"].get("configPatches", []):
            parse_patch(patch)  # strict: an unknown field or type is an error


def test_a_field_that_istio_does_not_know_is_found() -> None:
    entry = dict(resources(mesh_with(GATEWAY), CLAIMS)[0])
    entry["spec"] = {**entry["spec"], "exportto": ["."]}
    with pytest.raises(jsonschema.ValidationError, match="exportto"):
        jsonschema.validate(entry, schema_of(entry))
