"""`situs drill`: rehearse failover, measure it, and leave a signed record."""

import argparse
import asyncio
import signal
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from extproc.cli.drill_options import add_options, scenarios_of, usage_fault
from extproc.cli.exits import LOG, OK, SOFTWARE, USAGE, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Sequence

    from extproc.cli.drill_progress import Progress
    from extproc.custody.keeper import Keeper
    from extproc.drill.outcome import Outcome
    from extproc.drill.rehearse import Rehearsed
    from extproc.drill.report import Drill
    from extproc.drill.scenarios import Scenario
    from extproc.drill.system import System

_MISSED: Final = 5
_INTERRUPTED: Final = 130
_PIPE_WIDTH: Final = 160
_STOPPERS: Final = (signal.SIGTERM, signal.SIGHUP)

_USAGE: Final = """\
situs drill (--all | SCENARIO ...) [--rate N] [--report FILE] [--json] [--key FILE] [--dir DIR] [...]
       situs drill (--all | SCENARIO ...) --live [--yes] --url URL --policy FILE --log DIR --key FILE --report FILE
                   [--header NAME: VALUE] [--body FILE] [--overrides FILE] [--approved-by NAME]
                   [--break COMMAND] [--mend COMMAND] [...]"""
_EPILOG: Final = dedent(
    """\
    scenarios:
      region-loss    the cell that serves is killed, and the way to it
      brown-out      the way to the region that serves becomes five times slower
      sidecar-kill   the sidecar is killed, and started again as a supervisor would
      suspension     a legal order takes out the region that serves: nothing that is decided a second later goes there
      reload         the policy is replaced under load: no request may fail
      geo-loss       the geolocation database is damaged and deleted: the last good one serves, no request may fail

    Each is played under a steady load. Measured are the time to recover (RTO), requests that failed, requests outside
    their permitted set, and released decisions without a record (RPO), and held to what the policy promises of the
    region (`recovery: {rto_s, rpo_records}`; 10 s and none where it says nothing). Each scenario becomes a Drill entry
    in the keeper's log beside the decision log, signed, with the SHA-256 of the report's file.

    A system that is started for the drill is the default: a real Envoy, the sidecar and four cells, on loopback.

    A live system (--live) is disturbed by its own means only: `suspension` writes an order to the override file, which
    ends by itself after ten minutes and is lifted, it alone, when the drill ends; `reload` touches the policy's file.
    For the others give the commands that break the system and mend it (no shell: use sh -c '...' for one); they get
    SITUS_DRILL_REGION in their environment. --mend is run whatever happens, Ctrl-C too. The log must be that of every
    sidecar behind the URL, or records seem lost that lie elsewhere.

    examples:
      situs drill --all
      situs drill region-loss suspension --rate 50 --report drill.md
      situs drill suspension --live --yes --url https://gateway.internal/v2/models/fraud/infer --body request.json \\
          --header "authorization: Bearer $TOKEN" --policy policy.yaml --overrides overrides.yaml \\
          --approved-by "A. Counsel" --approved-by "B. Officer" --log /var/lib/situs --key keeper.key --report drill.md
      situs drill region-loss --live --yes ... --break "kubectl -n eu scale deploy/cell --replicas 0" \\
          --mend "kubectl -n eu scale deploy/cell --replicas 3"
      situs audit show /var/lib/situs --kind drill

    exit codes: 0 every scenario passed, 5 a target was missed or something was violated, 1 wrong usage or a drill that
    this system cannot do, 70 the system did not serve or did not come back, 74 the record could not be written,
    78 something that it needs is missing or cannot be used, 130 interrupted (everything was mended)
    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "drill",
        help="rehearse failover, measure it, and leave a signed record",
        description="Rehearse failover on a system that is started for it, or on a live one; measure it, and hold it "
        "to what the policy promises.",
        usage=_USAGE,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Rehearse, report and record."""
    if (fault := usage_fault(args)) is not None:
        return refuse(fault, USAGE)
    from extproc.custody.errors import CustodyError
    from extproc.demo.process import ProcessFailedError
    from extproc.drill.errors import CannotError, DrillError
    from extproc.ledger.errors import LedgerError
    from extproc.mesh.binary import EnvoyNotFoundError
    from extproc.notes.errors import NoteError
    from extproc.strict_yaml import DocumentError

    try:
        return asyncio.run(_until_stopped(args))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return refuse("interrupted; what was begun is mended, and no record was written", _INTERRUPTED)
    except CannotError as error:
        return refuse(error, USAGE)
    except (DrillError, ProcessFailedError) as error:
        return refuse(error, SOFTWARE)
    except (EnvoyNotFoundError, ModuleNotFoundError) as error:
        return refuse(f"{error}. A system for the drill needs the extra: pip install 'situs[demo]'")
    except (DocumentError, CustodyError, NoteError) as error:
        return refuse(error)
    except (LedgerError, OSError) as error:
        return refuse(error, LOG)


async def _until_stopped(args: argparse.Namespace) -> int:
    task = asyncio.current_task()
    if task is not None:
        for number in _STOPPERS:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await (_live(args) if args.live else _demo(args))


async def _demo(args: argparse.Namespace) -> int:
    from extproc.cli.drill_progress import Progress
    from extproc.demo.plan import Plan
    from extproc.demo.visits import Digits
    from extproc.demo.world import default_models, running_world
    from extproc.drill.demo import SERVICE_S, DemoSystem
    from extproc.drill.play import Pace
    from extproc.drill.rehearse import outcomes_of, rehearse

    root = (args.dir or Path(tempfile.mkdtemp(prefix="situs-drill-"))).resolve()
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        return refuse(f"{root} is not empty. Mend: name a new folder with --dir")
    with Progress(sys.stderr) as progress:
        progress.say("starting four cells, the ways to them, the sidecar and Envoy")
        models = args.models or default_models()
        async with running_world(root, models=models, envoy=args.envoy, plan=Plan(service_s=SERVICE_S)) as world:
            async with DemoSystem(world, Digits(world.folder.samples)) as system:
                told = await rehearse(system, scenarios_of(args), Pace(per_s=args.rate), progress.of)
            progress.say("stopping everything, so that the log is whole")
        progress.say("holding the answers against the decision log and the cells' accounts")
        outcomes = await outcomes_of(system, told.played)
        keeper = _keeper(world.folder.log, args.key or root / "keys" / "keeper.key", args.node)
        return _finish(args, system, told, outcomes, keeper, args.report or root / "drill.md", progress)


async def _live(args: argparse.Namespace) -> int:
    from extproc.cli.drill_progress import Progress
    from extproc.drill.live import LiveSystem, Means, Request, check_means
    from extproc.drill.play import Pace
    from extproc.drill.rehearse import outcomes_of, rehearse

    means = Means(
        policy=args.policy,
        log=args.log,
        overrides=args.overrides,
        approved_by=tuple(dict.fromkeys(name.strip() for name in args.approved_by)),
        break_command=args.break_command,
        mend_command=args.mend_command,
    )
    scenarios = scenarios_of(args)
    check_means(scenarios, means)
    request = Request(
        url=args.url, headers=tuple(args.header), body=None if args.body is None else args.body.read_bytes()
    )
    async with LiveSystem(request, means) as system:
        if not args.yes:
            return refuse(_what_would_be(scenarios, args), USAGE)
        # Whoever could not sign the record must know before anything is disturbed.
        keeper = _keeper(args.log, args.key, args.node)
        with Progress(sys.stderr) as progress:
            told = await rehearse(system, scenarios, Pace(per_s=args.rate), progress.of)
            progress.say("holding the answers against the decision log")
            outcomes = await outcomes_of(system, told.played)
            return _finish(args, system, told, outcomes, keeper, args.report, progress)


def _what_would_be(scenarios: "Sequence[Scenario]", args: argparse.Namespace) -> str:
    from extproc.drill.scenarios import TERMS

    plan = "; ".join(f"{scenario}: {TERMS[scenario].what}" for scenario in scenarios)
    return (
        f"this disturbs a live system with {args.rate:g} requests a second to {args.url} ({plan}). Nothing was done. "
        "Mend: give --yes if that is meant"
    )


def _keeper(log: Path, key: Path, node: str | None) -> "Keeper":
    from extproc.cli.audit.keeping import keeper_of

    return keeper_of(argparse.Namespace(log=log, key=key, node=node))


def _finish(  # noqa: PLR0913, PLR0917 - what a report is made of
    args: argparse.Namespace,
    system: "System",
    told: "Rehearsed",
    outcomes: "Sequence[Outcome]",
    keeper: "Keeper",
    path: Path,
    progress: "Progress",
) -> int:
    """Write the report, then the record of it, then say so."""
    from extproc.drill.record import record
    from extproc.drill.report import Drill, to_json, to_markdown

    drill = Drill(
        mode=system.mode,
        program=version("situs"),
        policy=system.tables.id,
        revision=system.tables.revision,
        log=str(keeper.root),
        per_s=args.rate,
        outcomes=tuple(outcomes),
    )
    if outcomes:
        report = (to_json(drill) + "\n" if path.suffix == ".json" else to_markdown(drill)).encode()
        path.write_bytes(report)
        progress.say("signing the record")
        record(keeper, drill, report)
    progress.close()
    if args.json:
        print(to_json(drill))
    elif outcomes:
        _print(drill, path)
    if told.stopped_by is not None:
        return refuse(f"{told.stopped_by} ({', '.join(told.stopped_by.__notes__)})", SOFTWARE)
    return OK if drill.passed else _MISSED


def _print(drill: "Drill", path: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from extproc.drill.report import head_of, rows_of
    from extproc.drill.words import sentence

    # A file or a pipe has no width of its own; the table needs some.
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    table = Table(pad_edge=False)
    for index, name in enumerate(head_of()):
        table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for outcome, row in zip(drill.outcomes, rows_of(drill.outcomes), strict=True):
        table.add_row(*row, style="" if outcome.passed else "red")
    console.print(table)
    for outcome in drill.outcomes:
        console.print(f"[bold]{outcome.scenario}[/]", highlight=False)
        console.print(sentence(outcome), markup=False, highlight=False)
        for fault in outcome.faults:
            console.print(f"not passed: {fault}", style="red", markup=False, highlight=False)
    console.print(f"report: {path}", soft_wrap=True, highlight=False, markup=False)
    console.print(f"signed record: situs audit show {drill.log} --kind drill", soft_wrap=True, highlight=False)
