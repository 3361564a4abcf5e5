"""What the commands that act on evidence share: who acts and why, where it is recorded, and how they fail."""

import argparse
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extproc.audit.findings import EXIT_STATUS, Category
from extproc.cli.audit.usage import usage
from extproc.cli.exits import CONFIGURATION, LOG

if TYPE_CHECKING:
    from extproc.custody.keeper import Keeper
    from extproc.sealed.destroy import Grounds

LONGEST_REASON: Final = 500
_LONGEST_NAME: Final = 100
_MOST_APPROVERS: Final = 8

EXITS: Final = """\
exit status:
  0   done
  1   usage, or it cannot be done as asked: the message names the mend
  2   a log contradicts itself; nothing was taken from it
  74  the keeper's log cannot be written; run the command again
  78  a legal hold stands against it, or the key store cannot be used"""


def add_log(parser: argparse.ArgumentParser) -> None:
    """Add where the logs are."""
    parser.add_argument(
        "--log", type=Path, required=True, metavar="DIR", help="the logs, as `situs serve --log` has it"
    )


def add_keeper(parser: argparse.ArgumentParser) -> None:
    """Add who records an act, and on what grounds."""
    group = parser.add_argument_group("the record of this act")
    group.add_argument("--reason", required=True, help="a ticket or an article, never a person's name; is recorded")
    group.add_argument(
        "--approved-by", action="append", required=True, metavar="NAME", help="who approved it; may be given again"
    )
    group.add_argument(
        "--key",
        type=Path,
        required=True,
        metavar="FILE",
        help="the keeper's signing key, mode 0600; made at the first act if it is not there",
    )
    group.add_argument("--node", help="whose keeper records it (default: the only node below DIR)")


def grounds_of(args: argparse.Namespace) -> "Grounds":
    """Give why and by whom. Raises CustodyError for texts that are no such."""
    from extproc.custody.errors import CustodyError
    from extproc.sealed.destroy import Grounds

    approvers = tuple(dict.fromkeys(name.strip() for name in args.approved_by))
    if not args.reason.strip() or len(args.reason) > LONGEST_REASON:
        raise CustodyError(f"a reason has 1 to {LONGEST_REASON} characters. Mend: mend --reason")
    if len(approvers) > _MOST_APPROVERS or not all(0 < len(name) <= _LONGEST_NAME for name in approvers):
        raise CustodyError(
            f"who approved has a name of up to {_LONGEST_NAME} characters, and at most {_MOST_APPROVERS} do. "
            "Mend: mend --approved-by"
        )
    return Grounds(reason=args.reason, at_s=time.time(), approved_by=approvers)


def keeper_of(args: argparse.Namespace) -> "Keeper":
    """Give who records. Raises CustodyError, NoteError and OSError."""
    from extproc.custody.keeper import Keeper
    from extproc.custody.nodes import identity_of
    from extproc.trust.epochs import KeyRing

    identity = identity_of(args.log, args.node)
    ring = KeyRing(args.key, scope=identity.signer, now_s=time.time(), epoch_s=None)
    return Keeper(
        root=args.log,
        identity=identity,
        key=ring.key,
        delegations=ring.delegations,
        program=version("situs"),
    )


def attempt(command: str, act: Callable[[], int]) -> int:
    """Do an act, and turn what stands against it into words and an exit status."""
    from extproc.custody.errors import CustodyError, HeldError, UnsoundLogError
    from extproc.ledger.errors import LedgerError
    from extproc.notes.errors import NoteError
    from extproc.sealed.errors import KeyStoreError, SealedError

    try:
        return act()
    except UnsoundLogError as error:
        usage(command, str(error))
        return EXIT_STATUS[Category.INTEGRITY]
    except (HeldError, KeyStoreError) as error:
        usage(command, str(error))
        return CONFIGURATION
    except (CustodyError, SealedError, NoteError) as error:
        return usage(command, str(error))
    except (LedgerError, OSError) as error:
        usage(command, f"{error}. Mend: run the command again, which does what is left")
        return LOG
