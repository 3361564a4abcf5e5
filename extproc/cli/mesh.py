"""`situs mesh`: attach the sidecar to Envoy with a generated configuration."""

import argparse
import os
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import OK, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_EPILOG = dedent(
    """\
    The policy gives the regions, the length of plans, the declared edge (trusted hops) and what is read of a request;
    the mesh file gives addresses, timeouts and limits. One cluster is made for each region, and one for each ordered
    plan over them, so a change of who may use what needs no new configuration. A policy needs one that has new regions
    or longer plans, declares another edge, reads headers, hosts, claims or client certificates that it did not read,
    begins or ends to read payloads, or reads more of each; and so does every change of the mesh file. A policy that
    reads payloads needs Envoy 1.38 or newer, and one that matches SPIFFE ids a listener that verifies certificates:
    TLS is not rendered.

    A mesh file in full, where the policy reads no token claims (each field is explained in extproc/mesh/section.py):
      apiVersion: situs/v1
      listener: {address: 0.0.0.0, port: 10000}
      sidecar: {unix: /run/situs/situs.sock}
      regions:
        eu-fra: {endpoints: ["10.0.1.5:9001", "10.0.1.6:9001"]}
        eu-ams: {endpoints: ["cells.ams.example:9001"]}

    examples:
      situs mesh render --for envoy --policy policy.yaml --mesh mesh.yaml --output envoy.yaml
      envoy --mode validate --config-path envoy.yaml

    exit codes: 0 rendered, 1 wrong usage, 78 the policy or the mesh file cannot be used
    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and what it can do."""
    parser = commands.add_parser("mesh", help="attach the sidecar to Envoy", description="Attach the sidecar to Envoy.")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    render = actions.add_parser(
        "render",
        help="write the configuration of an Envoy that cannot leak",
        description="Write the configuration of an Envoy that asks the sidecar first and sends nothing without its "
        "answer. Each field that is not Envoy's default has its reason beside it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    render.add_argument("--for", dest="target", choices=["envoy"], required=True, help="what reads the configuration")
    render.add_argument("--policy", type=Path, required=True, metavar="FILE", help="the policy, YAML")
    render.add_argument("--mesh", type=Path, required=True, metavar="FILE", help="the mesh file, YAML")
    render.add_argument(
        "--output", type=Path, metavar="FILE", help="replaced whole, so nothing reads a half (default: standard output)"
    )
    render.set_defaults(run=_render)


def _render(args: argparse.Namespace) -> int:
    from extproc.mesh.envoy import format_bootstrap, render_bootstrap
    from extproc.mesh.parse import load_mesh
    from extproc.policy.load import load_policy
    from extproc.strict_yaml import DocumentError

    try:
        policy = load_policy(args.policy)
        mesh = load_mesh(args.mesh, policy.tables, policy.reading)
        rendered = render_bootstrap(policy.tables, policy.reading, mesh)
    except (DocumentError, ValueError) as error:
        return refuse(error)
    heading = (
        f"Rendered by `situs mesh render` from {args.policy.name} ({policy.tables.revision}) and {args.mesh.name}."
    )
    text = format_bootstrap(rendered, heading=heading)
    if args.output is None:
        sys.stdout.write(text)
        return OK
    try:
        _replace(args.output, text)
    except OSError as error:
        return refuse(f"{args.output} cannot be written ({error.strerror}). Mend: check the directory and its mode")
    return OK


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
