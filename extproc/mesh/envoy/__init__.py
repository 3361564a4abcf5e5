"""Envoy's configuration as typed messages: one module for each thing that Envoy has.

Owns the choice of every field. The measurements behind the choices are in the project's Envoy notes, the reasons
beside the fields in the rendered YAML (:mod:`extproc.mesh.envoy.reasons`), the whole in the README beside the
reference. Reads no file and starts nothing.
"""

from extproc.mesh.envoy.bootstrap import Bootstrap, render_bootstrap
from extproc.mesh.envoy.secrets import render_secrets
from extproc.mesh.envoy.text import fields_of, format_bootstrap

__all__ = ["Bootstrap", "fields_of", "format_bootstrap", "render_bootstrap", "render_secrets"]
