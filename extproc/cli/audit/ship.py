"""`situs audit ship`: evidence goes to the store of its region."""

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from extproc.cli.audit.usage import usage
from extproc.cli.exits import CONFIGURATION, LOG, OK, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.ship.shipper import Shipper
    from extproc.ship.status import LogStatus, ShipStatus

_PIPE_WIDTH: Final = 240
_STDIN: Final = 0
_SHIP: Final = """\
Ship the published part of every log below a folder to the store of its region: tiles, policies, public keys, and the
checkpoint last. Runs beside the sidecar as a process of its own. Never ships the write-ahead log or a private key,
and never to another region than the log's own."""

_SHIP_END: Final = """\
Credentials of a store are found as every S3 client finds them (AWS_ACCESS_KEY_ID, a profile, a web identity, the
instance), never on the command line.

exit status:
  0   done: everything is in its store (--once), or stopped by a signal (--follow)
  1   usage: no such folder
  74  could not ship everything; what was shipped stays shipped, run it again
  78  the configuration, or a store that it names, cannot be used

examples:
  situs audit ship /var/lib/situs/log --config shipping.yaml --follow
  situs audit ship /var/lib/situs/log --config shipping.yaml --json | jq .everything_shipped"""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "ship",
        help="ship evidence to the store of its region",
        description=_SHIP,
        epilog=_SHIP_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", metavar="DIR", type=Path, help="the folder that holds the nodes' logs")
    parser.add_argument("--config", metavar="FILE", type=Path, required=True, help="the shipping configuration")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="ship what there is, and end (the default)")
    how.add_argument("--follow", action="store_true", help="ship on as the logs grow, until SIGTERM or SIGINT")
    parser.add_argument(
        "--until-eof",
        action="store_true",
        help="with --follow: end when standard input is closed, so when whoever started this is gone, and by no signal",
    )
    parser.add_argument(
        "--state",
        metavar="DIR",
        type=Path,
        help="where state.json and status.json are kept (default: .shipping in the logs' folder)",
    )
    parser.add_argument("--json", action="store_true", help="print the status as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit ship`."""
    from extproc.ledger.log import LOG as LOG_FOLDER
    from extproc.ship.config import load_shipping
    from extproc.ship.errors import DestinationRefusedError, ShipError, StoreAwayError
    from extproc.ship.opening import open_destinations
    from extproc.ship.shipper import SHIPPING, Shipper
    from extproc.strict_yaml import DocumentError

    root: Path = args.directory
    if not root.is_dir():
        return usage("ship", f"{root}: no folder is there. Mend: check the path")
    if (root / LOG_FOLDER).is_dir():
        return usage("ship", f"{root}: is one log. Mend: name the folder above the nodes, {root.absolute().parents[2]}")
    progress = _Bar(Console(stderr=True))
    try:
        destinations = open_destinations(load_shipping(args.config), root=root)
        shipper = Shipper(root, destinations, args.state or root / SHIPPING, say=progress.say, report=progress.tell)
    except (DocumentError, DestinationRefusedError) as error:
        return refuse(error, CONFIGURATION)
    except OSError as error:
        return usage("ship", f"{error.filename}: cannot be made ({error.strerror}). Mend: name another with --state")
    try:
        try:
            shipper.check()
        except DestinationRefusedError as error:
            return refuse(error, CONFIGURATION)
        except StoreAwayError as error:
            # It may come back while we follow; asked once, it is in the status.
            progress.say(str(error))
        with progress.shown:
            status = _follow(shipper, until_eof=args.until_eof) if args.follow else shipper.ship_once()
    except (ShipError, OSError) as error:
        return refuse(error, LOG)
    finally:
        shipper.close()
    _print(status, as_json=args.json)
    return OK if args.follow or status.everything_shipped else LOG


def _follow(shipper: "Shipper", *, until_eof: bool) -> "ShipStatus":
    """Ship until a signal comes; the second one ends the process, which loses nothing.

    Or until the end of standard input, and then by no signal: who stops a service sends it to all processes at once,
    and the end of a log is there to be shipped only when its writer has ended.
    """
    stop = threading.Event()
    if until_eof:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        threading.Thread(target=_wait_for_eof, args=(stop,), daemon=True).start()
        return shipper.follow(stop)

    def ask_to_stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    return shipper.follow(stop)


def _wait_for_eof(stop: threading.Event) -> None:
    # Not by sys.stdin: an interpreter that ends while a thread holds its lock aborts.
    with contextlib.suppress(OSError):
        while os.read(_STDIN, 4096):
            pass
    stop.set()


class _Bar:
    """The progress, where somebody looks; and what has to be said, in any case."""

    def __init__(self, console: Console) -> None:
        self.shown = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} entries"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._lock = threading.Lock()

    def say(self, message: str) -> None:
        """Print a line for a person."""
        self.shown.console.print(Text(f"situs audit ship: {message}"), soft_wrap=True)

    def tell(self, log: "LogStatus") -> None:
        """Show how far a log is; one that is whole is not shown."""
        with self._lock:
            task = self._tasks.get((log.to, log.log))
            if log.uploaded >= log.size:
                if task is not None:
                    self.shown.remove_task(task)
                    del self._tasks[log.to, log.log]
            elif task is None:
                self._tasks[log.to, log.log] = self.shown.add_task(log.log, total=log.size, completed=log.uploaded)
            else:
                self.shown.update(task, total=log.size, completed=log.uploaded)


def _print(status: "ShipStatus", *, as_json: bool) -> None:
    if as_json:
        from extproc.ship.status import status_to_json

        sys.stdout.write(json.dumps(status_to_json(status)) + "\n")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("log", "to", "shipped", "of", "state"):
        table.add_column(column, overflow="fold", justify="right" if column in {"shipped", "of"} else "left")
    for log in status.logs:
        state = Text(f"lags by {log.lag_s:,.0f} s", style="yellow") if log.shipped < log.size else Text("all of it")
        if log.error is not None:
            state = Text(log.error, style="bold red")
        elif log.pruned:
            state = Text(f"{log.pruned:,} entries were pruned before they were shipped", style="yellow")
        table.add_row(Text(log.log), Text(log.to or "nowhere"), f"{log.shipped:,}", f"{log.size:,}", state)
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    console.print(table)
    for place in status.places:
        if place.error is not None:
            console.print(Text(f"{place.region}: ", style="bold red") + Text(place.error), soft_wrap=True)
