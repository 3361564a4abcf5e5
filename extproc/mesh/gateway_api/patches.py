"""The patches by which Envoy Gateway's own configuration becomes ours: clusters, and one connection manager.

Envoy Gateway applies what it can of a patch policy and leaves out the rest, so nothing here may be safe only together
with something else: the whole of what happens to a request is one operation, and clusters that nothing names are idle.
SPEC: RFC 6902, RFC 9535; gateway.envoyproxy.io/v1alpha1 EnvoyPatchPolicy.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.mesh.envoy.api import packed
from extproc.mesh.envoy.bootstrap import render_bootstrap
from extproc.mesh.envoy.edge import connection_manager
from extproc.mesh.envoy.text import fields_of
from extproc.mesh.gateway_api.resources import EXTENSION, Resource, gateway_reference, metadata
from extproc.mesh.gateway_api.section import GatewayApiMesh
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json

_LISTENER: Final = "type.googleapis.com/envoy.config.listener.v3.Listener"
_CLUSTER: Final = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
_MANAGERS: Final = "$..filters[?(@.name=='envoy.filters.network.http_connection_manager')]"
"""Wherever they stand: with TLS in a chain of its own, without in the default one, behind filters of others or not."""

LARGEST_POLICY: Final = 256 * 1024
"""Bytes of patches in one resource. A cluster's store takes 1.5 MiB, and `kubectl apply` keeps a copy in a note of at
most 256 KiB, so large catalogues need `kubectl apply --server-side`."""


def listener_patch(place: GatewayApiMesh, tables: PolicyTables, reading: Reading, mesh: Mesh) -> Resource:
    """Give the patch that makes the listener ours: all or nothing of it."""
    manager = fields_of(packed(connection_manager(reading, mesh, tables.plan_length)))
    patch: Json = {
        "type": _LISTENER,
        "name": place.listener_name(mesh.listener.port),
        "operation": {"op": "replace", "jsonPath": _MANAGERS, "path": "/typed_config", "value": manager},
    }
    return _policy(place, "-listener", [patch])


def cluster_patches(place: GatewayApiMesh, tables: PolicyTables, reading: Reading, mesh: Mesh) -> Iterator[Resource]:
    """Give the patches that add the clusters, in as many resources as they need. Raises ValueError."""
    resources = render_bootstrap(tables, reading, mesh).static_resources
    patches: list[Json] = []
    size = 0
    number = 0
    for cluster in [] if resources is None else resources.clusters:
        value = fields_of(cluster)
        patch: Json = {"type": _CLUSTER, "name": cluster.name, "operation": {"op": "add", "path": "", "value": value}}
        length = len(json.dumps(patch))
        if patches and size + length > LARGEST_POLICY:
            yield _policy(place, f"-clusters-{number}", patches)
            patches, size, number = [], 0, number + 1
        patches.append(patch)
        size += length
    yield _policy(place, f"-clusters-{number}", patches)


def _policy(place: GatewayApiMesh, suffix: str, patches: Sequence[Json]) -> Resource:
    return {
        "apiVersion": f"{EXTENSION}/v1alpha1",
        "kind": "EnvoyPatchPolicy",
        "metadata": metadata(place, suffix),
        "spec": {"targetRef": gateway_reference(place), "type": "JSONPatch", "jsonPatches": patches},
    }
