"""What an Envoy that is there already needs of ours, in pieces that say where each belongs. Pure.

The pieces are those of the whole rendering: the same functions made them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.mesh.envoy.bootstrap import render_bootstrap
from extproc.mesh.envoy.edge import buffered_bytes, connection_manager
from extproc.mesh.envoy.reasons import REASONS
from extproc.mesh.envoy.text import fields_of
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json, write_yaml

_OWN: Final = frozenset({"@type", "stat_prefix", "codec_type", "http_filters", "route_config", "access_log"})
"""Fields of the connection manager that are not simply set: they are the other's own, or are added to."""

_PER_ROUTE: Final = {
    "envoy.filters.http.ext_proc": "envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute",
    "envoy.filters.http.jwt_authn": "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig",
}


PLACES: Final[Mapping[str, str]] = {
    "node": "1. At the top of the configuration, where there is no `node`: every access log stream says who sends it.",
    "listener": "2. The listener: set these fields. Where the policy matches SPIFFE ids, it must verify client "
    "certificates (validation_context with trusted_ca in its filter chain): an unverified one names any tenant.",
    "manager": "3. Its connection manager's typed_config: set these fields, in place of what is there. Time-outs of "
    "yours may stay, and what your list has more goes before ours.",
    "filters": "4. Its http_filters: these, in this order, right before the router. An RBAC filter must stand behind "
    "them: before them it judges a route that the decision then changes.",
    "router": "5. The router's typed_config: set these fields.",
    "access_log": "6. The connection manager's access_log: add this.",
    "virtual_host": "7. Its route_config's virtual_hosts: add this. Nothing else may route to the clusters below.",
    "elsewhere": "8. The typed_per_filter_config of every OTHER virtual host: what is not for a model is not asked "
    "about. One that lacks it is decided too, which is safe, and refused where the policy knows nothing of it.",
    "clusters": "9. The clusters: add these.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """The pieces, in the JSON form of Envoy's messages.

    `node`: who this Envoy says it is, where it says nothing. `listener`: fields of the listener. `manager`: fields of
    the connection manager. `filters`: HTTP filters, to stand before the router in this order. `router`: the router
    filter's configuration. `access_log`: logs of the connection manager, beside its own. `virtual_host`: for our
    hosts. `elsewhere`: `typed_per_filter_config` of every other virtual host, whose requests are not decided.
    `clusters`: to be added. `certificates` tells that the decision goes by client certificates, which the listener must
    have verified.
    """

    node: Mapping[str, Json]
    listener: Mapping[str, Json]
    manager: Mapping[str, Json]
    filters: tuple[Mapping[str, Json], ...]
    router: Mapping[str, Json]
    access_log: tuple[Mapping[str, Json], ...]
    virtual_host: Mapping[str, Json]
    elsewhere: Mapping[str, Json]
    clusters: tuple[Mapping[str, Json], ...]
    certificates: bool = False

    def text(self, *, heading: str = "") -> str:
        """Write the pieces for a person who merges them."""
        pieces: dict[str, Json] = {name: getattr(self, name) for name in PLACES}
        return write_yaml(pieces, heading=heading, reasons={**REASONS, **PLACES})


def render_fragment(tables: PolicyTables, reading: Reading, mesh: Mesh) -> Fragment:
    """Render the pieces. Raises ValueError as :func:`render_bootstrap` does."""
    whole = render_bootstrap(tables, reading, mesh)
    manager = fields_of(connection_manager(reading, mesh, tables.plan_length))
    filters = cast("list[Mapping[str, Json]]", manager["http_filters"])
    routes = cast("Mapping[str, list[Mapping[str, Json]]]", manager["route_config"])
    resources = cast("Mapping[str, list[Mapping[str, Json]]]", fields_of(whole)["static_resources"])
    router = cast("Mapping[str, Json]", filters[-1]["typed_config"])
    names = {each["name"] for each in filters}
    return Fragment(
        node={"id": "situs", "cluster": "situs"},
        listener={"per_connection_buffer_limit_bytes": buffered_bytes(reading, mesh)},
        manager={name: value for name, value in manager.items() if name not in _OWN},
        filters=tuple(filters[:-1]),
        router=router,
        access_log=tuple(cast("list[Mapping[str, Json]]", manager["access_log"])),
        virtual_host=routes["virtual_hosts"][0],
        elsewhere={
            name: {"@type": f"type.googleapis.com/{type_}", "disabled": True}
            for name, type_ in _PER_ROUTE.items()
            if name in names
        },
        clusters=tuple(resources["clusters"]),
        certificates=reading.certificates,
    )
