"""`situs audit keys show`: who may sign what, and when."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from extproc.cli.audit.keys.common import EXIT_CODES, raw, read_roots, unusable
from extproc.cli.exits import OK
from extproc.ledger.signing import DELEGATIONS, LOG_VKEY
from extproc.notes.keys import load_key, load_vkeys
from extproc.notes.note import VerifierKey, format_vkey
from extproc.trust.chain import links
from extproc.trust.delegation import HEADER, Delegation, format_time, name_issuer, read_delegation
from extproc.trust.delegation_file import load_delegations
from extproc.trust.ring_files import delegations_of, root_of

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_PIPE_WIDTH: Final = 200
_ABOUT: Final = """\
Show keys and who let them sign: of a private key file with what lies beside it, a .vkey file, a file of delegations, or
the folder of a log. Of a private key only the public half is shown.

With --root, or beside a key, every delegation is checked from the root on, and the first that does not hold is an
error. Without a root they are shown as they are, unproven."""
_EXAMPLES: Final = dedent(
    """\
    examples:
      situs audit keys show /etc/situs/log.pem
      situs audit keys show /var/lib/situs/node-1/0/000001-5f3a90c2 --root acme.pem.vkey
      situs audit keys show node-1.delegations --root acme.pem.vkey --json

    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What lies at a place: public keys, notes, and the roots beside them."""

    keys: Sequence[VerifierKey] = ()
    delegations: Sequence[bytes] = ()
    roots: Sequence[VerifierKey] = ()


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = raw(commands, "show", "show keys, and who let them sign and when", _ABOUT, _EXAMPLES + EXIT_CODES)
    parser.add_argument("place", type=Path, metavar="PLACE", help="a key, a .vkey file, delegations, or a log")
    parser.add_argument(
        "--root", type=Path, action="append", default=[], metavar="VKEY", help="a public key that you trust"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=unusable(run))


def run(args: argparse.Namespace) -> int:
    """Run `situs audit keys show`."""
    found = _look(args.place)
    roots = read_roots(args.root) or tuple(found.roots)
    if roots:
        given = [link.delegation for link in links(roots=roots, delegations=found.delegations)]
    else:
        given = [read_delegation(note) for note in found.delegations]
    now_s = time.time()
    delegated = {each.key.public for each in given}
    alone = [key for key in found.keys if key.public not in delegated]
    if args.json:
        sys.stdout.write(json.dumps(_to_json(roots, alone, given, now_s)) + "\n")
    else:
        _print(roots, alone, given, now_s)
    return OK


def _look(place: Path) -> _Found:
    if place.is_dir():
        return _Found(keys=load_vkeys(place / LOG_VKEY), delegations=load_delegations(place / DELEGATIONS))
    with place.open("rb") as file:
        head = file.read(len(HEADER))
    if head == HEADER.encode():
        return _Found(delegations=load_delegations(place))
    if head.startswith(b"-----BEGIN"):
        root = root_of(place)
        roots = load_vkeys(root) if root.exists() else ()
        delegations = load_delegations(delegations_of(place))
        name = read_delegation(delegations[-1]).scope if delegations else roots[0].name if roots else "unnamed"
        return _Found(keys=(load_key(place).verifier(name),), delegations=delegations, roots=roots)
    return _Found(keys=load_vkeys(place))


def _state(given: Delegation, now_s: float) -> str:
    if now_s < given.from_s:
        return "not yet"
    return "signs" if now_s < given.until_s else "over"


def _print(
    roots: Sequence[VerifierKey], alone: Sequence[VerifierKey], given: Sequence[Delegation], now_s: float
) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    for root in roots:
        console.print(Text(f"root {format_vkey(root)}"), soft_wrap=True)
    for key in alone:
        console.print(Text(f"key  {format_vkey(key)}"), soft_wrap=True)
    if not given:
        return
    table = Table(box=None, pad_edge=False)
    for column in ("key", "from", "until", "successors until", "now", "let by", "proven"):
        table.add_column(column, overflow="fold")
    for each in given:
        times = (format_time(at_s) for at_s in (each.from_s, each.until_s, each.successors_until_s))
        proven = "yes" if roots else "no root given"
        table.add_row(Text(name_issuer(each.key)), *times, _state(each, now_s), Text(each.issuer), proven)
    console.print(table)


def _to_json(
    roots: Sequence[VerifierKey], alone: Sequence[VerifierKey], given: Sequence[Delegation], now_s: float
) -> dict[str, object]:
    return {
        "roots": [format_vkey(root) for root in roots],
        "keys": [format_vkey(key) for key in alone],
        "delegations": [
            {
                "scope": each.scope,
                "key": format_vkey(each.key),
                "issuer": each.issuer,
                "from": format_time(each.from_s),
                "until": format_time(each.until_s),
                "successors_until": format_time(each.successors_until_s),
                "now": _state(each, now_s),
                "proven": bool(roots),
            }
            for each in given
        ],
    }
