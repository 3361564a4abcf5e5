"""`situs policy matrix`: who may go where, as a table, a CSV file or a heat map."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import OK, USAGE, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.review.matrix import Matrix

_EPILOG = dedent(
    """\
    Rows are the places from which a tenant expects requests (`expects:`; those that any tenant expects, or all places,
    where it states none). Columns are the regions. Places that are answered alike share a row in text and, without
    --all, in HTML; a CSV file has a line for each tenant, class, model, place and region, with rule and citation.
    'permitted_abroad' there, and U in the others, is a region in another country to which no regime restricts it.
    The table is what the policy says, not legal advice; regimes that their author has not verified are marked.
    The HTML page is one file that needs no network and no script.

    examples:
      situs policy matrix policy.yaml
      situs policy matrix policy.yaml --tenant acme-bank --class special --at 2027-01-01
      situs policy matrix policy.yaml --every-class --output matrix.html
      situs policy matrix policy.yaml --all --format csv | grep transfer

    exit codes: 0 written, 1 wrong usage, 78 the policy cannot be used or the file cannot be written
    """
)


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the group `situs policy`."""
    parser = subcommands.add_parser(
        "matrix",
        help="show which regions may process what",
        description="Show which regions may process whose data: places down, regions across, on one day.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("policy", type=Path, metavar="FILE", help="the policy, YAML")
    for name, what in (("tenant", "this tenant"), ("model", "this model")):
        parser.add_argument(
            f"--{name}", action="append", default=[], metavar="NAME", help=f"only {what}; may be given again"
        )
    parser.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="NAME",
        help="data that is declared to be of this class (default: of the tenant's own); may be given again",
    )
    parser.add_argument("--every-class", action="store_true", help="every class, as if each were declared")
    parser.add_argument("--at", metavar="DATE", help="on this day, or at this moment with its offset (default: now)")
    parser.add_argument(
        "--all", action="store_true", help="every country, and every subdivision that the policy singles out"
    )
    parser.add_argument(
        "--format", choices=("text", "csv", "html"), help="default: what --output ends in (.csv, .html), else text"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there (default: print)")
    parser.add_argument("--json", action="store_true", help="print the matrix as JSON, instead of a format")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from extproc.cli.policy.times import parse_at
    from extproc.core.ids import DataClass, ModelId, TenantId
    from extproc.policy.load import load_policy
    from extproc.review.matrix import MatrixError, Wanted, matrix_of
    from extproc.strict_yaml import DocumentError, UnfitError

    if args.classes and args.every_class:
        return refuse("--class and --every-class exclude each other. Mend: give one of them", USAGE)
    if args.json and args.format is not None:
        return refuse("--json and --format exclude each other. Mend: give one of them", USAGE)
    form = args.format or _format_of(args.output)
    try:
        compiled = load_policy(args.policy)
    except DocumentError as error:
        return refuse(error)
    wanted = Wanted(
        tenants=tuple(map(TenantId, args.tenant)),
        models=tuple(map(ModelId, args.model)),
        classes=tuple(sorted(compiled.tables.classes) if args.every_class else map(DataClass, args.classes)),
        everywhere=args.all,
        grouped=not args.all or (form == "text" and not args.json),
    )
    try:
        matrix = matrix_of(compiled, parse_at(args.at, compiled), wanted)
    except (MatrixError, UnfitError) as error:
        return refuse(error, USAGE)
    return _write(_lines(args, form, matrix), args.output)


def _format_of(output: Path | None) -> str:
    """Tell the format by what the file's name ends in."""
    endings = {".csv": "csv", ".html": "html", ".htm": "html"}
    return "text" if output is None else endings.get(output.suffix.lower(), "text")


def _lines(args: argparse.Namespace, form: str, matrix: "Matrix") -> Iterable[str]:
    import json

    from extproc.cli.policy.pages import page_width, plain
    from extproc.review.matrix import format_csv, format_page, format_text

    if args.json:
        return [json.dumps(plain(matrix), ensure_ascii=False) + "\n"]
    if form == "csv":
        return format_csv(matrix)
    if form == "html":
        return format_page(matrix)
    width = page_width() if args.output is None and sys.stdout.isatty() else 100
    return (line + "\n" for line in format_text(matrix, width))


def _write(parts: Iterable[str], output: Path | None) -> int:
    if output is None:
        sys.stdout.writelines(parts)
        return OK
    try:
        with output.open("w", encoding="utf-8") as file:
            file.writelines(parts)
    except OSError as error:
        return refuse(f"{output} cannot be written: {error.strerror}. Mend: name a file in a folder of yours")
    print(f"wrote {output}")
    return OK
