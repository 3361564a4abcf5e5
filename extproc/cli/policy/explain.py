"""`situs policy explain`: everything that leads to one answer, and what would change it."""

import argparse
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import OK, USAGE, refuse
from extproc.cli.policy.pages import page_width, print_json

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Collection

    from extproc.core.ids import Jurisdiction
    from extproc.policy.compile import CompiledPolicy
    from extproc.policy.document import CaseInput

_EPILOG = dedent(
    """\
    Says which signal each jurisdiction comes from and which were replaced; which regimes govern, and by which of their
    conditions; for every region the permit or the exclusion, with its citation; the duties that follow; and what would
    change the answer, found by asking again with one thing changed, or two where one does not do.

    examples:
      situs policy explain policy.yaml --tenant acme-bank --country FR --class special
      situs policy explain policy.yaml --tenant walk-in --model digits --geoip unknown --at 2027-07-01
      situs policy explain policy.yaml --tenant acme-bank --country FR --jwt DE --json | jq '.regions[].changes'

    exit codes: 0 explained, whatever the answer is, 1 wrong usage, 78 the policy cannot be used
    """
)


class _QuestionError(ValueError):
    """What is asked for is not in the policy; the message names the mend."""


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subcommands.add_parser(
        "explain",
        help="say why a request may go where, and what would change that",
        description="Explain what the policy answers to one request, with every rule and its citation.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("policy", type=Path, metavar="FILE", help="the policy, YAML")
    parser.add_argument("--tenant", metavar="T", help="on whose behalf (default: the only tenant)")
    parser.add_argument("--model", metavar="M", help="the model (default: the only model)")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--country", metavar="CODE", help="where the client's address is: FR, or CA-QC")
    place.add_argument("--geoip", metavar="CODE", help="the same, or unknown for an address that is not known")
    parser.add_argument("--jwt", metavar="CODE", help="the residency that a verified token claims")
    parser.add_argument("--header", metavar="CODE", help="the jurisdiction that the client declares")
    parser.add_argument("--class", dest="data_class", metavar="C", help="a data class declared beside the tenant's own")
    parser.add_argument("--at", metavar="MOMENT", help="a day, or a moment with its offset (default: now, but not "
                        "before the policy is in force)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from extproc.cli.policy.times import parse_at
    from extproc.policy.load import load_policy
    from extproc.review.explain import explain, format_explanation
    from extproc.strict_yaml import DocumentError, UnfitError

    try:
        compiled = load_policy(args.policy)
    except DocumentError as error:
        return refuse(error)
    try:
        given = _given(args, compiled)
        now_s = parse_at(args.at, compiled)
    except (UnfitError, _QuestionError) as error:
        return refuse(error, USAGE)
    explanation = explain(compiled, given, now_s)
    if args.json:
        print_json(explanation)
    else:
        print(format_explanation(explanation, page_width()), end="")
    return OK


def _given(args: argparse.Namespace, compiled: "CompiledPolicy") -> "CaseInput":
    from extproc.core.ids import DataClass, ModelId, TenantId
    from extproc.policy.document import CaseInput

    tables = compiled.tables
    if args.data_class is not None:
        _known(args.data_class, tables.classes, "--class")
    located = args.country or args.geoip
    return CaseInput(
        tenant=TenantId(_one(args.tenant, tables.tenants, "--tenant")),
        model=ModelId(_one(args.model, tables.models, "--model")),
        data_class=None if args.data_class is None else DataClass(args.data_class),
        geoip=None if located == "unknown" else _place(located),
        geoip_unknown=located == "unknown",
        jwt=_place(args.jwt),
        header=_place(args.header),
    )


def _place(written: str | None) -> "Jurisdiction | None":
    from extproc.policy.parse.scalars import parse_jurisdiction

    return None if written is None else parse_jurisdiction(written)


def _one(written: str | None, known: "Collection[str]", option: str) -> str:
    if written is not None:
        return _known(written, known, option)
    if len(known) != 1:
        raise _QuestionError(f"the policy has {len(known)}. Mend: give {option}, one of {', '.join(sorted(known))}")
    return next(iter(known))


def _known(written: str, known: "Collection[str]", option: str) -> str:
    if written not in known:
        raise _QuestionError(f"the policy has no {written}. Mend: give {option}, one of {', '.join(sorted(known))}")
    return written
