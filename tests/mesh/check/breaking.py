"""How to break one rule: what is rendered before, what is changed then, and the field that is to be named."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from mesh.check.rendered import CERTIFICATES, JWT, Fields, Rendered
from mesh.example import READING, mesh_of

from extproc.core.ids import RegionId
from extproc.core.reading import Reading
from extproc.mesh.section import Mesh, PeerTls

TYPES: Final = "type.googleapis.com/"
HTTP: Final = f"{TYPES}envoy.extensions.filters.http"
LISTENER: Final = "static_resources.listeners[0]"
MANAGER: Final = f"{LISTENER}.filter_chains[0].filters[0].typed_config"
HOST: Final = f"{MANAGER}.route_config.virtual_hosts[0]"
ROUTE: Final = f"{HOST}.routes[0]"
DECISION: Final = f"{MANAGER}.http_filters[0].typed_config"
JWT_FILTER: Final = f"{MANAGER}.http_filters[1].typed_config"
PROVIDER: Final = f"{JWT_FILTER}.providers.situs_tokens"
C0: Final = "static_resources.clusters[0]"
SIDECAR: Final = "static_resources.clusters[3]"
PLAN: Final = "static_resources.clusters[4]"

Break = Callable[[Rendered], None]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One rule, how to break it, and the path that is to be named; `reading` and `mesh` of what is rendered before."""

    rule: str
    path: str
    breaks: Break
    reading: Reading = READING
    mesh: Callable[[], Mesh] = lambda: mesh_of([9001, 9002, 9003])

    def render(self) -> Rendered:
        rendered = Rendered(reading=self.reading, mesh=self.mesh())
        self.breaks(rendered)
        return rendered


def with_tokens() -> Mesh:
    return replace(mesh_of([9001, 9002, 9003]), jwt=JWT)


def with_workers() -> Mesh:
    return replace(mesh_of([9001, 9002, 9003]), workers=3)


def put(at: Callable[[Rendered], Fields], **values: object) -> Break:
    """Set fields of a part."""
    return lambda rendered: at(rendered).update(values)


def drop(at: Callable[[Rendered], Fields], name: str) -> Break:
    """Remove a field of a part."""
    return lambda rendered: at(rendered).pop(name)


def without(at: Callable[[Rendered], list[Any]], item: object) -> Break:
    """Remove an element of a list."""
    return lambda rendered: at(rendered).remove(item)


def insert(name: str, type_: str, at: int = 1, **config: object) -> Break:
    """Insert an HTTP filter; by default behind the decision."""
    one = {"name": name, "typed_config": {"@type": TYPES + type_, **config}}
    return lambda rendered: rendered.manager["http_filters"].insert(at, one)


def per_route(config: Mapping[str, Any], level: str = "route") -> Break:
    """Say something about the decision's filter on the route by plan, or above it."""

    def breaks(rendered: Rendered) -> None:
        levels = {
            "route": rendered.by_plan,
            "host": rendered.host,
            "routes": rendered.manager["route_config"],
            "refusal": rendered.host["routes"][-1],
        }
        levels[level]["typed_per_filter_config"] = {"envoy.filters.http.ext_proc": config}

    return breaks


def of_route(**fields: object) -> dict[str, object]:
    return {"@type": f"{HTTP}.ext_proc.v3.ExtProcPerRoute", **fields}


def first_route(**action: object) -> Break:
    """Put a route before all others."""
    route = {"name": "straight", "match": {"prefix": "/straight"}, "route": action}
    return lambda rendered: rendered.host["routes"].insert(0, route)


def one_more_listener(**network: object) -> Break:
    def breaks(rendered: Rendered) -> None:
        listener = {"name": "other", "filter_chains": [{"filters": [{"name": "x", "typed_config": network}]}]}
        rendered.fields["static_resources"]["listeners"].append(listener)

    return breaks


def endpoint(port: int, host: str = "127.0.0.1") -> Fields:
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}


def one_more_cell(cluster: str, port: int) -> Break:
    def breaks(rendered: Rendered) -> None:
        rendered.cluster(cluster)["load_assignment"]["endpoints"].append({"lb_endpoints": [endpoint(port)]})

    return breaks


