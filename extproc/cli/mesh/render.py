"""`situs mesh render`: the configuration of an Envoy, or the resources of a mesh, that cannot leak."""

import argparse
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from extproc.cli.exits import OK, USAGE, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Callable, Mapping

    from extproc.mesh.rendering import Rendering
    from extproc.mesh.section import Mesh
    from extproc.policy.compile import CompiledPolicy

    Render = Callable[[CompiledPolicy, Mesh, str, argparse.Namespace], Rendering]

DIFFERS: Final = 3
"""Exit code of `--diff` where something differs."""

_EPILOG = dedent(
    """\
    The policy gives the regions, the length of plans, the declared edge (trusted hops) and what is read of a request;
    the mesh file gives addresses, timeouts and limits. One cluster is made for each region, and one for each ordered
    plan over them, so a change of who may use what needs no new configuration. A policy needs one that has new regions
    or longer plans, declares another edge, reads headers, hosts, claims or client certificates that it did not read,
    begins or ends to read payloads, or reads more of each; and so does every change of the mesh file. A policy that
    reads payloads needs Envoy 1.38 or newer, and one that matches SPIFFE ids a listener that verifies certificates
    (`listener: {tls: {clients: …}}`).

    With TLS in the mesh file there are further files, sds-*.yaml, by which Envoy learns its certificates and reads
    them anew when they are replaced: use --directory, and put them where the mesh file's `directory` says.

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
      situs mesh render --for envoy --policy policy.yaml --mesh mesh.yaml --into my-envoy.yaml --output with-situs.yaml
      situs mesh render --for envoy --policy policy.yaml --mesh mesh.yaml --diff deployed/

    exit codes: 0 rendered, or nothing differs, 1 wrong usage, 3 something differs (--diff),
    78 the policy or the mesh file cannot be used
    """
)


def register(actions: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    render = actions.add_parser(
        "render",
        help="write the configuration of an Envoy, or of a mesh, that cannot leak",
        description="Write the configuration of an Envoy that asks the sidecar first and sends nothing without its "
        "answer. Each field that is not the default has its reason beside it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    render.add_argument(
        "--for", dest="target", choices=list(_TARGETS), required=True, help="what reads the configuration"
    )
    render.add_argument("--policy", type=Path, required=True, metavar="FILE", help="the policy, YAML")
    render.add_argument("--mesh", type=Path, required=True, metavar="FILE", help="the mesh file, YAML")
    where = render.add_mutually_exclusive_group()
    where.add_argument(
        "--output", type=Path, metavar="FILE", help="replaced whole, so nothing reads a half (default: standard output)"
    )
    where.add_argument("--directory", type=Path, metavar="DIR", help="write each file of the rendering into it")
    where.add_argument(
        "--diff", type=Path, metavar="DIR", help="write nothing: show what would change in the files of that directory"
    )
    envoy = render.add_argument_group("for envoy, where there is one already")
    envoy.add_argument(
        "--part",
        choices=["bootstrap", "fragment"],
        default="bootstrap",
        help="all of it, or the pieces that another one needs, each with its place (default: %(default)s)",
    )
    envoy.add_argument(
        "--into", type=Path, metavar="FILE", help="put the pieces into this configuration; its comments and order stay"
    )
    envoy.add_argument(
        "--listener",
        action="append",
        default=[],
        metavar="NAME",
        help="of that configuration, where several listeners take HTTP; again for each further one",
    )
    render.set_defaults(run=_render)


def _for_envoy(policy: "CompiledPolicy", mesh: "Mesh", heading: str, args: argparse.Namespace) -> "Rendering":
    from extproc.mesh.envoy import format_bootstrap, render_bootstrap, render_secrets
    from extproc.mesh.envoy.attach import attach
    from extproc.mesh.envoy.fragment import render_fragment
    from extproc.mesh.rendering import Rendering

    secrets = render_secrets(mesh, heading=heading)
    if args.into is not None:
        fragment = render_fragment(policy.tables, policy.reading, mesh)
        return Rendering(files={args.into.name: attach(args.into, fragment, listeners=args.listener), **secrets})
    if args.part == "fragment":
        fragment = render_fragment(policy.tables, policy.reading, mesh)
        return Rendering(files={"envoy-fragment.yaml": fragment.text(heading=heading), **secrets})
    rendered = render_bootstrap(policy.tables, policy.reading, mesh)
    return Rendering(files={"envoy.yaml": format_bootstrap(rendered, heading=heading), **secrets})


def _for_istio(policy: "CompiledPolicy", mesh: "Mesh", heading: str, _args: argparse.Namespace) -> "Rendering":
    from extproc.mesh.istio.render import render_istio

    return render_istio(policy, mesh, heading)


def _for_envoy_gateway(policy: "CompiledPolicy", mesh: "Mesh", heading: str, _args: argparse.Namespace) -> "Rendering":
    from extproc.mesh.gateway_api.render import render_gateway_api

    return render_gateway_api(policy, mesh, heading)


def _for_kubernetes(policy: "CompiledPolicy", mesh: "Mesh", heading: str, args: argparse.Namespace) -> "Rendering":
    from extproc.mesh.kubernetes.render import render_kubernetes, with_sources

    rendering = render_kubernetes(policy, mesh, heading)
    return with_sources(
        rendering, policy=args.policy.read_text(encoding="utf-8"), mesh=args.mesh.read_text(encoding="utf-8")
    )


_TARGETS: "Mapping[str, Render]" = {
    "envoy": _for_envoy,
    "istio": _for_istio,
    "envoy-gateway": _for_envoy_gateway,
    "kubernetes": _for_kubernetes,
}


def _render(args: argparse.Namespace) -> int:
    from extproc.mesh.envoy.attach import AttachError
    from extproc.mesh.parse import load_mesh
    from extproc.mesh.rendering import replace_file
    from extproc.policy.load import load_policy
    from extproc.strict_yaml import DocumentError

    if args.target != "envoy" and (args.into or args.listener or args.part != "bootstrap"):
        return refuse("--part, --into and --listener go with --for envoy. Mend: leave them out", USAGE)
    try:
        policy = load_policy(args.policy)
        mesh = load_mesh(args.mesh, policy.tables, policy.reading)
        heading = (
            f"Rendered by `situs mesh render` from {args.policy.name} ({policy.tables.revision}) and {args.mesh.name}."
        )
        rendering = _TARGETS[args.target](policy, mesh, heading, args)
    except (AttachError, DocumentError, ValueError) as error:
        return refuse(error)
    except OSError as error:
        return refuse(f"{error.filename} cannot be read ({error.strerror}). Mend: name a file that is there")
    if args.output is not None and args.target == "envoy" and len(rendering.files) > 1:
        return refuse(f"there are {len(rendering.files)} files, {', '.join(rendering.files)}. Mend: use --directory")
    try:
        if args.diff is not None:
            lines = list(rendering.differences(args.diff))
            sys.stdout.writelines(lines)
            return DIFFERS if lines else OK
        if args.output is not None:
            replace_file(args.output, rendering.text())
        elif args.directory is not None:
            rendering.write(args.directory)
        else:
            sys.stdout.write(rendering.text())
    except OSError as error:
        where = args.output or args.directory or args.diff
        return refuse(f"{where} cannot be read or written ({error.strerror}). Mend: check the directory and its mode")
    return OK
