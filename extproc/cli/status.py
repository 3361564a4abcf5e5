"""`situs status`: what a running sidecar says of its regions, its orders and its log."""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from extproc.cli.audit.terminal import line
from extproc.cli.exits import OK, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.control.status import RegionStatus, Status
    from extproc.core.overrides import Suspension

_CONTROL: Final = "unix:/run/situs/control.sock"
_EPILOG = dedent(
    """\
    Asks the control socket, so the sidecar must have been started with --control, and you must be root, its own user,
    or one whom its --control-user names.

    STATE      up, down, half_open (tried with one request at a time), or unknown (nothing was seen of it lately)
    LATENCY    the round trip as measured; where nothing is measured, decisions go by the policy's rtt_ms
    IN FLIGHT  requests there now, of the budget: how many may be there before the next permitted region is used; `-`
               while Envoy reports to no worker, so that nobody can count
    then       what keeps requests away: orders, drains, missed promises, models that it may not serve now

    examples:
      situs status
      situs status --control unix:/tmp/situs-try/control.sock --json

    exit codes: 0 it answered, 1 wrong usage, 78 no sidecar answers there
    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "status",
        help="show a running sidecar's regions, orders and log",
        description="Show what a running sidecar decides by at this moment: regions, legal orders, policy and log.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--control", default=_CONTROL, metavar="ADDRESS", help="its control socket (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print all of it as JSON, times in Unix seconds")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from extproc.control.client import ask
    from extproc.control.errors import ControlError, OrderError
    from extproc.control.status import status_of

    try:
        document = ask(args.control, "/v1/status")
        if args.json:
            print(json.dumps(document, indent=2))
        else:
            print("\n".join(_lines(status_of(document))))
    except (ControlError, OrderError) as error:
        return refuse(error)
    return OK


def _lines(status: "Status") -> list[str]:
    lines = [
        f"policy    {status.policy} version {status.version}, {status.revision}",
        f"decides   {'yes' if not status.reasons else 'NO: ' + '; '.join(status.reasons)}",
    ]
    lines += [f"log       {log.origin}: {log.size} entries, {log.awaited} deliveries awaited" for log in status.logs]
    lines += ["", *_table([("REGION", "STATE", "LATENCY", "IN FLIGHT", ""), *map(_region, status.regions)])]
    if status.orders:
        rows = [_order(order, status) for order in status.orders]
        lines += ["", *_table([("ORDER", "ABOUT", "IN FORCE", "UNTIL", "APPROVED BY", "REASON"), *rows])]
    else:
        lines += ["", "no orders"]
    return [line(each) for each in lines]  # an override file may have been written by hand


def _region(region: "RegionStatus") -> tuple[str, ...]:
    latency = "-" if region.latency_s is None else f"{region.latency_s * 1000:.0f} ms"
    in_flight = "-" if region.in_flight is None else str(region.in_flight)
    budget = "" if region.budget is None else f" of {region.budget}"
    notes = [f"suspended by {id_}" for id_ in region.suspended_by]
    notes += ["drained"] if region.drained else []
    notes += ["misses its promised latency"] if region.missing_slo else []
    notes += region.unfit
    return region.region, region.state, latency, in_flight + budget, "; ".join(notes)


def _order(order: "Suspension", status: "Status") -> tuple[str, ...]:
    if order.id in status.inert:
        force = "inert: the policy has no such thing"
    elif order.in_force(status.at_s):
        force = "yes"
    else:
        force = f"from {_moment(order.from_s)}" if status.at_s < order.from_s else "ended"
    until = "it is resumed" if order.until_s is None else _moment(order.until_s)
    return order.id, f"{order.kind} {order.name}", force, until, ", ".join(order.approved_by), order.reason


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