def aggregate(*clusters: str) -> Break:
    def breaks(rendered: Rendered) -> None:
        rendered.cluster("c0>c1")["cluster_type"]["typed_config"]["clusters"] = list(clusters)

    return breaks


def decision(rendered: Rendered) -> Fields:
    return rendered.decision


def manager(rendered: Rendered) -> Fields:
    return rendered.manager


def by_plan(rendered: Rendered) -> Fields:
    return rendered.by_plan


def action(rendered: Rendered) -> Fields:
    found: Fields = rendered.by_plan["route"]
    return found


def c0(rendered: Rendered) -> Fields:
    return rendered.cluster("c0")


def provider(rendered: Rendered) -> Fields:
    found: Fields = rendered.filter("jwt_authn")["typed_config"]["providers"]["situs_tokens"]
    return found


def mode(rendered: Rendered) -> Fields:
    found: Fields = rendered.decision["processing_mode"]
    return found


def upstream_log(rendered: Rendered) -> Fields:
    found: Fields = rendered.filter("router")["typed_config"]["upstream_log"][0]
    return found


def jwt_to_the_back(rendered: Rendered) -> None:
    filters = rendered.manager["http_filters"]
    filters.insert(2, filters.pop(1))


def no_credentials(rendered: Rendered) -> None:
    rendered.manager["http_filters"].pop(0)


def no_decision(rendered: Rendered) -> None:
    rendered.manager["http_filters"].pop(0)


def wrapped_decision(rendered: Rendered) -> None:
    one = rendered.manager["http_filters"][0]
    one["typed_config"] = {
        "@type": f"{TYPES}envoy.extensions.common.matching.v3.ExtensionWithMatcher",
        "extension_config": {"name": "ext_proc", "typed_config": one["typed_config"]},
    }


def no_reroute(rendered: Rendered) -> None:
    rendered.manager["http_filters"].remove(rendered.filter("set_filter_state"))


def no_route_by_plan(rendered: Rendered) -> None:
    rendered.host["routes"].pop(0)


def no_cluster(name: str) -> Break:
    def breaks(rendered: Rendered) -> None:
        rendered.clusters.remove(rendered.cluster(name))

    return breaks


def no_region(rendered: Rendered) -> None:
    rendered.clusters.remove(rendered.cluster("c2"))


def forget_a_cell(rendered: Rendered) -> None:
    first = rendered.mesh.regions[RegionId("r0")]
    more = replace(first, endpoints=(*first.endpoints, replace(first.endpoints[0], port=9011)))
    rendered.mesh = replace(rendered.mesh, regions={**rendered.mesh.regions, RegionId("r0"): more})


def tls_in_the_mesh(rendered: Rendered) -> None:
    """The mesh file asks for identities, and the cluster of one region was rendered before that."""
    ids = {region: f"spiffe://acme.example/{region}" for region in rendered.mesh.regions}
    rendered.mesh = replace(
        rendered.mesh,
        tls=PeerTls(certificate="/c", key="/k", authorities="/a", identity="spiffe://acme.example/envoy"),
        regions={region: replace(held, identity=ids[region]) for region, held in rendered.mesh.regions.items()},
    )
    for name, region in (("c1", "r1"), ("c2", "r2")):
        rendered.cluster(name)["transport_socket"] = tls_socket(ids[RegionId(region)])


def tls_socket(identity: str, **context: object) -> Fields:
    names = [{"san_type": "URI", "matcher": {"exact": identity}}]
    held = {"trusted_ca": {"filename": "/a"}, "match_typed_subject_alt_names": names, **context}
    return {
        "name": "tls",
        "typed_config": {
            "@type": f"{TYPES}envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": {"validation_context": held},
        },
    }


def unplain(rendered: Rendered) -> None:
    rendered.cluster("c0")["transport_socket"] = {
        "name": "tunnel",
        "typed_config": {
            "@type": f"{TYPES}envoy.extensions.transport_sockets.http_11_proxy.v3.Http11ProxyUpstreamTransport"
        },
    }


def certificates_without_tls(rendered: Rendered) -> None:
    """The listener was rendered before the policy matched SPIFFE ids, but the attribute is asked for."""
    rendered.reading = CERTIFICATES
    rendered.decision["request_attributes"].append("connection.uri_san_peer_certificate")
