"""The part `cells` of the section `kubernetes`: the regional cells as Kubernetes runs them.

This module is the manual of that part, as :mod:`extproc.mesh.kubernetes.section` is of the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from extproc.mesh.kubernetes.scalars import parse_image, parse_label_value, parse_network, parse_store
from extproc.mesh.scalars import parse_name, port_number
from extproc.strict_yaml import Table, Value, entries_of, integer, list_of, parsed, table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where else pods may connect to: a `network` (CIDR) and a TCP `port` there."""

    network: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """How the cells of every region are run. Leave it out where something else runs them.

    Each region is rendered into a folder of its own, because each is a cluster of its own in real life.

    `image`: of `situs-cell`; with a digest. `namespace` (situs-cells). `port` (8080): of every cell.

    `claim`: the volume claim that holds the model store, in that namespace of each region's cluster; mounted read-only
    by every cell, so of access mode ReadOnlyMany. `storage_uri` (`pvc://CLAIM`): where KServe takes the models from;
    anything else is copied into each pod when it starts, which `ways` must allow.

    `replicas` (2), `most` (8): how many cells a region has; the second is how far KServe scales by CPU.
    `cpu_millis` (1000), `memory_mib` (1024), `gpus` (0): of each cell. They depend on the models; measure yours.

    `gateways`: the networks from which gateways outside the cluster come (as the region's cluster sees them). Gateways
    in the same cluster are known by their labels.

    `nodes`: for each region the value that its nodes bear in the label `topology.kubernetes.io/region`. A folder that
    is applied to another region's cluster then starts nothing. Without it, nothing but care prevents that.

    `ways`: what cells may connect to; nothing, by default. A cell needs nobody.

    With `tls` in the mesh file each cell shows what is in the Secret `cell-REGION-tls` of its namespace, under the keys
    that cert-manager and others use: `tls.crt`, `tls.key` and `ca.crt`. It admits Envoy and the sidecar by their ids.
    """

    image: str
    claim: str
    namespace: str = "situs-cells"
    port: int = 8080
    storage_uri: str | None = None
    replicas: int = 2
    most: int = 8
    cpu_millis: int = 1000
    memory_mib: int = 1024
    gpus: int = 0
    gateways: tuple[str, ...] = ()
    nodes: Mapping[str, str] = field(default_factory=dict)
    ways: tuple[Way, ...] = ()

    @property
    def store(self) -> str:
        """Where KServe takes the models from."""
        return self.storage_uri or f"pvc://{self.claim}"


def read_way(table: Table) -> Way:
    """Read where else pods may connect to."""
    network = table.required("network", parsed(parse_network))
    port = table.required("port", port_number)
    return Way(network=network.value, port=port.value)


def read_cells(table: Table) -> Cells:
    """Read this part."""
    image = table.required("image", parsed(parse_image))
    claim = table.required("claim", parsed(parse_name))
    namespace = table.optional("namespace", parsed(parse_name), default="situs-cells")
    port = table.optional("port", integer(minimum=1024, maximum=65_535), default=8080)
    storage_uri = table.optional("storage_uri", parsed(parse_store), default=None)
    replicas = table.optional("replicas", integer(minimum=1, maximum=1000), default=2)
    most = table.optional("most", integer(minimum=1, maximum=1000), default=8)
    cpu_millis = table.optional("cpu_millis", integer(minimum=100, maximum=512_000), default=1000)
    memory_mib = table.optional("memory_mib", integer(minimum=128, maximum=4 << 20), default=1024)
    gpus = table.optional("gpus", integer(minimum=0, maximum=16), default=0)
    gateways = table.optional("gateways", list_of(parsed(parse_network)), default=())
    nothing: dict[str, str] = {}
    nodes = table.optional("nodes", entries_of(str, _read_node_label), default=nothing)
    ways = table.optional("ways", list_of(table_of(read_way)), default=())
    cells = Cells(
        image=image.value,
        claim=claim.value,
        namespace=namespace.value,
        port=port.value,
        storage_uri=storage_uri.value,
        replicas=replicas.value,
        most=most.value,
        cpu_millis=cpu_millis.value,
        memory_mib=memory_mib.value,
        gpus=gpus.value,
        gateways=gateways.value,
        nodes=nodes.value,
        ways=ways.value,
    )
    if cells.most < cells.replicas:
        table.value.complain("cells are scaled to fewer than there are", "make most at least replicas")
    if not cells.store.startswith("pvc://") and not cells.ways:
        table.value.complain(
            f"cells are to copy their models from {cells.store}, and may connect to nothing",
            "add 'ways: [{network: …, port: 443}]' for that store, or keep the models in the claim",
        )
    return cells


def _read_node_label(_region: str, value: Value) -> str:
    return parsed(parse_label_value)(value)
