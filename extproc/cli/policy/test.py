"""`situs policy test`: run the tests that a policy carries."""

import argparse
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import FINDINGS, OK, USAGE, refuse
from extproc.cli.policy.pages import plain, print_json, say

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Sequence

    from extproc.review.cases import Outcome

_EPILOG = dedent(
    """\
    A test gives the facts of a request and the one answer that you expect of them:

      tests:
        - name: special data of a French patient stays in the EEA
          now: 2026-12-01
          in: {tenant: eu-clinic, model: digits, class: special, geoip: FR}
          expect: {permitted: [eu-ams, eu-fra]}          # exactly this set; transfers: [...] may stand beside
        - name: nobody knows where
          in: {tenant: walk-in, model: digits, geoip: unknown}
          expect: {refused: unknown_jurisdiction}        # a reason code; or redirect: HOST

    A failing test is shown with its line, both answers, and which rule did it for each region that differs. A policy
    without tests fails: nothing in it says what it is meant to do.

    examples:
      situs policy test policy.yaml
      situs policy test policy.yaml --junit build/policy-tests.xml

    exit codes: 0 all pass, 1 wrong usage, 6 some fail or there are none, 78 the policy cannot be used
    """
)


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subcommands.add_parser(
        "test",
        help="run the tests that the policy carries",
        description="Run the tests that the policy carries, and say why one fails.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("policy", type=Path, metavar="FILE", help="the policy, YAML")
    parser.add_argument("--json", action="store_true", help="print every outcome as JSON")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the outcomes for a CI system as well")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from extproc.policy.load import load_policy
    from extproc.review.cases import run_cases
    from extproc.strict_yaml import DocumentError

    try:
        compiled = load_policy(args.policy)
    except DocumentError as error:
        return refuse(error)
    outcomes = run_cases(compiled)
    if args.junit is not None:
        try:
            write_junit(args.junit, args.policy, outcomes)
        except OSError as error:
            return refuse(f"{args.junit} cannot be written ({error.strerror}). Mend: name another file", USAGE)
    if args.json:
        print_json({"passed": sum(each.passed for each in outcomes), "tests": [_plain(each) for each in outcomes]})
    else:
        for outcome in outcomes:
            _print(outcome, args.policy)
        print(f"{sum(each.passed for each in outcomes)} of {len(outcomes)} tests pass")
    if not outcomes:
        message = f"{args.policy}: the policy carries no tests. Mend: add 'tests:', see situs policy test --help"
        return refuse(message, FINDINGS)
    return OK if all(each.passed for each in outcomes) else FINDINGS


def write_junit(path: Path, policy: Path, outcomes: "Sequence[Outcome]") -> None:
    """Write the outcomes in the form that CI systems read. Raises OSError."""
    from xml.etree import ElementTree as ET

    failures = sum(not each.passed for each in outcomes)
    suite = ET.Element("testsuite", name=str(policy), tests=str(len(outcomes)), failures=str(failures))
    for outcome in outcomes:
        case = ET.SubElement(
            suite,
            "testcase",
            name=outcome.case.name,
            classname=policy.stem,
            file=str(policy),
            line=str(outcome.case.line),
        )
        if not outcome.passed:
            expected, got, why = _words(outcome)
            failure = ET.SubElement(case, "failure", message=f"expected {expected}; got {got}")
            failure.text = "\n".join(why)
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _print(outcome: "Outcome", policy: Path) -> None:
    if outcome.passed:
        print(f"ok    {outcome.case.name}")
        return
    expected, got, why = _words(outcome)
    print(f"FAIL  {policy}:{outcome.case.line}: {outcome.case.name}")
    say(f"expected  {expected}", 6, 10)
    say(f"got       {got}", 6, 10)
    for line in why:
        say(f"- {line}", 16)


def _words(outcome: "Outcome") -> tuple[str, str, list[str]]:
    from extproc.review.cases import answered_in_words, expectation_in_words

    expect = outcome.case.expect
    why = [f"{each.region}: {each.words}" for each in outcome.differing]
    return expectation_in_words(expect), answered_in_words(outcome.answered, expect), why


def _plain(outcome: "Outcome") -> object:
    expected, got, _ = _words(outcome)
    return {
        "name": outcome.case.name,
        "line": outcome.case.line,
        "passed": outcome.passed,
        "expected": expected,
        "got": got,
        "answered": plain(outcome.answered),
        "regions": plain(outcome.regions),
    }
