"""`situs audit keys request` and `install`: what happens on the node."""

import argparse
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from extproc.cli.audit.keys.common import EXIT_CODES, raw, read_roots, scope, unusable, write_new
from extproc.cli.exits import OK
from extproc.notes.note import format_vkey
from extproc.trust.ceremony import install, make_request, open_request
from extproc.trust.delegation import format_time, name_issuer, parse_delegations

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_REQUEST: Final = """\
On the node: make the key that is to sign next, and the request for it.

The private key waits beside --key, as KEY.requested, mode 0600, and never leaves the node. A key that signs already
goes on until the answer is installed. The request is public; its signature shows that the node has the private key.
Prints the new public key: read it out to whoever delegates. Running this again gives the same request."""
_REQUEST_END: Final = dedent(
    """\
    example:
      situs audit keys request --key /etc/situs/log.pem --scope acme/prod/eu/node-1/0 --output node-1.request

    The scope is ORG/ENV/REGION/NODE/WORKER, as `situs serve` has it: the origin of the logs without the incarnation.

    """
)
_INSTALL: Final = """\
On the node: take the answer to a request, after checking that it leads from the organisation's key to this node's.

The delegations and the organisation's public key come to lie beside --key. The key that was requested takes the place
of the one before, whose private half is overwritten. Stop the sidecar first; the next start signs by the new key. May
be run again after it was cut off."""
_INSTALL_END: Final = dedent(
    """\
    example:
      situs audit keys install node-1.delegations --key /etc/situs/log.pem --root acme.pem.vkey

    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    request = raw(
        commands, "request", "on the node: make a key, and the request for it", _REQUEST, _REQUEST_END + EXIT_CODES
    )
    request.add_argument("--key", type=Path, required=True, metavar="FILE", help="the key of `situs serve`")
    request.add_argument("--scope", type=scope, required=True, help="the logs that the key is to sign")
    request.add_argument("--output", type=Path, required=True, metavar="FILE", help="write the request there")
    request.add_argument("--force", action="store_true", help="replace the file of --output")
    request.set_defaults(run=unusable(_request))
    answer = raw(commands, "install", "on the node: take the answer", _INSTALL, _INSTALL_END + EXIT_CODES)
    answer.add_argument("delegations", type=Path, metavar="DELEGATIONS", help="what `delegate` wrote")
    answer.add_argument("--key", type=Path, required=True, metavar="FILE", help="the key of `situs serve`")
    answer.add_argument(
        "--root", type=Path, required=True, action="append", metavar="VKEY", help="the organisation's public key"
    )
    answer.set_defaults(run=unusable(_install))


def _request(args: argparse.Namespace) -> int:
    note = make_request(args.key, scope=args.scope)
    print(format_vkey(open_request(note)))
    return write_new(args.output, note, force=args.force)


def _install(args: argparse.Namespace) -> int:
    given = install(args.key, delegations=parse_delegations(args.delegations.read_bytes()), roots=read_roots(args.root))
    print(
        f"{name_issuer(given.key)} signs {given.scope}\n"
        f"from {format_time(given.from_s)} until {format_time(given.until_s)}, "
        f"its successors until {format_time(given.successors_until_s)}"
    )
    return OK
