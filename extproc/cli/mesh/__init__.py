"""`situs mesh`: attach the sidecar to a mesh with generated configurations, and prove that one cannot leak."""

from typing import TYPE_CHECKING

from extproc.cli.mesh import certs, check, render

if TYPE_CHECKING:
    import argparse
    from argparse import _SubParsersAction


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and what it can do."""
    parser = commands.add_parser(
        "mesh", help="attach the sidecar to Envoy", description="Attach the sidecar to Envoy, Istio or Kubernetes."
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (render, check, certs):
        module.register(actions)
