"""`situs policy expiries`: everything that has a date, and what each date does."""

import argparse
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import FINDINGS, OK, USAGE, refuse
from extproc.cli.policy.pages import plain, print_json, say

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Sequence

    from extproc.policy.document import PolicyDocument
    from extproc.review.expiries import Due

_DEFAULT_DAYS = 90

_EPILOG = dedent(
    """\
    Lists permits, members of zones, legal orders and reviews in order of time, and compares the answers of the day
    before with those from the day on, so that it says what happens in effect. What ended before today is left out; a
    review that nobody made stays. A policy stays in force past its review.

    --within N leaves out what is further away. With --check the command fails if a review is overdue or due, or if
    something ends, within N days (90 if --within is not given): run it every night.

    examples:
      situs policy expiries policy.yaml
      situs policy expiries policy.yaml --check --within 30

    exit codes: 0 told, 1 wrong usage, 6 with --check: something is due, 78 the policy cannot be used
    """
)


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subcommands.add_parser(
        "expiries",
        help="list what begins, ends or is to be reviewed, and what that changes",
        description="List everything in a policy that has a date, and what it does to the answers.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("policy", type=Path, metavar="FILE", help="the policy, YAML")
    parser.add_argument("--within", type=int, metavar="DAYS", help="only what happens within so many days")
    parser.add_argument("--today", metavar="DAY", help="count from this day (default: today, UTC)")
    parser.add_argument("--check", action="store_true", help="fail if something is due")
    parser.add_argument("--all", action="store_true", help="ask for all places, whatever tenants expect")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from extproc.cli.policy.times import parse_today
    from extproc.policy.load import load_policy
    from extproc.review.expiries import foresee
    from extproc.strict_yaml import DocumentError, UnfitError

    if args.within is not None and args.within < 0:
        return refuse(f"--within {args.within} lies in the past. Mend: give 0 or more days", USAGE)
    try:
        compiled = load_policy(args.policy)
    except DocumentError as error:
        return refuse(error)
    try:
        today = parse_today(args.today)
    except UnfitError as error:
        return refuse(f"--today: {error}", USAGE)
    days = _DEFAULT_DAYS if args.within is None else args.within
    found = foresee(compiled, today, within=args.within, everywhere=args.all)
    due = [each for each in found if each.due_within(days)]
    if args.json:
        print_json({"today": today, "within": days, "due": len(due), "dates": [_plain(each, days) for each in found]})
    else:
        _print(found, compiled.document, days)
        print(f"{len(due)} due within {days} days")
    return FINDINGS if due and args.check else OK


def _print(found: "Sequence[Due]", document: "PolicyDocument", days: int) -> None:
    from extproc.cli.policy.what_if import print_difference
    from extproc.review.expiries import Event
    from extproc.review.words import counted, format_moment, joined

    for each in found:
        when = "today" if each.in_days == 0 else f"in {counted(each.in_days, 'day')}"
        if each.in_days < 0:
            when = f"{counted(-each.in_days, 'day')} ago"
        mark = " OVERDUE" if each.overdue else " DUE" if each.due_within(days) else ""
        print(f"{format_moment(each.at_s)} ({when}){mark}")
        reviews = [event.subject for event in each.events if event.event is Event.REVIEW]
        for event in each.events:
            if event.event is not Event.REVIEW:
                say(f"- {event.words}", 2)
        if reviews:
            say(f"- to have been reviewed by this day: {joined(reviews)}", 2)
        if each.effect is not None:
            say("In effect:", 2)
            print_difference(each.effect, document, each.day, 4)
    if not found:
        print("nothing in this policy has a date in that time")


def _plain(each: "Due", days: int) -> object:
    return {
        "day": plain(each.day),
        "at_s": each.at_s,
        "in_days": each.in_days,
        "overdue": each.overdue,
        "due": each.due_within(days),
        "events": plain(each.events),
        "changed": None if each.effect is None else each.effect.changed,
        "groups": None if each.effect is None else plain(each.effect.groups),
    }
