"""`situs policy check`: whether a policy can be used at all."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import OK, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.policy.compile import CompiledPolicy

_EPILOG = dedent(
    """\
    Every fault is listed with file, line, column and the mend. The revision is the digest of the policy's canonical
    form: comments and layout do not change it, meaning does. It stands in every decision record. Of a bundle the policy
    alone is checked; who signed it is for situs policy verify.

    example:
      situs policy check policy.yaml

    exit codes: 0 the policy can be used, 1 wrong usage, 78 it cannot
    """
)


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the group `situs policy`."""
    check = subcommands.add_parser(
        "check",
        help="parse and compile a policy, or list everything that is wrong with it",
        description="Parse and compile a policy, or list everything that is wrong with it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("policy", type=Path, metavar="FILE", help="the policy, YAML, or a bundle of it")
    check.add_argument("--json", action="store_true", help="print the summary as JSON")
    check.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    from extproc.policy.load import load_policy
    from extproc.strict_yaml import DocumentError

    try:
        compiled = load_policy(args.policy)
    except DocumentError as error:
        return refuse(error)
    summary = _summary(compiled)
    if args.json:
        print(json.dumps(summary, indent=2))
    else:
        for name, value in summary.items():
            print(f"{name:10} {' '.join(value) if isinstance(value, list) else value}")
    return OK


def _summary(compiled: "CompiledPolicy") -> dict[str, str | int | list[str]]:
    tables, identity = compiled.tables, compiled.document.identity
    today = datetime.now(UTC).date()
    return {
        "policy": tables.id,
        "version": tables.version,
        "in force": f"from {identity.as_of}{' (NOT YET: refused until then)' if identity.as_of > today else ''}",
        "review by": f"{identity.review_by}{' (OVERDUE)' if identity.review_by < today else ''}",
        "revision": tables.revision,
        "regions": [region.id for region in tables.regions],
        "classes": sorted(tables.classes),
        "tenants": sorted(tables.tenants),
        "models": sorted(tables.models),
    }
