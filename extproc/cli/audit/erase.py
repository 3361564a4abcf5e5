"""`situs audit erase`: destroy the keys of a person, or of days, so that what records hold of them is noise."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extproc.cli.audit.keeping import EXITS, add_keeper, add_log, attempt, grounds_of, keeper_of
from extproc.cli.exits import OK

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.ledger.housekeeping import Erasure

_ERASE: Final = """\
Destroy keys, so that pseudonyms and sealed blocks of a person, or of whole days, are noise in every copy of the logs.

Records are not changed, so every proof still holds. What is destroyed are the keys in the key store: of one person for
all days that it knows, or of everybody for the days that you name. An Erasure entry in the keeper's log says which days
and pseudonyms, and never whose. A running sidecar notices within a second. The command may be repeated: killed at any
moment, the next run does what is left.

Each node has a key store of its own: run it on every node that served the person. What it does not reach: backups and
disk snapshots of the key store, and other systems' own logs, such as Envoy's access log with its addresses. A legal
hold does not stop it: weigh the two duties first."""

_ERASE_END: Final = f"""\
{EXITS}

examples:
  situs audit erase --log /var/lib/situs --keys /var/lib/situs-keys/keys.db --key keeper.key --tenant shop \\
      --subject-file - --reason "ticket 4711, GDPR Art. 17" --approved-by "A. Officer" < subject.txt
  situs audit erase ... --tenant shop --day 2026-11-21 --day 2026-11-22"""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "erase",
        help="destroy the keys of a person or of days",
        description=_ERASE,
        epilog=_ERASE_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_log(parser)
    parser.add_argument(
        "--keys", type=Path, required=True, metavar="STORE", help="the key store, as `situs serve --key-store` has it"
    )
    parser.add_argument("--tenant", required=True, help='whose records; "" for requests that were bound to no tenant')
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument(
        "--subject", metavar="VALUE", help="the person, as the claim names them; others on this machine may see it"
    )
    whose.add_argument("--subject-file", metavar="FILE", help="read the person's name from there; - for standard input")
    whose.add_argument(
        "--day", action="append", metavar="DATE", help="everybody on this day, in UTC: 2026-11-21; may be given again"
    )
    add_keeper(parser)
    parser.add_argument("--json", action="store_true", help="print what was recorded as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit erase`."""
    return attempt("erase", lambda: _erase(args))


def _erase(args: argparse.Namespace) -> int:
    from extproc.custody.erase import erase_days, erase_subject
    from extproc.custody.errors import CustodyError
    from extproc.policy.parse.scalars import parse_day
    from extproc.sealed.store import open_store
    from extproc.strict_yaml import UnfitError

    grounds = grounds_of(args)
    subject = None if args.day else read_subject(args.subject, args.subject_file)
    if subject is not None and any(subject in text for text in (grounds.reason, *grounds.approved_by)):
        raise CustodyError("the reason or an approver's name holds the subject, and is recorded. Mend: write a ticket")
    keeper = keeper_of(args)
    store = open_store(args.keys, apart_from=args.log)
    try:
        if subject is not None:
            recorded = erase_subject(keeper, store, tenant=args.tenant, subject=subject, grounds=grounds)
        else:
            days = [parse_day(day).isoformat() for day in args.day]
            recorded = erase_days(keeper, store, tenant=args.tenant, days=days, grounds=grounds)
    except UnfitError as error:
        raise CustodyError(f"--day: {error}") from None
    finally:
        store.close()
    if args.json:
        print(json.dumps([_to_json(erasure) for erasure in recorded], indent=2))
    else:
        for erasure in recorded:
            print(_say(erasure))
        if not recorded:
            print("nothing to erase: the key store has no such keys")
    return OK


def read_subject(value: str | None, file: str | None) -> str:
    """Give who is meant. One line break at the end of a file is not part of the name. Raises CustodyError."""
    from extproc.custody.errors import CustodyError

    if value is not None:
        subject = value
    elif file == "-":
        subject = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    else:
        subject = Path(file or "").read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    if not subject:
        raise CustodyError("the subject is empty. Mend: give the value of the claim that the policy names")
    return subject


def _say(erasure: "Erasure") -> str:
    whose = f"{len(erasure.pseudonyms)} pseudonyms of one person" if erasure.pseudonyms else "everybody"
    days = f"{erasure.days[0]} to {erasure.days[-1]}" if len(erasure.days) > 1 else erasure.days[0]
    return f"erased: {erasure.keys} keys of tenant {erasure.tenant or '(none)'}, {whose}, {days}; recorded"


def _to_json(erasure: "Erasure") -> dict[str, object]:
    return {
        "scope": erasure.scope.value,
        "tenant": erasure.tenant,
        "days": erasure.days,
        "keys": erasure.keys,
        "pseudonyms": [pseudonym.hex() for pseudonym in erasure.pseudonyms],
        "reason": erasure.reason,
        "approved_by": erasure.approved_by,
    }
