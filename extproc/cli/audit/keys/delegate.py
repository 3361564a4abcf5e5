"""`situs audit keys delegate`: what happens where the organisation's key is."""

import argparse
import sys
import time
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from extproc.cli.audit.keys.common import EXIT_CODES, ask_pin, raw, scope, span, unusable
from extproc.cli.exits import OK, USAGE, refuse
from extproc.notes.note import VerifierKey
from extproc.notes.signers import open_signer
from extproc.trust.ceremony import open_request
from extproc.trust.delegation import (
    Delegation,
    covers,
    format_delegation,
    format_delegations,
    name_issuer,
    parse_time,
    sign_delegation,
)

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_ABOUT: Final = """\
Where the organisation's key is: let the key of a request sign, and its successors after it.

Shows exactly what is about to be signed, and asks. Compare the verifier key with what the node's operator reads out to
you: the request came over a network, and its signature shows only that whoever wrote it has that key.

--signs is how long each key of the node may sign: the first one and every successor. The sidecar changes keys every day
by itself, so it has to be longer than that; and it is how long the node may stand still before this ceremony has to be
run again. --successors is when all of it ends at the latest."""
_EXAMPLES: Final = dedent(
    """\
    examples:
      situs audit keys delegate node-1.request --key acme.pem --name acme/prod --output node-1.delegations
      situs audit keys delegate node-1.request --name acme/prod --output node-1.delegations \\
          --signs 7d --successors 90d \\
          --key 'pkcs11:token=acme;object=org?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/root/pin'

    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = raw(
        commands, "delegate", "where the organisation's key is: answer a request", _ABOUT, _EXAMPLES + EXIT_CODES
    )
    parser.add_argument("request", type=Path, metavar="REQUEST", help="what `request` wrote on the node")
    parser.add_argument("--key", required=True, metavar="PLACE", help="the organisation's key: a file or a pkcs11: URI")
    parser.add_argument("--name", type=scope, required=True, help="the name of that key, as auditors have it")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="write the delegations there")
    parser.add_argument(
        "--signs", type=span, default=timedelta(hours=25), metavar="SPAN", help="how long each key signs (default: 25h)"
    )
    parser.add_argument(
        "--successors", type=span, default=timedelta(days=400), metavar="SPAN", help="when all ends (default: 400d)"
    )
    parser.add_argument("--from", dest="begin", metavar="TIME", help="as 2026-11-21T06:00:00Z (default: now)")
    parser.add_argument("--yes", action="store_true", help="sign without asking")
    parser.add_argument("--force", action="store_true", help="replace the file of --output")
    parser.set_defaults(run=unusable(run))


def run(args: argparse.Namespace) -> int:
    """Run `situs audit keys delegate`."""
    if args.output.exists() and not args.force:
        return refuse(f"{args.output}: exists. Mend: name another --output, or give --force to replace it", USAGE)
    if args.signs > args.successors:
        return refuse("--signs is longer than --successors. Mend: no key may sign after all of it ends", USAGE)
    asks = open_request(args.request.read_bytes())
    if not covers(args.name, asks.name):
        return refuse(f"{args.request}: asks for {asks.name}, and {args.name} may delegate only at or below its name")
    from_s = int(time.time()) if args.begin is None else parse_time(args.begin)
    with open_signer(args.key, ask=ask_pin()) as signer:
        issuer = VerifierKey(name=args.name, public=signer.public)
        delegation = Delegation(
            scope=asks.name,
            key=asks,
            from_s=from_s,
            until_s=from_s + int(args.signs.total_seconds()),
            successors_until_s=from_s + int(args.successors.total_seconds()),
            issuer=name_issuer(issuer),
        )
        print(f"{name_issuer(issuer)} is about to sign:\n\n{format_delegation(delegation)}")
        if not args.yes and not _agreed():
            return refuse("nothing was signed", USAGE)
        note = sign_delegation(delegation, signer=signer, issuer=issuer)
    args.output.write_bytes(format_delegations([note]))
    print(f"{args.output}: hand this back to the node")
    return OK


def _agreed() -> bool:
    if not sys.stdin.isatty():
        print("situs: nobody is here to ask. Mend: run this at a terminal, or give --yes", file=sys.stderr)
        return False
    return input("Sign this? Type yes: ") == "yes"
