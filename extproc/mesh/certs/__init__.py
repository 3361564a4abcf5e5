"""A local certificate authority for the demo and the tests, and for nothing else.

Owns what `situs mesh certs` makes: an authority that lives for a day, and a certificate with a SPIFFE id for each peer
of a mesh. A real mesh has an authority already (SPIRE, Istio, cert-manager), which also renews what it signs. This one
renews nothing, forgets its key unless told otherwise, and writes in every certificate what it is for.
"""

from extproc.mesh.certs.authority import PURPOSE, Leaf, LocalAuthority
from extproc.mesh.certs.layout import Layout, Wanted, layout_of_mesh, layout_of_regions
from extproc.mesh.certs.store import TakenError, write_certificates

__all__ = [
    "PURPOSE",
    "Layout",
    "Leaf",
    "LocalAuthority",
    "TakenError",
    "Wanted",
    "layout_of_mesh",
    "layout_of_regions",
    "write_certificates",
]
