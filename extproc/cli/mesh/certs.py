"""`situs mesh certs`: certificates for the demo and for tests, by an authority that is made on the spot."""

import argparse
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from extproc.cli.exits import OK, USAGE, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.mesh.certs import Layout

_MOST_DAYS: Final = 30
_TRUST_DOMAIN: Final = re.compile(r"(?=.{1,255}\Z)[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_REGION: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")

_LOUD: Final = "FOR TESTS ONLY. Whoever reads these keys can be any of these peers, and nothing renews them."

_EPILOG = dedent(
    """\
    FOR THE DEMO AND FOR TESTS ONLY. The authority is made on the spot, signs for a day, and forgets its key. A real
    mesh has an authority that renews what it signs (SPIRE, Istio, cert-manager): use that one.

    With --region: listener, envoy, sidecar, cell-REGION and client, each .pem and .key, and authorities.pem, with ids
    like spiffe://demo.situs/envoy and spiffe://demo.situs/cells/eu-fra. With --policy and --mesh: what the mesh file
    names, at the paths that it names, and in DIR what it has no path for: the sidecar's and the cells' own, and a
    client for each SPIFFE id that the policy matches. Nothing is written over: to try a rotation, make others in
    another DIR and rename them over these.

    examples:
      situs mesh certs --directory certs --region eu-fra --region us-iad
      situs mesh certs --directory certs --policy policy.yaml --mesh mesh.yaml
      curl --cacert certs/authorities.pem --cert certs/client.pem --key certs/client.key https://localhost:10000/

    exit codes: 0 written, 1 wrong usage, 78 a file is there already, or cannot be written, or the policy or the mesh
    file cannot be used
    """
)


def register(actions: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    certs = actions.add_parser(
        "certs",
        help="make certificates for the demo and for tests, and for nothing else",
        description=f"Make a local authority and a certificate for each peer. {_LOUD}",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    certs.add_argument("--directory", type=Path, required=True, metavar="DIR", help="where the files go")
    certs.add_argument("--region", action="append", default=[], metavar="ID", help="a region with cells; repeatable")
    certs.add_argument("--policy", type=Path, metavar="FILE", help="in place of --region, with --mesh: the policy")
    certs.add_argument("--mesh", type=Path, metavar="FILE", help="the mesh file, whose paths and ids are used")
    certs.add_argument(
        "--trust-domain", default="demo.situs", metavar="NAME", help="with --region (default: %(default)s)"
    )
    certs.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host by which clients know the listener, besides localhost; repeatable",
    )
    certs.add_argument(
        "--days", type=float, default=1.0, metavar="N", help=f"until they end, at most {_MOST_DAYS} (default: 1)"
    )
    certs.add_argument(
        "--keep-ca", action="store_true", help="write the authority's key too: whoever has it can be anybody"
    )
    certs.set_defaults(run=_certs)


def _certs(args: argparse.Namespace) -> int:
    from extproc.mesh.certs import TakenError, write_certificates
    from extproc.strict_yaml import DocumentError

    fault = _fault(args)
    if fault is not None:
        return refuse(fault, USAGE)
    at = datetime.now(UTC)
    lifetime = timedelta(days=args.days)
    try:
        layout = _layout(args)
        write_certificates(layout, at=at, lifetime=lifetime, keep_authority=args.keep_ca)
    except (DocumentError, TakenError, ValueError) as error:
        return refuse(error)
    except OSError as error:
        return refuse(f"{error.filename} cannot be written ({error.strerror}). Mend: check the directory and its mode")
    _report(layout, at + lifetime, kept=args.keep_ca)
    return OK


def _fault(args: argparse.Namespace) -> str | None:
    """Tell what is wrong with the options, if anything is."""
    if bool(args.region) == bool(args.policy or args.mesh) or bool(args.policy) != bool(args.mesh):
        return "for which peers? Mend: give --region, once or more, or both --policy and --mesh"
    if not 0 < args.days <= _MOST_DAYS:
        return f"--days {args.days:g} is out of bounds. Mend: more than 0 and at most {_MOST_DAYS}; these are for tests"
    if not _TRUST_DOMAIN.fullmatch(args.trust_domain):
        return f"'{args.trust_domain}' is no trust domain. Mend: write it like demo.situs"
    for region in args.region:
        if not _REGION.fullmatch(region):
            return f"'{region}' is no region's id. Mend: write it like eu-fra"
    return None


def _layout(args: argparse.Namespace) -> "Layout":
    from extproc.mesh.certs import layout_of_mesh, layout_of_regions
    from extproc.mesh.parse import load_mesh
    from extproc.policy.load import load_policy

    if args.region:
        return layout_of_regions(args.directory, args.trust_domain, list(dict.fromkeys(args.region)), hosts=args.host)
    policy = load_policy(args.policy)
    mesh = load_mesh(args.mesh, policy.tables, policy.reading)
    return layout_of_mesh(args.directory, mesh, policy.reading.bindings, hosts=args.host)


def _report(layout: "Layout", ends_at: datetime, *, kept: bool) -> None:
    out = sys.stdout
    for leaf in layout.leaves:
        names = leaf.hosts if leaf.identity is None else (leaf.identity, *leaf.hosts)
        out.write(f"{leaf.certificate}  {', '.join(names)}\n")
    for path in layout.authorities:
        out.write(f"{path}  the authority's own certificate\n")
    if kept:
        out.write(f"{layout.authority_key}  the authority's KEY: whoever has it can be anybody\n")
    out.write(f"\n{_LOUD} They end at {ends_at:%Y-%m-%d %H:%M} UTC.\n")
