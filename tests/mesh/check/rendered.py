"""Configurations as they are rendered, as plain values that a test may change, and what the rules say of them."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from mesh.example import READING, mesh_of, tables_of

from extproc.core.ids import DataClass, TenantId
from extproc.core.payload import Detector, PayloadReading
from extproc.core.reading import Reading, TenantBindings
from extproc.core.tables import PolicyTables
from extproc.mesh.check.config import EnvoyConfig, Expected
from extproc.mesh.check.finding import Finding
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules import check_envoy
from extproc.mesh.envoy import fields_of, render_bootstrap
from extproc.mesh.section import Jwt, Mesh

Fields: TypeAlias = dict[str, Any]

JWT = Jwt(issuer="https://id.example", audiences=("inference",), jwks_file="/etc/situs/jwks.json")
CLAIMS = replace(READING, bindings=TenantBindings(by_claim={"tenant": {"acme": TenantId("acme")}}))
CERTIFICATES = replace(READING, bindings=TenantBindings(by_spiffe={"spiffe://a.example/b": TenantId("acme")}))
PAYLOAD = replace(
    READING,
    payload=PayloadReading(
        limit_bytes=65536, unreadable=DataClass("personal"), detectors={Detector.IBAN: DataClass("personal")}
    ),
)


@dataclass
class Rendered:
    """A bootstrap of three regions with one cell each, and what it is held against."""

    reading: Reading = READING
    mesh: Mesh = field(default_factory=lambda: mesh_of([9001, 9002, 9003]))
    tables: PolicyTables = field(default_factory=lambda: tables_of(3))
    fields: Fields = field(init=False)

    def __post_init__(self) -> None:
        self.fields = copy.deepcopy(_rendered(self.tables, self.reading, self.mesh))

    @property
    def listener(self) -> Fields:
        found: Fields = self.fields["static_resources"]["listeners"][0]
        return found

    @property
    def manager(self) -> Fields:
        found: Fields = self.listener["filter_chains"][0]["filters"][0]["typed_config"]
        return found

    @property
    def host(self) -> Fields:
        found: Fields = self.manager["route_config"]["virtual_hosts"][0]
        return found

    @property
    def by_plan(self) -> Fields:
        return next(route for route in self.host["routes"] if route["name"] == "by_plan")

    def filter(self, name: str) -> Fields:
        return next(one for one in self.manager["http_filters"] if one["name"].endswith(name))

    @property
    def decision(self) -> Fields:
        found: Fields = self.filter("ext_proc")["typed_config"]
        return found

    def cluster(self, name: str) -> Fields:
        return next(one for one in self.clusters if one["name"] == name)

    @property
    def clusters(self) -> list[Fields]:
        found: list[Fields] = self.fields["static_resources"]["clusters"]
        return found

    @property
    def expected(self) -> Expected:
        return Expected(tables=self.tables, reading=self.reading, mesh=self.mesh)


_KNOWN: dict[str, Fields] = {}


def _rendered(tables: PolicyTables, reading: Reading, mesh: Mesh) -> Fields:
    """Render once for each question: it takes longer than all rules together."""
    key = repr((tables, reading, mesh))
    if key not in _KNOWN:
        _KNOWN[key] = dict(fields_of(render_bootstrap(tables, reading, mesh)))
    return _KNOWN[key]


def config_of(
    fields: Mapping[str, Any],
    *,
    routes: Mapping[str, Node] | None = None,
    endpoints: Mapping[str, Node] | None = None,
) -> EnvoyConfig:
    """Give a bootstrap's plain values as the rules take them."""
    static = Node(fields, "").at("static_resources")
    return EnvoyConfig(
        origin="envoy.yaml",
        listeners=tuple(static.at("listeners").items()),
        clusters={each.at("name").text: each for each in static.at("clusters").items()},
        routes=routes or {},
        endpoints=endpoints or {},
    )


def findings(rendered: Rendered) -> list[Finding]:
    return list(check_envoy(config_of(rendered.fields), rendered.expected))
