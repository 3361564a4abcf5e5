"""`situs audit acknowledge`: record that somebody has looked at a violation, and what they say of it."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extproc.cli.audit.keeping import EXITS, add_keeper, attempt, grounds_of, keeper_of
from extproc.cli.exits import OK

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.audit.violations import Violation

_DECISION: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ACKNOWLEDGE: Final = """\
Record that a violation was looked at, by whom, and what they say of it. It is an entry in the keeper's log and changes
nothing else: the violation stays one, and `situs audit verify` still exits with 5 and says who has acknowledged it.

A decision without a violation in these logs is refused, so that nothing can be acknowledged in advance."""

_ACKNOWLEDGE_END: Final = f"""\
{EXITS}

examples:
  situs audit acknowledge 019323f5-7a10-7cc2-8a4e-3f0d5b1c9e77 /var/lib/situs --key keeper.key \\
      --reason "INC-311: cluster renamed by hand, data deleted there on 21 Nov" --approved-by "A. Officer"
  situs audit acknowledge node-1/w0/000001-5f3a90c2:812 /var/lib/situs --key keeper.key \\
      --reason "INC-312" --approved-by "A. Officer" """


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "acknowledge",
        help="record who has looked at a violation, and what they say",
        description=_ACKNOWLEDGE,
        epilog=_ACKNOWLEDGE_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "decision",
        metavar="DECISION",
        help="the decision's id; or LOG:ENTRY, the log's folder and the entry that `situs audit verify` names, which is"
        " the way for a request without a decision",
    )
    parser.add_argument("log", metavar="LOG", type=Path, help="the logs, as `situs serve --log` has it")
    add_keeper(parser)
    parser.set_defaults(run=lambda args: attempt("acknowledge", lambda: _acknowledge(args)))


def _acknowledge(args: argparse.Namespace) -> int:
    from extproc.custody.errors import CustodyError
    from extproc.custody.keeper import open_keeper
    from extproc.ledger.housekeeping import Acknowledgement, acknowledgement_to_entry

    grounds = grounds_of(args)
    keeper = keeper_of(args)
    violations = _violations(args)
    if not violations:
        raise CustodyError(
            f"{args.decision}: no violation of it is in these logs. Mend: run `situs audit verify {args.log}`, which "
            "names what is, with its entry"
        )
    with open_keeper(keeper) as log:
        for each in violations:
            said = Acknowledgement(
                decision=each.decision,
                origin=each.origin,
                index=each.index,
                finding=each.finding,
                reason=grounds.reason,
                approved_by=grounds.approved_by,
            )
            log.record(acknowledgement_to_entry(said, at_s=log.now_s()))
    for each in violations:
        print(f"{each.finding} at entry {each.index} of {each.origin} is acknowledged; recorded")
    return OK


def _violations(args: argparse.Namespace) -> "tuple[Violation, ...]":
    """Find what is to be acknowledged. Raises CustodyError and NoteError."""
    from extproc.archive import ArchiveError, open_archive
    from extproc.audit.violations import parse_reference, violations_at, violations_of
    from extproc.core.ids import DecisionId
    from extproc.custody.errors import CustodyError

    try:
        archive = open_archive(str(args.log))
        if _DECISION.fullmatch(args.decision):
            return violations_of(archive, DecisionId(args.decision))
        return violations_at(archive, *parse_reference(args.decision))
    except (ArchiveError, FileNotFoundError, IndexError) as error:
        raise CustodyError(f"{error}. Mend: take folder and entry from what `situs audit verify` names") from None
