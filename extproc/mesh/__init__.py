"""The mesh side: from a policy and the operator's mesh file to an Envoy configuration that cannot leak.

Owns the mesh file (:mod:`extproc.mesh.section` is its manual), its parser and the rendering of Envoy's bootstrap. Owns
no decision and no traffic: what is rendered depends on the region list, the declared edge and what is read of a
request, not on who may use what, so a change of policy seldom needs a new Envoy configuration.

The path is `parse.load_mesh` (file to :class:`~extproc.mesh.section.Mesh`) → `envoy.render_bootstrap` (pure, typed
messages) → `envoy.format_bootstrap` (YAML with the reasons beside the fields). Nothing is imported here: the rendering
loads Envoy's whole configuration API, which takes a second, and the sidecar needs the mesh file only.
"""
