"""What `situs suspend` and `situs resume` have in common: what they take, and how they give an order."""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from extproc.cli.exits import NOT_YET, OK, USAGE, refuse

if TYPE_CHECKING:
    from extproc.control.orders import Action, Order

EPILOG: Final = dedent(
    """\
    With --overrides the order is written to the override file, atomically and durably, and a running sidecar that
    watches the file takes it within a second and records it. No sidecar need be running.
    With --control a running sidecar is told, writes the same file, and answers when the order is in force. It must have
    been started with --control, and you must be root, its own user, or one whom its --control-user names.
    Either way Envoy needs no new configuration, and every worker of the sidecar obeys.

    examples:
      situs suspend me-dxb --overrides overrides.yaml --policy policy.yaml --reason "injunction 4 O 12/26" \\
          --until 2027-01-01 --approved-by "A. Counsel" --approved-by "B. Officer"
      situs suspend me-dxb --control unix:/run/situs/control.sock --reason "injunction 4 O 12/26" \\
          --until 2027-01-01 --approved-by "A. Counsel" --approved-by "B. Officer"
      situs suspend --permit eu-gdpr.dpf ...       no decision rests on it: what it let through needs another permit
      situs suspend --model fraud ...              no decision serves it
      situs resume me-dxb --control unix:/run/situs/control.sock --reason "the injunction was lifted" \\
          --approved-by "A. Counsel" --approved-by "C. Officer"
      situs status                                 which orders are in force

    exit codes: 0 done, and with --control in force; 1 wrong usage, or an order that is not complete; 75 written, and
    not in force yet; 78 the override file or the control socket cannot be used
    """
)


def add_order(parser: argparse.ArgumentParser) -> None:
    """Add what both commands take."""
    parser.add_argument("region", nargs="?", help="the region, as the policy names it")
    parser.add_argument("--permit", metavar="REGIME.PERMIT", help="a permit, with its regime: eu-gdpr.dpf")
    parser.add_argument("--model", metavar="NAME", help="a model")
    parser.add_argument("--reason", required=True, help="why; is recorded and may be shown")
    parser.add_argument(
        "--approved-by", action="append", default=[], metavar="NAME", help="give it twice: two different people approve"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--overrides", type=Path, metavar="FILE", help="the override file; no sidecar need be running")
    where.add_argument(
        "--control", metavar="ADDRESS", help="the control socket of a running sidecar: unix:/run/situs/control.sock"
    )
    parser.add_argument("--json", action="store_true", help="print what came of it, and the orders that stand, as JSON")


def order_document(args: argparse.Namespace) -> dict[str, object]:
    """Give the order as it is written down, complete or not."""
    fields = ("region", "permit", "model", "reason", "until", "approved_by")
    return {field: getattr(args, field) for field in fields if getattr(args, field, None) is not None}


def give(args: argparse.Namespace, action: "Action", check: "Callable[[Order], None]") -> int:
    """Give an order, to the file or to a sidecar; `check` may refuse one that is complete."""
    from extproc.control.errors import ControlError, OrderError
    from extproc.control.orders import parse_order
    from extproc.strict_yaml import DocumentError

    document = order_document(args)
    try:
        order = parse_order(action, document, now_s=time.time())
        check(order)
        done = _tell(args.control, action, document) if args.control else _write(args.overrides, order)
    except OrderError as error:
        return refuse(error, USAGE)
    except (ControlError, DocumentError, OSError) as error:
        return refuse(error)
    if args.json:
        print(json.dumps(done, indent=2))
    else:
        print(_said(args, order, done))
    return NOT_YET if done["in_force"] is False else OK


def _write(path: Path, order: "Order") -> dict[str, object]:
    from extproc.control.errors import ControlError
    from extproc.control.orders import carry_out, suspension_to_document

    if not path.exists():
        raise ControlError(f"{path} does not exist. Mend: name the file that was given to `situs serve --overrides`")
    done = carry_out(order, path, now_s=time.time())
    return {
        "ids": [each.id for each in (*done.added, *done.ended)],
        "in_force": None,
        "orders": [suspension_to_document(each) for each in done.orders.suspensions],
    }


def _tell(address: str, action: "Action", document: Mapping[str, object]) -> dict[str, object]:
    from extproc.control.client import ask
    from extproc.control.errors import ControlError

    done = ask(address, f"/v1/{action}", document)
    if not {"ids", "in_force", "orders"} <= done.keys():
        raise ControlError(f"{address} answers something else. Mend: name the sidecar's control socket")
    return done


def _said(args: argparse.Namespace, order: "Order", done: Mapping[str, object]) -> str:
    from extproc.control.orders import Action

    ids = done["ids"]
    named = ", ".join(map(str, ids)) if isinstance(ids, list) else ""
    if order.action is Action.SUSPEND:
        checked = "" if args.control or args.policy else " (not checked against a policy: see --policy)"
        what = f"{order.name} is suspended until {args.until}: {named}{checked}"
    else:
        what = f"{order.name} is resumed: removed {named}"
    match done["in_force"]:
        case True:
            return f"{what}; in force"
        case False:
            return f"{what}; written, and NOT in force yet. Mend: see what the sidecar says in its event log"
        case _:
            return f"{what}; written, and a sidecar that watches the file takes it within a second"
