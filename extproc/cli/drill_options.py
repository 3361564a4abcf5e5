"""The options of `situs drill`, and which of them go together."""

import argparse
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from extproc.drill.scenarios import Scenario

_NAMES: Final = ("region-loss", "brown-out", "sidecar-kill", "suspension", "reload", "geo-loss")
_LEAST_PER_S: Final = 10.0
_MOST_PER_S: Final = 200.0
_FORMS: Final = (".md", ".json")
_DEMO_ONLY: Final = ("dir", "models", "envoy")
_LIVE_ONLY: Final = (
    "url",
    "header",
    "body",
    "policy",
    "overrides",
    "log",
    "approved_by",
    "break_command",
    "mend_command",
    "yes",
)
_LIVE_NEEDS: Final = ("url", "policy", "log", "key", "report")
_FLAGS: Final = {"break_command": "--break", "mend_command": "--mend", "approved_by": "--approved-by"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add every option."""
    scenarios = parser.add_argument(
        "scenario",
        nargs="+",
        default=[],
        type=_scenario,
        metavar="SCENARIO",
        help=f"what to rehearse: {', '.join(_NAMES)}",
    )
    # With `*` none could stand after an option: argparse takes the first place where none stands for all.
    scenarios.required = False
    parser.add_argument("--all", action="store_true", help="all six; takes about a minute and a half")
    parser.add_argument(
        "--rate",
        type=_rate,
        default=100.0,
        metavar="N",
        help=f"requests a second, {_LEAST_PER_S:g} to {_MOST_PER_S:g} (default: %(default)g)",
    )
    parser.add_argument(
        "--report",
        type=_report,
        metavar="FILE",
        help="write the report there, .md or .json (default: drill.md in the folder of the evidence)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON, and no table")
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="the keeper's signing key, mode 0600; made if it is not there (default: one beside the evidence)",
    )
    parser.add_argument("--node", help="whose keeper records it (default: the only node of the log)")
    _add_demo(parser)
    _add_live(parser)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a system that is started for the drill")
    group.add_argument(
        "--dir", type=Path, metavar="DIR", help="where the evidence goes; must be empty (default: a new temporary one)"
    )
    group.add_argument(
        "--models", type=Path, metavar="DIR", help="a model store with `digits` (default: build/models, else train one)"
    )
    group.add_argument(
        "--envoy", metavar="FILE", help="the Envoy binary (default: $SITUS_ENVOY, then the installed one)"
    )


def _add_live(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a live system")
    group.add_argument("--live", action="store_true", help="drill the system at --url, which serves people")
    group.add_argument("--yes", action="store_true", help="disturb it; without it, say what would be done")
    group.add_argument("--url", type=_url, metavar="URL", help="what is requested, through Envoy")
    group.add_argument(
        "--header",
        type=_header,
        action="append",
        default=[],
        metavar="NAME: VALUE",
        help="a header of each request, also as NAME=VALUE; may be given again",
    )
    group.add_argument("--body", type=Path, metavar="FILE", help="POST this (default: GET)")
    group.add_argument("--policy", type=Path, metavar="FILE", help="the policy that is in force")
    group.add_argument("--overrides", type=Path, metavar="FILE", help="the override file; for `suspension`")
    group.add_argument(
        "--approved-by", action="append", default=[], metavar="NAME", help="give it twice; for `suspension`"
    )
    group.add_argument("--log", type=Path, metavar="DIR", help="the logs, as `situs serve --log` has it")
    group.add_argument("--break", dest="break_command", metavar="COMMAND", help="breaks it as the scenario says")
    group.add_argument("--mend", dest="mend_command", metavar="COMMAND", help="undoes that; is run whatever happens")


def usage_fault(args: argparse.Namespace) -> str | None:
    """Say what is wrong with the options as a whole, None where nothing is."""
    if args.all == bool(args.scenario):
        return f"name what to rehearse, or give --all, and not both. Mend: give --all, or some of {', '.join(_NAMES)}"
    wrong = [name for name in (_DEMO_ONLY if args.live else _LIVE_ONLY) if getattr(args, name)]
    if wrong:
        where = "without --live" if args.live else "with --live"
        return f"{', '.join(map(_flag, wrong))} can be used only {where}. Mend: choose which system is drilled"
    missing = [name for name in _LIVE_NEEDS if args.live and getattr(args, name) is None]
    if missing:
        return f"a live system needs {', '.join(map(_flag, missing))}. Mend: see the examples of `situs drill --help`"
    if args.body is not None and not args.body.is_file():
        return f"--body: {args.body} is no file. Mend: name the file that holds what a request sends"
    return None


def scenarios_of(args: argparse.Namespace) -> "tuple[Scenario, ...]":
    """Give the scenarios that were asked for, each once, in their order."""
    from extproc.drill.scenarios import Scenario

    return tuple(Scenario) if args.all else tuple(Scenario(name) for name in dict.fromkeys(args.scenario))


def _flag(name: str) -> str:
    return _FLAGS.get(name, f"--{name}")


def _scenario(text: str) -> str:
    if text not in _NAMES:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(_NAMES)}, found {text!r}")
    return text


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not isfinite(rate) or not _LEAST_PER_S <= rate <= _MOST_PER_S:
        raise argparse.ArgumentTypeError(f"expected {_LEAST_PER_S:g} to {_MOST_PER_S:g}, found {text!r}")
    return rate


def _report(text: str) -> Path:
    path = Path(text)
    if path.suffix not in _FORMS:
        raise argparse.ArgumentTypeError(f"expected a file that ends in {' or '.join(_FORMS)}, found {text!r}")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{path.parent} is no folder")
    return path


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"expected http:// or https://, found {text!r}")
    return text


def _header(text: str) -> tuple[str, str]:
    at = min((text.index(mark) for mark in ":=" if mark in text), default=0)
    if not at:
        raise argparse.ArgumentTypeError("expected NAME: VALUE or NAME=VALUE")
    return text[:at].strip(), text[at + 1 :].strip()
