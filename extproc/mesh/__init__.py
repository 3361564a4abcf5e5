"""The mesh side: from a policy and the operator's mesh file to an Envoy configuration that cannot leak.

Owns the mesh file (:mod:`extproc.mesh.section` is its manual), its parser and the rendering of Envoy's bootstrap. Owns
no decision and no traffic: what is rendered depends on the region list and the declared edge, not on who may use what,
so a change of policy seldom needs a new Envoy configuration.

The path is `load_mesh` (file to :class:`~extproc.mesh.section.Mesh`) → `render_bootstrap` (pure, typed messages) →
`format_bootstrap` (YAML with the reasons beside the fields).
"""

from extproc.mesh.envoy import format_bootstrap, render_bootstrap
from extproc.mesh.parse import load_mesh
from extproc.mesh.section import Mesh

__all__ = ["Mesh", "format_bootstrap", "load_mesh", "render_bootstrap"]
