"""`situs mesh check`: tell whether an Envoy, or Istio's resources, could send a request where nobody permitted it."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent, indent, wrap
from typing import TYPE_CHECKING, Final

from extproc.cli.exits import OK, USAGE, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Iterable

    from extproc.mesh.check.judge import Judgement
    from extproc.mesh.check.read import Source
    from extproc.policy.compile import CompiledPolicy

FAULTS: Final = 3
"""Exit code where nothing leaks and something is to be mended."""
LEAKS: Final = 4
"""Exit code where something leaks."""

_EPILOG = dedent(
    """\
    Reads, told by content: an Envoy bootstrap (YAML or JSON) and the files that it names, a config_dump, answers of
    discovery (LDS, CDS, RDS, EDS), lists of listeners and clusters, Istio's resources, ConfigMaps that hold one of
    these. Parts that are given together belong together. What decides and cannot be read is a finding of its own.

    Istio's YAML shows what is asked for; only a proxy's dump shows what Istio made of it together with everything else
    that is applied. Check the YAML in the pull request, and the proxies when it is in force.

    examples:
      situs mesh check envoy.yaml --policy policy.yaml --mesh mesh.yaml
      situs mesh check --admin http://127.0.0.1:9901 --policy policy.yaml --mesh mesh.yaml
      situs mesh render --for istio --policy policy.yaml --mesh mesh.yaml |
        situs mesh check - --policy policy.yaml --mesh mesh.yaml
      kubectl -n istio-ingress exec deploy/istio-ingress -- pilot-agent request GET 'config_dump?include_eds' |
        situs mesh check - --policy policy.yaml --mesh mesh.yaml
      situs mesh check istio/ --policy policy.yaml --mesh mesh.yaml --sarif > check.sarif
      situs mesh check --rules                             every rule, and what happens where it is broken

    --json prints {"policy", "checked": {"origins", "listeners", "clusters", "routes_to_regions", "resources",
    "not_judged"}, "leaks", "faults", "findings": [{"rule", "severity", "title", "origin", "path", "message", "mend"}]}.
    Fields may be added to it; none is renamed or removed.

    exit codes: 0 nothing found, 1 wrong usage, 3 faults (nothing leaks), 4 leaks, 78 something cannot be read
    """
)


def register(actions: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    check = actions.add_parser(
        "check",
        help="find what in a configuration could send a request where nobody permitted it",
        description="Hold the configuration of an Envoy, or Istio's resources, against the policy and the mesh file: "
        "every way past the decision or out of its plan is a leak, with its place and its mend.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("files", nargs="*", metavar="FILE", help="files or directories to check; - is standard input")
    check.add_argument("--admin", metavar="URL", help="check what a running proxy has in force, by its admin port")
    check.add_argument("--policy", type=Path, metavar="FILE", help="the policy, YAML")
    check.add_argument("--mesh", type=Path, metavar="FILE", help="the mesh file, YAML")
    form = check.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the findings as JSON")
    form.add_argument("--sarif", action="store_true", help="print them as SARIF 2.1.0, for code scanners")
    check.add_argument("--rules", action="store_true", help="print every rule with its reason, and check nothing")
    check.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.rules:
        return _print_rules(as_json=args.json)
    lacking = [option for option in ("policy", "mesh") if getattr(args, option) is None]
    if lacking:
        options = " and ".join(f"--{option}" for option in lacking)
        return refuse(f"{options} not given. Mend: name what the configuration is held against", USAGE)
    if not args.files and args.admin is None:
        return refuse("nothing to check. Mend: name files, - for standard input, or --admin URL", USAGE)
    if args.files.count("-") > 1:
        return refuse("standard input can be read once. Mend: write - once", USAGE)
    return _check(args)


def _check(args: argparse.Namespace) -> int:
    from extproc.mesh.check.config import Expected
    from extproc.mesh.check.judge import judge
    from extproc.mesh.check.read import read_sources
    from extproc.mesh.parse import load_mesh
    from extproc.policy.load import load_policy
    from extproc.strict_yaml import DocumentError

    try:
        policy = load_policy(args.policy)
        mesh = load_mesh(args.mesh, policy.tables, policy.reading)
        read = read_sources(_sources(args.files, args.admin))
        judgement = judge(read, Expected(tables=policy.tables, reading=policy.reading, mesh=mesh))
    except DocumentError as error:
        return refuse(error)
    if args.sarif:
        from extproc.mesh.check.report import sarif_report

        print(json.dumps(sarif_report(judgement, read.texts), indent=2))
    elif args.json:
        _print_json(judgement, policy)
    else:
        _print_text(judgement)
    if judgement.leaks:
        return LEAKS
    return FAULTS if judgement.findings else OK


def _sources(files: "Iterable[str]", admin: str | None) -> "list[Source]":
    from extproc.mesh.check.admin import fetch_dump
    from extproc.mesh.check.read import Source, files_in, load_source
    from extproc.mesh.check.reading.documents import MOST_BYTES

    sources = []
    for file in files:
        if file == "-":
            sources.append(Source(origin="standard input", data=sys.stdin.buffer.read(MOST_BYTES + 1)))
        else:
            given = Path(file)
            sources.extend(replace(load_source(path), is_found=path != given) for path in files_in(given))
    if admin is not None:
        sources.append(fetch_dump(admin))
    return sources


def _print_json(judgement: "Judgement", policy: "CompiledPolicy") -> None:
    from extproc.mesh.check.report import json_report

    print(json.dumps(json_report(judgement, policy.tables.revision), indent=2))


def _print_text(judgement: "Judgement") -> None:
    from extproc.mesh.check.report import text_report

    if not sys.stdout.isatty():
        for line, _ in text_report(judgement):
            print(line)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line, style in text_report(judgement):
        console.print(Text(line, style=style))


def _print_rules(*, as_json: bool) -> int:
    from extproc.mesh.check.judge import ALL_RULES

    if as_json:
        rows = [
            {"id": rule.id, "severity": rule.severity.value, "title": rule.title, "why": rule.why}
            for rule in ALL_RULES.values()
        ]
        print(json.dumps(rows, indent=2))
        return OK
    for rule in ALL_RULES.values():
        print(f"{rule.id} ({rule.severity.value}): {rule.title}")
        print(indent("\n".join(wrap(rule.why, 110)), "    "))
    return OK
