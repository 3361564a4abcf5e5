"""`situs policy simulate` and `shadow-report`: what another policy would have said to recorded requests."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, TypeVar

from extproc.cli.exits import CONFIGURATION, OK, USAGE, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.review.shadow_report import ShadowReport
    from extproc.review.simulate import Simulation, Tally

_T = TypeVar("_T")

_SIMULATE = dedent(
    """\
    Decides every recorded request again: by the recorded facts, at the recorded time, in the region in which the
    sidecar stood, under the legal orders of that time (this policy's own in the place of the deciding one's), with the
    health that was recorded. Facts that this policy reads and that were not recorded are named. Nothing is verified:
    run `situs audit verify` first.

    examples:
      situs policy simulate candidate.yaml --log /var/lib/situs
      situs policy simulate candidate.yaml --log evidence/ --from 2026-11-01 --to 2026-11-30 --json

    exit codes: 0 simulated, whatever changes, 1 wrong usage or no decision there, 78 the policy or log cannot be used
    """
)

_SHADOW = dedent(
    """\
    `situs serve --shadow candidate.yaml` evaluates a candidate beside the live policy and records both verdicts. This
    command counts how they differ: same, narrower, wider or other, and whose requests that is about. Nothing is decided
    again, and nothing is verified: run `situs audit verify` first.

    examples:
      situs policy shadow-report /var/lib/situs
      situs policy shadow-report /var/lib/situs --json

    exit codes: 0 told, whatever differs, 1 wrong usage or no log there, 78 the log cannot be used
    """
)


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both commands to the group `situs policy`."""
    simulating = subcommands.add_parser(
        "simulate",
        help="say what a policy would have changed for recorded requests",
        description="Say what a policy would have changed for the requests that a decision log records.",
        epilog=_SIMULATE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    simulating.add_argument("policy", type=Path, metavar="FILE", help="the other policy, YAML")
    simulating.add_argument(
        "--log", type=Path, required=True, metavar="DIR", help="a log, or a folder with logs below it"
    )
    simulating.add_argument("--from", dest="begin", metavar="DATE", help="from this day or moment on")
    simulating.add_argument("--to", dest="end", metavar="DATE", help="to the end of this day, or before this moment")
    simulating.set_defaults(run=_simulate)
    reporting = subcommands.add_parser(
        "shadow-report",
        help="say how a shadow policy differs from the live one",
        description="Say how the verdicts of shadow policies differ from the live ones, from a decision log.",
        epilog=_SHADOW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    reporting.add_argument("log", type=Path, metavar="DIR", help="a log, or a folder with logs below it")
    reporting.set_defaults(run=_report)
    for parser in (simulating, reporting):
        parser.add_argument("--json", action="store_true", help="print everything as JSON")


def _simulate(args: argparse.Namespace) -> int:
    from extproc.cli.policy.pages import print_json
    from extproc.policy.load import load_policy
    from extproc.policy.parse.scalars import parse_end, parse_start
    from extproc.review.simulate import NoDecisionsError, simulate, simulation_in_words
    from extproc.strict_yaml import DocumentError, UnfitError

    try:
        compiled = load_policy(args.policy)
    except DocumentError as error:
        return refuse(error)
    try:
        from_s = 0.0 if args.begin is None else parse_start(args.begin).timestamp()
        until_s = inf if args.end is None else parse_end(args.end).timestamp()
        found = _read(
            args.log,
            "simulating",
            lambda progress: simulate(compiled, args.log, from_s=from_s, until_s=until_s, progress=progress),
        )
    except (UnfitError, NoDecisionsError) as error:
        return refuse(error, USAGE)
    if isinstance(found, int):
        return found
    if args.json:
        print_json(_simulation(found))
    else:
        _print(simulation_in_words(found))
    return OK


def _report(args: argparse.Namespace) -> int:
    from extproc.cli.policy.pages import print_json
    from extproc.review.shadow_report import report_shadows, shadows_in_words

    found = _read(args.log, "reading", lambda progress: report_shadows(args.log, progress=progress))
    if isinstance(found, int):
        return found
    if not found.runs:
        return refuse(f"{args.log}: no decision has a shadow verdict. Mend: run `situs serve` with --shadow", USAGE)
    if args.json:
        print_json(_shadows(found))
    else:
        _print(shadows_in_words(found))
    return OK


def _read(log: Path, what: str, read: Callable[[Callable[[int], None]], _T]) -> _T | int:
    """Read a log under a bar of progress, or say why not and give the exit code."""
    from extproc.archive import ArchiveError, open_archive
    from extproc.audit.verify import find_logs
    from extproc.ledger.errors import LedgerError
    from extproc.notes.errors import NoteError

    try:
        if not log.is_dir() or not find_logs(open_archive(str(log))):
            return refuse(f"{log}: no log here or below. Mend: name the folder that was given to `situs serve`", USAGE)
        with _progress(what) as progress:
            return read(progress)
    except (ArchiveError, LedgerError, NoteError, OSError) as error:
        return refuse(f"{log}: {error}. Mend: see what `situs audit verify` says of it", CONFIGURATION)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], None]]:
    """Show how many records were read, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    errors = Console(stderr=True)
    columns = (TextColumn(what), SpinnerColumn(), TextColumn("{task.completed:,.0f} records"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda records: bar.advance(task, records)


def _print(lines: Iterator[str]) -> None:
    from extproc.cli.policy.pages import say

    for line in lines:
        words = line.lstrip()
        say(words, len(line) - len(words))


def _simulation(found: "Simulation") -> dict[str, object]:
    transfers = [
        {"permit": permit, "region": region, "decisions": count}
        for (permit, region), count in sorted(found.transfers.items())
    ]
    plans = {"same": found.plans_same, "changed": found.plans_changed, "unknown": found.plans_unknown}
    return {
        "verified": False,
        **_tally(found.tally),
        "plans": plans,
        "transfers": {
            "recorded": found.transfers_before,
            "would_be": found.transfers_after,
            "possible": found.transfers_possible,
            "by_permit": transfers,
        },
        "missing_facts": dict(sorted(found.missing.items())),
        "deciding_policies": dict(sorted(found.revisions.items())),
    }


def _shadows(found: "ShadowReport") -> dict[str, object]:
    return {
        "verified": False,
        "without_shadow": found.alone,
        "shadows": [
            {
                "shadow": {"revision": run.shadow, "policy": run.shadow_name},
                "live": {"revision": run.live, "policy": run.live_name},
                "differences": dict(run.differences),
                "read_other_facts": run.other_facts,
                **_tally(run.tally),
            }
            for run in found.runs
        ],
    }


def _tally(tally: "Tally") -> dict[str, object]:
    return {
        "decisions": tally.decisions,
        "first": _moment(tally.first_s),
        "last": _moment(tally.last_s),
        "moves": {move.value: count for move, count in tally.moves.items()},
        "groups": [
            {
                **asdict(group),
                "count": entry.count,
                "share": entry.count / tally.decisions,
                "first": _moment(entry.first_s),
                "last": _moment(entry.last_s),
                "example": entry.example,
            }
            for group, entry in tally.sorted()
        ],
    }


def _moment(at_s: float | None) -> str | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).isoformat()
