"""What is rendered for Istio, as resources that a test breaks one by one."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

from mesh.check.readable import source
from mesh.example import READING, mesh_of, tables_of

from extproc.mesh.check.config import Expected
from extproc.mesh.check.finding import Finding
from extproc.mesh.check.judge import judge
from extproc.mesh.check.read import read_sources
from extproc.mesh.check.reading.documents import parse_documents
from extproc.mesh.istio.render import render_tables
from extproc.mesh.istio.section import CellPods, GatewayAttachment, IstioMesh, OutboundAttachment

Resource: TypeAlias = dict[str, Any]

ISTIO = IstioMesh(
    gateway=GatewayAttachment(),
    outbound=OutboundAttachment(namespaces=("apps",), labels={"calls": "models"}),
    cells=CellPods(namespace="cells", labels={"app": "cell"}),
)
MESH = replace(mesh_of([9001, 9002]), istio=ISTIO)
EXPECTED = Expected(tables=tables_of(2), reading=replace(READING, geo=None), mesh=MESH)
HOST = "r0.cells.situs.internal"
OTHER = "r1.cells.situs.internal"


def rendered() -> list[Resource]:
    """Give new ones each time, to be broken."""
    found: list[Resource] = json.loads(_rendered())
    return found


@lru_cache
def _rendered() -> str:
    files = render_tables(EXPECTED.tables, EXPECTED.reading, EXPECTED.mesh, "").files
    return json.dumps([each.value for name, text in files.items() for each in parse_documents(text.encode(), name)])


def one(resources: list[Resource], kind: str, name: str) -> Resource:
    return next(each for each in resources if each.get("kind") == kind and each["metadata"]["name"] == name)


def resource(kind: str, spec: object, *, group: str = "networking", namespace: str = "istio-ingress") -> Resource:
    version = {"networking": "v1", "telemetry": "v1", "security": "v1"}[group]
    metadata = {"name": "given", "namespace": namespace}
    return {"apiVersion": f"{group}.istio.io/{version}", "kind": kind, "metadata": metadata, "spec": spec}


def patch(to: str, operation: str, value: object = None, match: object = None) -> Resource:
    """Give an EnvoyFilter with one patch."""
    patched = {"operation": operation} if value is None else {"operation": operation, "value": value}
    return resource("EnvoyFilter", {"configPatches": [{"applyTo": to, "match": match or {}, "patch": patched}]})


def found_in(*resources: Resource, expected: Expected = EXPECTED) -> tuple[Finding, ...]:
    listed = {"apiVersion": "v1", "kind": "List", "items": list(resources)}
    return judge(read_sources([source(listed)]), expected).findings


def broken(kind: str, name: str, change: Callable[[Resource], object]) -> tuple[Finding, ...]:
    """Give what is found when one of the rendered resources is changed."""
    resources = rendered()
    change(one(resources, kind, name)["spec"])
    return found_in(*resources)
