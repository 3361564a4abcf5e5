"""An Istio proxy without an istiod: what istiod sent one, with today's EnvoyFilter applied, as a static file."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from google.protobuf import json_format
from mesh.istio.merge_rules import MANAGER, Config, Proto, apply, parse_config
from mesh.test_validate import NO_KEYS

from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.mesh.istio.render import render_tables
from extproc.mesh.istio.section import GatewayAttachment, IstioMesh, OutboundAttachment, Tokens
from extproc.mesh.section import Mesh

CAPTURED = Path(__file__).parent / "captured"
CONTEXTS = {"gateway": "GATEWAY", "outbound": "SIDECAR_OUTBOUND"}
PORTS = {"gateway": 10080, "outbound": 8100}
LOOPBACK = "127.0.0.1"


def captured(name: str, *, port: int | None = None) -> Any:  # noqa: ANN401 - whatever the JSON is
    """Give what istiod sent, as it was or with another port."""
    text = (CAPTURED / f"{name}.json").read_text()
    if port is not None:
        text = text.replace(str(PORTS[name.partition("-")[0]]), str(port))
    return json.loads(text)


def istio_of(kind: str, port: int, *, tokens: Tokens | None = None) -> IstioMesh:
    """Give the section that the configurations were captured with."""
    if kind == "gateway":
        return IstioMesh(gateway=GatewayAttachment(), tokens=tokens)
    attached = OutboundAttachment(namespaces=("shop",), labels={"app": "shop"}, port=port)
    return IstioMesh(outbound=attached, tokens=tokens)


def documents(text: str) -> list[Mapping[str, Any]]:
    return list(yaml.load_all(text, yaml.CSafeLoader))


def proxy_config(kind: str, jwks: str) -> Callable[[PolicyTables, Reading, Mesh], str]:
    """Make what gives the configuration of a proxy of this kind, with today's rendering. Istio has the keys `jwks`."""

    def configure(tables: PolicyTables, reading: Reading, mesh: Mesh) -> str:
        port = mesh.listener.port
        istio = istio_of(kind, port, tokens=Tokens(jwks=jwks) if jwks else None)
        mesh = replace(mesh, istio=istio)
        rendered = documents(render_tables(tables, reading, mesh, "").files[f"{kind}.yaml"])
        filters = [each for each in rendered if each["kind"] == "EnvoyFilter"]
        without = json.dumps(captured(f"{kind}-without", port=port)).replace(json.dumps(NO_KEYS), json.dumps(jwks))
        config = apply(filters, parse_config(_counting_proxies(json.loads(without))), CONTEXTS[kind])
        return json.dumps(_bootstrap(config, tables, mesh, istio))

    return configure


def _counting_proxies(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let the mesh count two proxies in front of every one, as an operator may, and Istio then writes."""
    for listener in fields["listeners"]:
        for chain in listener["filter_chains"]:
            for each in chain["filters"]:
                if each["name"] == MANAGER:
                    each["typed_config"]["xff_num_trusted_hops"] = 2
    return fields


def _bootstrap(config: Config, tables: PolicyTables, mesh: Mesh, istio: IstioMesh) -> Mapping[str, Any]:
    regions = {istio.cluster_of(region.id): mesh.regions[region.id] for region in tables.regions}
    clusters = []
    for each in config.clusters:
        fields = _fields(each)
        if each.name in regions or "eds_cluster_config" in fields:
            # What istiod sends by EDS, or has resolved. The inference host has no endpoints.
            fields.pop("eds_cluster_config", None)
            fields["type"] = "STATIC"
            places = [
                {"endpoint": {"address": {"socket_address": {"address": place.address, "port_value": place.port}}}}
                for place in (regions[each.name].endpoints if each.name in regions else ())
            ]
            fields["load_assignment"] = {"cluster_name": each.name, "endpoints": [{"lb_endpoints": places}]}
        clusters.append(fields)
    return {
        "node": {"id": "istio", "cluster": "istio"},
        "admin": {"address": {"socket_address": {"address": LOOPBACK, "port_value": mesh.admin.port}}},
        "static_resources": {
            "listeners": [_fields(_with_routes(each, config)) for each in config.listeners],
            "clusters": clusters,
        },
    }


def _with_routes(listener: Proto, config: Config) -> Proto:
    """Put the routes into the listener, and let it be reached without Istio's redirection of packets."""
    listener.ClearField("bind_to_port")
    listener.address.socket_address.address = LOOPBACK
    for chain in listener.filter_chains:
        for each in chain.filters:
            if each.typed_config.Is(HttpConnectionManager.DESCRIPTOR):
                manager = HttpConnectionManager.FromString(each.typed_config.value)
                (found,) = [route for route in config.routes if route.name == manager.rds.route_config_name]
                manager.route_config.CopyFrom(found)
                manager.ClearField("tracing")  # what is Istio's own: a collector's cluster
                each.typed_config.Pack(manager)
    return listener


def _fields(message: Proto) -> dict[str, Any]:
    fields: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return fields
