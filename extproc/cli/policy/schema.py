"""`situs policy schema`: the language as a JSON Schema, for editors."""

import argparse
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import OK, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_EPILOG = dedent(
    """\
    An editor with a YAML language server completes and explains each field if the policy's first line names the schema:
      # yaml-language-server: $schema=situs-policy.schema.json

    The schema knows fields, forms and vocabularies. What names refer to, and what follows from a policy, it does not:
    see situs policy check and situs policy lint.

    example:
      situs policy schema --output situs-policy.schema.json

    exit codes: 0 written, 1 wrong usage, 78 the file cannot be written
    """
)


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subcommands.add_parser(
        "schema",
        help="print the language as a JSON Schema",
        description="Print the language of policies as a JSON Schema (draft 2020-12).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write it there (default: standard output)")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from extproc.policy.schema import read_schema

    schema = read_schema()
    if args.output is None:
        print(schema, end="")
        return OK
    try:
        args.output.write_text(schema, encoding="utf-8")
    except OSError as error:
        return refuse(f"{args.output} cannot be written ({error.strerror}). Mend: check the path")
    print(f"wrote {args.output}")
    return OK
