"""`situs policy coverage`: which rules of a policy its tests depend on."""

import argparse
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import FINDINGS, OK, USAGE, refuse
from extproc.cli.policy.pages import print_json

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_EPILOG = dedent(
    """\
    A rule is covered if a test that passes would fail without it: each rule is taken away in turn, and the tests are
    run again. A permit is taken away by suspending it. A tenant is covered by a test on its behalf. An obligation
    excludes no region, so that no test can notice it: it is covered by a test whose request it bears on. Rules that
    only order the regions (the active ones of active-passive) are tier 2's and are not counted.

    examples:
      situs policy coverage policy.yaml
      situs policy coverage policy.yaml --min 90 --json

    exit codes: 0 enough is covered, 1 wrong usage, 6 less than --min is covered, 78 the policy cannot be used
    """
)
_ALL = 100


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subcommands.add_parser(
        "coverage",
        help="list the rules that no test depends on",
        description="List the rules of a policy that none of its tests depends on.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("policy", type=Path, metavar="FILE", help="the policy, YAML")
    parser.add_argument(
        "--min", type=float, default=0, metavar="PERCENT", help="fail below this share of rules (default: 0)"
    )
    parser.add_argument("--json", action="store_true", help="print every rule as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from extproc.policy.load import load_policy, without_signatures
    from extproc.review.coverage import Lines, coverage_of
    from extproc.strict_yaml import DocumentError

    if not 0 <= args.min <= _ALL:
        return refuse(f"--min {args.min:g} is no percentage. Mend: give a number from 0 to 100", USAGE)
    try:
        compiled = load_policy(args.policy)
        lines = Lines(without_signatures(args.policy.read_bytes()), str(args.policy))
    except (DocumentError, OSError) as error:
        return refuse(error)
    coverage = coverage_of(compiled)
    if args.json:
        rules = [
            {
                "kind": each.rule.kind.value,
                "rule": each.rule.name,
                "line": lines.of(*each.rule.path),
                "covered_by": each.test,
            }
            for each in coverage.rules
        ]
        print_json({"percent": round(coverage.percent, 1), "failing_tests": coverage.failing, "rules": rules})
    else:
        for name in coverage.failing:
            print(f"the test '{name}' fails, so it covers nothing")
        missing = [each.rule for each in coverage.rules if each.test is None]
        for line, rule in sorted(((lines.of(*rule.path), rule) for rule in missing), key=lambda found: found[0]):
            print(f"{args.policy}:{line}: {rule.kind.replace('_', ' ')} {rule.name}: no test depends on it")
        print(f"{coverage.covered} of {len(coverage.rules)} rules covered ({coverage.percent:.1f} %)")
    return OK if coverage.percent >= args.min else FINDINGS
