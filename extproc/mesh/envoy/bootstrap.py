"""The whole configuration of one Envoy, from the policy and the mesh file. Pure."""

from extproc.core.reading import Reading
from extproc.core.steering import PLAN_SEPARATOR
from extproc.core.tables import PolicyTables
from extproc.mesh.envoy.addresses import address_of
from extproc.mesh.envoy.api import bootstrap, connection_limit, core, overload, packed
from extproc.mesh.envoy.clusters import region_cluster, sidecar_cluster
from extproc.mesh.envoy.edge import edge_listener
from extproc.mesh.envoy.plans import plan_clusters
from extproc.mesh.section import Mesh
from extproc.names import SIDECAR_CLUSTER

Bootstrap = bootstrap.Bootstrap


def render_bootstrap(tables: PolicyTables, reading: Reading, mesh: Mesh) -> Bootstrap:
    """Render the configuration of an Envoy that asks the sidecar first and sends nothing without its answer.

    Raises ValueError where the regions of the policy and of the mesh differ, a cluster's name is not usable, or the
    policy goes by certificates that nobody would verify.
    """
    _check(tables, mesh)
    _check_certificates(reading, mesh)
    names = [region.cluster for region in tables.regions]
    return Bootstrap(
        # Sent with every access log stream; nothing is asked of a control plane.
        node=core.Node(id="situs", cluster="situs"),
        admin=bootstrap.Admin(address=address_of(mesh.admin), ignore_global_conn_limit=True),
        overload_manager=_connection_limit(mesh.limits.connections),
        static_resources=bootstrap.BootstrapStaticResources(
            listeners=[edge_listener(reading, mesh, tables.plan_length)],
            clusters=[
                *(region_cluster(region, mesh) for region in tables.regions),
                sidecar_cluster(mesh),
                *plan_clusters(names, tables.plan_length, mesh),
            ],
        ),
    )


def _connection_limit(connections: int) -> overload.OverloadManager:
    limit = connection_limit.DownstreamConnectionsConfig(max_active_downstream_connections=connections)
    return overload.OverloadManager(
        resource_monitors=[
            overload.ResourceMonitor(
                name="envoy.resource_monitors.global_downstream_max_connections", typed_config=packed(limit)
            )
        ]
    )


def _check(tables: PolicyTables, mesh: Mesh) -> None:
    ids = {region.id for region in tables.regions}
    if ids != set(mesh.regions):
        differing = ", ".join(sorted(ids ^ set(mesh.regions)))
        raise ValueError(f"the policy and the mesh file differ in regions: {differing}. Mend: list the same in both")
    names = [SIDECAR_CLUSTER, *(region.cluster for region in tables.regions)]
    for name in names:
        if not name or PLAN_SEPARATOR in name or names.count(name) > 1:
            raise ValueError(f"the cluster name '{name}' is taken or not usable. Mend: give each region its own name")


def _check_certificates(reading: Reading, mesh: Mesh) -> None:
    """See that a certificate that binds to a tenant is verified.

    ENVOY: one that nobody verified gives the attribute too, so anybody could name any tenant's id (measured).
    """
    if reading.certificates and (mesh.listener_tls is None or mesh.listener_tls.clients is None):
        raise ValueError(
            "the policy matches SPIFFE ids of client certificates, and the listener verifies none. Mend: add to "
            "the mesh file's listener 'tls: {certificate: …, key: …, clients: …}', where 'clients' is the file of the "
            "authority of the trust domain that the policy names"
        )
