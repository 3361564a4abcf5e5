"""`situs policy diff`: what changes from one policy to another, in every answer."""

import argparse
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import CONFIGURATION, FINDINGS, OK, USAGE, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.review.difference import Difference

_EPILOG = dedent(
    """\
    Asks both policies everything: every tenant, class, model and place, at every moment from the first on at which both
    are in force (or with --at, at that one). Regions are the same where their ids are. Whatever no answer shows (which
    signals are read, how tenants are matched, the edge, orders, citations) is listed from the two texts, and marked
    where by itself it may let requests go where they might not.

    --fail-on widening fails where data may go to more regions, where a request is served that was refused (a new
    tenant, model or class is one), where a part of the text may widen, or where policies that differ share no tenant or
    no model, so that nothing can be compared. --fail-on any fails on any difference.

    examples:
      situs policy diff live.yaml candidate.yaml
      situs policy diff live.yaml candidate.yaml --at 2027-01-01
      situs policy diff live.yaml candidate.yaml --fail-on widening    in a pipeline, before a release

    exit codes: 0 compared, 1 wrong usage, or a policy is not in force at --at, 6 what --fail-on names was
    found, 78 a policy cannot be used
    """
)


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the group `situs policy`."""
    parser = subcommands.add_parser(
        "diff",
        help="say what changes from one policy to another",
        description="Say what changes from policy A to policy B, for every request that there can be.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("before", type=Path, metavar="A", help="the policy as it was, YAML")
    parser.add_argument("after", type=Path, metavar="B", help="the policy as it will be, YAML")
    parser.add_argument("--at", metavar="DATE", help="compare this day or moment alone")
    parser.add_argument("--fail-on", choices=("widening", "any"), help="exit with 6 where this is found")
    parser.add_argument("--json", action="store_true", help="print the difference as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from extproc.cli.policy.pages import print_json, say
    from extproc.cli.policy.times import parse_at
    from extproc.policy.load import load_policy
    from extproc.review.difference import NotInForceError, compare, difference_in_words
    from extproc.strict_yaml import DocumentError, UnfitError

    loaded = []
    for path in (args.before, args.after):
        try:
            loaded.append(load_policy(path))
        except DocumentError as error:
            return refuse(error, CONFIGURATION)
    a, b = loaded
    try:
        at_s = None if args.at is None else parse_at(args.at, b)
        difference = compare(a, b, at_s=at_s)
    except (UnfitError, NotInForceError) as error:
        return refuse(error, USAGE)
    if args.json:
        print_json(_plain(difference))
    else:
        for line in difference_in_words(difference, a, b):
            words = line.lstrip()
            say(words, len(line) - len(words))
    return _code(difference, args.fail_on)


def _code(difference: "Difference", fail_on: str | None) -> int:
    found = {"widening": difference.widens, "any": difference.differs}
    return FINDINGS if fail_on is not None and found[fail_on] else OK


def _plain(difference: "Difference") -> dict[str, object]:
    """Give the difference as JSON, in which there is no infinity: a span without an end has none."""
    from extproc.cli.policy.pages import plain
    from extproc.review.difference import Effect, groups_of

    return {
        "before": plain(difference.before),
        "after": plain(difference.after),
        "differs": difference.differs,
        "widens": difference.widens,
        "moments": plain(difference.moments),
        "asked": difference.asked,
        "alone_before": difference.alone_before,
        "alone_after": difference.alone_after,
        "changed": difference.changed,
        "counts": {effect.value: difference.count(effect) for effect in Effect},
        "added": plain(difference.added),
        "removed": plain(difference.removed),
        "edits": plain(difference.edits),
        "groups": [_finite(plain(group)) for group in groups_of(difference)],
        "changes": [_finite(plain(change)) for change in difference.changes],
    }


def _finite(value: object) -> object:
    from math import isinf

    match value:
        case dict():
            return {name: _finite(part) for name, part in value.items()}
        case list():
            return [_finite(part) for part in value]
        case float() if isinf(value):
            return None
        case _:
            return value
