"""The resources of an Istio mesh, from the policy and the mesh file. Pure."""

from collections.abc import Iterable, Mapping

from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.mesh.istio.cells import region_resources
from extproc.mesh.istio.gateway import gateway_attachment, gateway_resources
from extproc.mesh.istio.injection import deployment_patch, injection_template
from extproc.mesh.istio.network import network_policies
from extproc.mesh.istio.outbound import no_passage, outbound_attachment, outbound_resources
from extproc.mesh.istio.patches import attachment_filter
from extproc.mesh.istio.reasons import RESOURCE_REASONS
from extproc.mesh.istio.section import IstioMesh, OutboundAttachment
from extproc.mesh.istio.security import security_resources
from extproc.mesh.rendering import Rendering
from extproc.mesh.section import Mesh
from extproc.mesh.yaml_text import Json, write_yaml
from extproc.policy.compile import CompiledPolicy


def render_istio(policy: CompiledPolicy, mesh: Mesh, heading: str) -> Rendering:
    """Render the resources. Raises ValueError, with the mend, where policy and mesh file do not fit an Istio mesh."""
    return render_tables(policy.tables, policy.reading, mesh, heading)


def render_tables(tables: PolicyTables, reading: Reading, mesh: Mesh, heading: str) -> Rendering:
    """Render the resources for a policy's tables and reading, which are all of a policy that counts here."""
    istio = _checked(tables, reading, mesh)
    files: dict[str, str] = {"regions.yaml": _documents(region_resources(tables.regions, mesh, istio), heading)}
    if istio.gateway is not None:
        attached = attachment_filter(gateway_attachment(istio.gateway, mesh), tables, reading, mesh, istio)
        files["gateway.yaml"] = _documents([*gateway_resources(istio.gateway, mesh), attached], heading)
    if istio.outbound is not None:
        filters = [
            attachment_filter(
                outbound_attachment(istio.outbound, namespace),
                tables,
                reading,
                mesh,
                istio,
                more=list(no_passage(istio.outbound)),
            )
            for namespace in istio.outbound.namespaces
        ]
        files["outbound.yaml"] = _documents([*outbound_resources(istio.outbound, mesh, istio), *filters], heading)
    files["security.yaml"] = _documents(security_resources(mesh, istio), heading)
    if policies := list(network_policies(mesh, istio)):
        files["network.yaml"] = _documents(policies, heading)
    if istio.sidecar is not None:
        template, patch = (
            injection_template(reading, mesh, istio, istio.sidecar),
            deployment_patch(reading, mesh, istio, istio.sidecar),
        )
        files["injection.yaml"] = write_yaml(template, heading=heading, reasons=RESOURCE_REASONS)
        files["deployment-patch.yaml"] = write_yaml(patch, heading=heading, reasons=RESOURCE_REASONS)
    return Rendering(files=files)


def _documents(resources: Iterable[Mapping[str, Json]], heading: str) -> str:
    """Write resources as one stream, each with the reasons of its own fields."""
    return "---\n".join(
        write_yaml(each, heading=heading if index == 0 else "", reasons=RESOURCE_REASONS)
        for index, each in enumerate(resources)
    )


def _checked(tables: PolicyTables, reading: Reading, mesh: Mesh) -> IstioMesh:
    if mesh.istio is None:
        raise ValueError("the mesh file does not say where in Istio to attach. Mend: add 'istio: {}' to it")
    ids = {region.id for region in tables.regions}
    if ids != set(mesh.regions):
        differing = ", ".join(sorted(ids ^ set(mesh.regions)))
        raise ValueError(f"the policy and the mesh file differ in regions: {differing}. Mend: list the same in both")
    istio = mesh.istio
    if istio.tokens is not None and mesh.jwt is None:
        raise ValueError("istio.tokens has keys, and nothing says whose. Mend: add 'jwt:' with issuer and audiences")
    if (
        istio.gateway is not None
        and reading.certificates
        and (mesh.listener_tls is None or not mesh.listener_tls.clients)
    ):
        raise ValueError(
            "the policy matches SPIFFE ids, and nothing verifies client certificates. "
            "Mend: add 'clients:' to listener.tls, the authorities of that trust domain"
        )
    if istio.outbound is not None:
        _check_outbound(istio.outbound, tables, reading)
    return istio


def _check_outbound(outbound: OutboundAttachment, tables: PolicyTables, reading: Reading) -> None:
    """See that the policy can place what an application sends: its proxy sees the pod's own address."""
    if reading.trusted_hops > 0:
        raise ValueError(
            f"the policy counts {reading.trusted_hops} proxies in front of Envoy, and the proxies of {outbound.host} "
            "have the application in front, which would write the client's address as it likes. Mend: render "
            "istio.outbound with a policy of its own, with ingress.edge.trusted_hops: 0"
        )
    if reading.certificates:
        raise ValueError(
            "the policy matches SPIFFE ids, and an application shows no certificate to its own proxy. Mend: match a "
            "claim of its token for istio.outbound, or leave the decision to a gateway"
        )
    if reading.geo is not None and not reading.claims and not tables.assume:
        raise ValueError(
            "the policy places a request by its address alone, and for istio.outbound that is the pod's own, which is "
            "in no country: every request would be refused. Mend: match tenants by claims and read a residency claim, "
            "or say in signals.geoip what an unknown address counts as"
        )
