"""`situs suspend` and `situs resume`: pull a legal trigger, and release it.

A trigger takes a region, a permit or a model out of every decision.
"""

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, assert_never

from extproc.cli.exits import OK, USAGE, refuse
from extproc.core.overrides import Suspension, TargetKind

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.policy.compile import CompiledPolicy

_APPROVERS = 2
_ONE_TARGET = "an order is about one thing. Mend: name a region, or give --permit, or --model"

_EPILOG = dedent(
    """\
    The order is written to the override file, atomically and durably, and a running sidecar that watches the file
    takes it within a second and records it. No sidecar need be running, and Envoy needs no new configuration.

    examples:
      situs suspend me-dxb --overrides overrides.yaml --policy policy.yaml --reason "injunction 4 O 12/26" \\
          --until 2027-01-01 --approved-by "A. Counsel" --approved-by "B. Officer"
      situs suspend --permit eu-gdpr.dpf ...       no decision rests on it: what it let through needs another permit
      situs suspend --model fraud ...              no decision serves it
      situs resume me-dxb --overrides overrides.yaml

    exit codes: 0 done, 1 wrong usage, 78 the override file cannot be used
    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both commands."""
    suspend = commands.add_parser(
        "suspend",
        help="take a region, a permit or a model out of every decision, by a legal trigger",
        description="Suspend a region, a permit or a model: no decision uses it from now on, whatever the policy "
        "permits.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _targets(suspend)
    suspend.add_argument("--reason", required=True, help="why; is recorded and may be shown")
    suspend.add_argument(
        "--until", required=True, metavar="MOMENT", help="a day (to its end, UTC) or a moment with its offset"
    )
    suspend.add_argument(
        "--approved-by", action="append", default=[], metavar="NAME", help="give it twice: two people approve"
    )
    suspend.add_argument(
        "--policy", type=Path, metavar="FILE", help="refuse what this policy does not have (default: take anything)"
    )
    suspend.set_defaults(run=_suspend)
    resume = commands.add_parser(
        "resume",
        help="end every suspension of a region, a permit or a model",
        description="Resume what was suspended: remove each suspension of it from the override file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _targets(resume)
    resume.set_defaults(run=_resume)
    for parser in (suspend, resume):
        parser.add_argument("--overrides", type=Path, required=True, metavar="FILE", help="the override file")
        parser.add_argument("--json", action="store_true", help="print the orders now in the file as JSON")


def _targets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("region", nargs="?", help="the region, as the policy names it")
    parser.add_argument("--permit", metavar="REGIME.PERMIT", help="a permit, with its regime: eu-gdpr.dpf")
    parser.add_argument("--model", metavar="NAME", help="a model")


def _target(args: argparse.Namespace) -> "tuple[TargetKind, str] | None":
    """Give the one thing that the order is about, None where it is not one."""
    given = [
        (kind, name)
        for kind, name in (
            (TargetKind.REGION, args.region),
            (TargetKind.PERMIT, args.permit),
            (TargetKind.MODEL, args.model),
        )
        if name is not None
    ]
    return given[0] if len(given) == 1 else None


def _known(policy: "CompiledPolicy", kind: TargetKind) -> list[str]:
    """List what a policy has of a kind."""
    match kind:
        case TargetKind.REGION:
            return sorted(policy.tables.index)
        case TargetKind.MODEL:
            return sorted(policy.tables.models)
        case TargetKind.PERMIT:
            return [f"{regime.id}.{permit.id}" for regime in policy.document.regimes for permit in regime.permits]
    assert_never(kind)


def _suspend(args: argparse.Namespace) -> int:
    from extproc.policy.load import load_policy
    from extproc.policy.override_file import new_override_id
    from extproc.policy.parse.overrides import LONGEST_REASON
    from extproc.policy.parse.scalars import parse_end
    from extproc.strict_yaml import DocumentError, UnfitError

    approvers = sorted(set(args.approved_by))
    if len(approvers) < _APPROVERS:
        return refuse("a suspension needs two approvers. Mend: give --approved-by twice, two names", USAGE)
    if not args.reason.strip() or len(args.reason) > LONGEST_REASON:
        return refuse(f"a suspension needs a reason of at most {LONGEST_REASON} characters. Mend: mend --reason", USAGE)
    target = _target(args)
    if target is None:
        return refuse(_ONE_TARGET, USAGE)
    kind, name = target
    if args.policy is not None:
        try:
            known = _known(load_policy(args.policy), kind)
        except DocumentError as error:
            return refuse(error)
        if name not in known:
            return refuse(f"{args.policy} has no {kind} {name}. Mend: name one of {', '.join(known)}", USAGE)
    try:
        until_s = parse_end(args.until).timestamp()
    except UnfitError as error:
        return refuse(f"--until: {error}", USAGE)
    now_s = time.time()
    if until_s <= now_s:
        return refuse(f"--until {args.until} has passed. Mend: name a later moment", USAGE)

    def add(before: tuple[Suspension, ...]) -> tuple[Suspension, ...]:
        order = Suspension(
            id=new_override_id(before, datetime.now(UTC)),
            kind=kind,
            name=name,
            reason=args.reason,
            from_s=now_s,
            until_s=until_s,
            approved_by=tuple(approvers),
        )
        return (*before, order)

    checked = "" if args.policy is not None else " (not checked against a policy: see --policy)"
    return _change(args, add, lambda: f"{name} is suspended until {args.until}{checked}")


def _resume(args: argparse.Namespace) -> int:
    target = _target(args)
    if target is None:
        return refuse(_ONE_TARGET, USAGE)
    kind, name = target
    removed: list[str] = []

    def remove(before: tuple[Suspension, ...]) -> tuple[Suspension, ...]:
        removed.extend(order.id for order in before if (order.kind, order.name) == target)
        return tuple(order for order in before if (order.kind, order.name) != target)

    code = _change(args, remove, lambda: f"{name} is resumed: removed {', '.join(removed)}" if removed else "")
    if code == OK and not removed:
        return refuse(f"{args.overrides} holds no suspension of the {kind} {name}. Mend: check the name", USAGE)
    return code


def _change(
    args: argparse.Namespace,
    change: Callable[[tuple[Suspension, ...]], tuple[Suspension, ...]],
    say: Callable[[], str],
) -> int:
    from extproc.policy.override_file import change_overrides
    from extproc.strict_yaml import DocumentError

    if not args.overrides.exists():
        return refuse(
            f"{args.overrides} does not exist. Mend: name the file that was given to `situs serve --overrides`"
        )
    try:
        orders = change_overrides(args.overrides, change)
    except (DocumentError, OSError) as error:
        return refuse(error)
    if args.json:
        rows = [
            {"id": o.id, o.kind.value: o.name, "reason": o.reason, "from": o.from_s, "until": o.until_s} for o in orders
        ]
        print(json.dumps(rows, indent=2))
    elif said := say():
        print(said)
    return OK
