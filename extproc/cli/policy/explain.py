"""`situs policy explain`: everything that leads to one answer, and what would change it."""

import argparse
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import OK, USAGE, refuse
from extproc.cli.policy.pages import page_width, print_json

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Collection, Sequence

    from extproc.core.ids import DataClass, Jurisdiction, RegionId
    from extproc.policy.compile import CompiledPolicy
    from extproc.policy.document import CaseInput

_EPILOG = dedent(
    """\
    Says which signal each jurisdiction comes from and which were replaced; which regimes govern, and by which of their
    conditions; for every region the permit or the exclusion, with its citation; the duties that follow; and what would
    change the answer, found by asking again with one thing changed, or two where one does not do.

    examples:
      situs policy explain policy.yaml --tenant acme-bank --country FR --class special
      situs policy explain policy.yaml --tenant acme-bank --country FR --to me-dxb --to US
      situs policy explain policy.yaml --tenant walk-in --model digits --geoip unknown --at 2027-07-01
      situs policy explain policy.yaml --tenant acme-bank --country FR --jwt DE --json | jq '.regions[].changes'

    exit codes: 0 explained, whatever the answer is, 1 wrong usage, 78 the policy cannot be used
    """
)


class _Once(argparse.Action):
    """An option that takes one value and is refused when it is given again: the last must not win unseen."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option_string} is given twice, and a request has one; give it once")
        setattr(namespace, self.dest, values)


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
    parser.add_argument("--tenant", action=_Once, metavar="T", help="on whose behalf (default: the only tenant)")
    parser.add_argument("--model", action=_Once, metavar="M", help="the model (default: the only model)")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--country", action=_Once, metavar="CODE", help="where the client's address is: FR, or CA-QC")
    place.add_argument(
        "--geoip", action=_Once, metavar="CODE", help="the same, or unknown for an address that is not known"
    )
    parser.add_argument("--jwt", action=_Once, metavar="CODE", help="the residency that a verified token claims")
    parser.add_argument("--header", action=_Once, metavar="CODE", help="the jurisdiction that the client declares")
    parser.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="C",
        help="a data class declared beside the tenant's own; may be given again, and all count",
    )
    parser.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="REGION_OR_COUNTRY",
        help="tell of this region, or of those in this country, alone; may be given again",
    )
    parser.add_argument(
        "--at",
        action=_Once,
        metavar="MOMENT",
        help="a day, or a moment with its offset (default: now, but not before the policy is in force)",
    )
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
        beside = _declared(args.classes, compiled)
        asked_about = _asked_about(args.to, compiled)
        now_s = parse_at(args.at, compiled)
    except (UnfitError, _QuestionError) as error:
        return refuse(error, USAGE)
    explanation = explain(compiled, given, now_s, beside)
    if asked_about:
        explanation = explanation.about(asked_about)
    if args.json:
        print_json(explanation)
    else:
        print(format_explanation(explanation, page_width()), end="")
    return OK


def _given(args: argparse.Namespace, compiled: "CompiledPolicy") -> "CaseInput":
    from extproc.core.ids import ModelId, TenantId
    from extproc.policy.document import CaseInput

    tables = compiled.tables
    located = args.country or args.geoip
    return CaseInput(
        tenant=TenantId(_one(args.tenant, tables.tenants, "tenant")),
        model=ModelId(_one(args.model, tables.models, "model")),
        geoip=None if located == "unknown" else _place(located),
        geoip_unknown=located == "unknown",
        jwt=_place(args.jwt),
        header=_place(args.header),
    )


def _declared(written: "Sequence[str]", compiled: "CompiledPolicy") -> "tuple[DataClass, ...]":
    from extproc.core.ids import DataClass

    return tuple(DataClass(_known(name, compiled.tables.classes, "class")) for name in dict.fromkeys(written))


def _asked_about(written: "Sequence[str]", compiled: "CompiledPolicy") -> "tuple[RegionId, ...]":
    """Give the regions that are named, or that stand in a place that is."""
    from extproc.core.iso3166 import COUNTRIES
    from extproc.policy.compile.epochs import is_subdivision
    from extproc.review.words import one_of, place_in_words, unknown_name

    regions = compiled.document.regions
    found: dict[RegionId, None] = {}
    for name in written:
        by_id = [region for region in regions if region == name]
        here = by_id or [id_ for id_, entry in regions.items() if name in (entry.country, entry.subdivision)]
        if not here:
            if name in COUNTRIES or (is_subdivision(name) and name[:2] in COUNTRIES and name.isupper()):
                _place(name)
                standing = one_of({entry.country for entry in regions.values()})
                message = f"no region of the policy stands in {place_in_words(name)}"
                raise _QuestionError(f"{message}. Mend: name a region, or a country in which one stands: {standing}")
            raise _QuestionError(unknown_name("region", name, regions, "--to"))
        found.update(dict.fromkeys(here))
    return tuple(found)


def _place(written: str | None) -> "Jurisdiction | None":
    from extproc.policy.parse.scalars import parse_jurisdiction
    from extproc.review.words import mend_of_subdivision

    if written is None:
        return None
    place = parse_jurisdiction(written)
    mend = mend_of_subdivision(place)
    if mend is not None:
        raise _QuestionError(f"there is no subdivision {place}. Mend: {mend}")
    return place


def _one(written: str | None, known: "Collection[str]", thing: str) -> str:
    from extproc.review.words import counted, one_of

    if written is not None:
        return _known(written, known, thing)
    if len(known) != 1:
        raise _QuestionError(
            f"the policy has {counted(len(known), thing)}. Mend: name one with --{thing}: {one_of(known)}"
        )
    return next(iter(known))


def _known(written: str, known: "Collection[str]", thing: str) -> str:
    from extproc.review.words import unknown_name

    if written not in known:
        raise _QuestionError(unknown_name(thing, written, known, f"--{thing}"))
    return written
