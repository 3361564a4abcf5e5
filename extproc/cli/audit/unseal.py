"""`situs audit unseal`: read what was sealed with a decision, or find which pseudonyms a person has."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extproc.cli.audit.erase import read_subject
from extproc.cli.audit.keeping import EXITS, add_log, attempt
from extproc.cli.exits import OK
from extproc.core.ids import DecisionId

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.sealed.store import KeyStore

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UNSEAL: Final = """\
Read the sealed block of one decision, with the key store. What it prints is personal data: it says who asked, from
where, and by which request. Do it where you may, and mind where the output goes. Nothing of it is recorded.

With --tenant and --subject-file instead of a decision: print the pseudonyms that a person has by day, to find that
person's records (GDPR Art. 15).

Verifies nothing: run `situs audit verify` first."""

_UNSEAL_END: Final = f"""\
{EXITS}
  (1 also where the key is not in the store: it was destroyed, and nobody can read the block any more)

examples:
  situs audit unseal --log /var/lib/situs --keys /var/lib/situs-keys/keys.db 019323f5-7a10-7cc2-8a4e-3f0d5b1c9e77
  situs audit unseal --log /var/lib/situs --keys /var/lib/situs-keys/keys.db --tenant shop --subject-file subject.txt"""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "unseal",
        help="read what was sealed with a decision",
        description=_UNSEAL,
        epilog=_UNSEAL_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("decision", metavar="ID", nargs="?", help="the decision")
    add_log(parser)
    parser.add_argument(
        "--keys", type=Path, required=True, metavar="STORE", help="the key store, as `situs serve --key-store` has it"
    )
    parser.add_argument("--tenant", help="whose pseudonyms")
    parser.add_argument("--subject-file", metavar="FILE", help="the person's name; - for standard input")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit unseal`."""
    return attempt("unseal", lambda: _unseal(args))


def _unseal(args: argparse.Namespace) -> int:
    from extproc.custody.errors import CustodyError
    from extproc.sealed.store import open_store

    by_person = args.tenant is not None and args.subject_file is not None
    if by_person == (args.decision is not None):
        raise CustodyError("one thing at a time. Mend: name a decision, or give --tenant and --subject-file")
    if not by_person and not _UUID.fullmatch(args.decision):
        raise CustodyError(f"{args.decision} is no decision id. Mend: give the UUID that an answer bears")
    store = open_store(args.keys, apart_from=args.log)
    try:
        found = _pseudonyms(store, args) if by_person else _block(store, args)
    finally:
        store.close()
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        print("personal data:" if found else "the store has no key of that person", file=sys.stderr)
        for name, value in found.items():
            print(f"{name}: {value}")
    return OK


def _block(store: "KeyStore", args: argparse.Namespace) -> dict[str, str]:
    """Give what was sealed, by its names."""
    from google.protobuf.json_format import MessageToDict

    from extproc.audit.show import read_records
    from extproc.custody.errors import CustodyError
    from extproc.ledger.decision_reader import private_of
    from extproc.sealed.unseal import unseal

    decision = DecisionId(args.decision)
    record = next(iter(read_records(args.log, kinds=frozenset({"decision"}), decision=decision)), None)
    if record is None:
        raise CustodyError(f"{args.log}: no decision {decision}. Mend: name the folder of its log; or it was pruned")
    private = private_of(record.entry.decision)
    if private is None or not private.sealed:
        raise CustodyError(f"{record.log}: entry {record.index} has no sealed block: its policy asked for none")
    block = unseal(
        store,
        tenant=record.entry.decision.facts.tenant,
        decision_id=record.entry.decision.id,
        private=private,
    )
    found: dict[str, str] = MessageToDict(block, preserving_proto_field_name=True)
    return found


def _pseudonyms(store: "KeyStore", args: argparse.Namespace) -> dict[str, str]:
    """Give a person's pseudonyms by day, in hex, as `situs audit show --json` has them."""
    from extproc.sealed.unseal import pseudonyms_of

    subject = read_subject(None, args.subject_file)
    return {day: each.hex() for day, each in pseudonyms_of(store, tenant=args.tenant, subject=subject).items()}
