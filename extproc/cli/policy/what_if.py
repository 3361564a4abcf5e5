"""`situs policy what-if`: what a change would do to every answer."""

import argparse
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import OK, USAGE, refuse
from extproc.cli.policy.pages import plain, print_json, say

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from datetime import date

    from extproc.core.ids import MechanismId, TenantId
    from extproc.policy.document import PolicyDocument
    from extproc.review.what_if import Difference, Supposition

_EPILOG = dedent(
    """\
    Asks everything that can be asked, before and after: every kind of tenant, class, model and place from which the
    tenant expects requests (`expects:`; all places where it states none, or with --all). What is given together is
    supposed together. Counted are questions, and tenants that the policy cannot tell apart count once. Only sets are
    compared: in which order the regions are tried is not asked.

    examples:
      situs policy what-if policy.yaml --down eu-fra
      situs policy what-if policy.yaml --suspend-permit eu-gdpr.dpf
      situs policy what-if policy.yaml --without-mechanism acme-bank.dpf --down eu-ams
      situs policy what-if policy.yaml --at 2031-12-28 --all --json

    exit codes: 0 told, whatever changes, 1 wrong usage, 78 the policy cannot be used
    """
)


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subcommands.add_parser(
        "what-if",
        help="say what an outage, an injunction or a date would do",
        description="Say which requests would be refused, go elsewhere, lose their failover or become transfers.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("policy", type=Path, metavar="FILE", help="the policy, YAML")
    parser.add_argument(
        "--down", action="append", default=[], metavar="REGION", help="the region cannot serve; may be given again"
    )
    parser.add_argument(
        "--suspend-permit",
        action="append",
        default=[],
        metavar="REGIME.PERMIT",
        help="the permit falls; may be given again",
    )
    parser.add_argument(
        "--without-mechanism",
        action="append",
        default=[],
        metavar="TENANT.MECHANISM",
        help="the tenant no longer has the mechanism; may be given again",
    )
    parser.add_argument("--at", metavar="MOMENT", help="it is this day, or this moment with its offset")
    parser.add_argument("--now", metavar="MOMENT", help="compare with this day or moment (default: now)")
    parser.add_argument("--all", action="store_true", help="ask for all places, whatever tenants expect")
    parser.add_argument("--json", action="store_true", help="print everything that changes as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from extproc.cli.policy.times import parse_at
    from extproc.policy.load import load_policy
    from extproc.review.what_if import SuppositionError, what_if
    from extproc.review.words import day_of, joined
    from extproc.strict_yaml import DocumentError, UnfitError

    if not (args.down or args.suspend_permit or args.without_mechanism or args.at):
        given = "--down, --suspend-permit, --without-mechanism and --at"
        return refuse(f"nothing is supposed. Mend: give at least one of {given}", USAGE)
    try:
        compiled = load_policy(args.policy)
    except DocumentError as error:
        return refuse(error)
    try:
        now_s = parse_at(args.now, compiled)
        supposed = _supposed(args, None if args.at is None else parse_at(args.at, compiled))
        found = what_if(compiled, supposed, now_s, everywhere=args.all)
    except (UnfitError, SuppositionError) as error:
        return refuse(error, USAGE)
    if args.json:
        print_json({"supposed": plain(supposed), **_plain(found)})
    else:
        say(f"If {supposed.in_words()}:", 0)
        silent = [id_ for id_, entry in sorted(compiled.document.tenants.items()) if entry.expects is None]
        if silent and not args.all:
            say(f"(No 'expects' is written for {joined(silent)}, so all places are asked about for them.)", 0)
        print_difference(found, compiled.document, day_of(supposed.at_s or now_s))
    return OK


def print_difference(found: "Difference", document: "PolicyDocument", day: "date", indent: int = 0) -> None:
    """Print what changes: the sum, then each group with whose requests they are."""
    from extproc.review.what_if import group_in_words, summary_in_words, who_in_words

    summary = summary_in_words(found)
    say(f"{summary}.", indent)
    for group in found.groups:
        effects = ", ".join(effect.value.replace("_", " ").upper() for effect in group.effects)
        say(f"{effects}, {group.count:,}: {group_in_words(group)}", indent + 2)
        for who in group.who:
            say(f"- {who_in_words(who, document, day)}", indent + 4)


def _plain(found: "Difference") -> dict[str, object]:
    from extproc.review.what_if import Effect

    counts = {effect.value: found.count(effect) for effect in Effect}
    return {"asked": found.asked, "changed": found.changed, "counts": counts, "groups": plain(found.groups)}


def _supposed(args: argparse.Namespace, at_s: float | None) -> "Supposition":
    from extproc.core.ids import RegionId
    from extproc.review.what_if import Supposition

    return Supposition(
        down=tuple(sorted({RegionId(name) for name in args.down})),
        permits=tuple(sorted(set(args.suspend_permit))),
        mechanisms=tuple(map(_mechanism, args.without_mechanism)),
        at_s=at_s,
    )


def _mechanism(written: str) -> "tuple[TenantId, MechanismId]":
    from extproc.core.ids import MechanismId, TenantId
    from extproc.strict_yaml import UnfitError

    tenant, dot, mechanism = written.rpartition(".")
    if not dot or not tenant or not mechanism:
        raise UnfitError(f"'{written}' names no tenant's mechanism", "write TENANT.MECHANISM, such as acme-bank.dpf")
    return TenantId(tenant), MechanismId(mechanism)
