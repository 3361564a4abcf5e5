"""Attachment to an Istio mesh: resources of Istio and Kubernetes, rendered from the policy and the mesh file.

Owns the section `istio` of the mesh file and the rendering (:func:`extproc.mesh.istio.render.render_istio`). What goes
into Envoy is made by the functions of :mod:`extproc.mesh.envoy`, so that an Istio proxy asks, routes and retries as an
Envoy of our own does. The README beside this file says what was tried with a real istiod, and how.
"""
