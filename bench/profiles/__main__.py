"""The command line of the comparison."""

import argparse
import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from textwrap import dedent
from typing import Final

from bench.profiles.evidence import examine
from bench.profiles.figures import Figures, summarise
from bench.profiles.report import MARKDOWN, run_of, write_results
from bench.profiles.story import FULL, SHORT, Effort, tell
from bench.profiles.table import MarkerError, table_in, updated
from extproc.core.tables import Profile
from extproc.demo.process import ProcessFailedError, python
from extproc.demo.world import default_models
from extproc.mesh.binary import EnvoyNotFoundError

_EPILOG: Final = dedent(
    """\
    Sends the same requests to three gateways that differ only in the profile of their policy, over emulated distances,
    and kills the two nearest regions for a part of each round.

    examples:
      python -m bench.profiles                        under three minutes
      python -m bench.profiles --short                under forty seconds: figures to look at, not to quote
      python -m bench.profiles --readme README.md     measures nothing: copies the last table into the README

    exit codes: 0 measured or copied, 1 could not, or a request went where it was not permitted to go
    """
)


def main() -> int:
    """Measure and write the results, or copy the table of the last ones."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.profiles",
        description="Compare the three profiles of a policy: what each guarantees and what it costs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--short", action="store_true", help="one short round")
    parser.add_argument(
        "--output", type=Path, default=Path("bench/results"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--readme", type=Path, metavar="FILE", help="copy the table of the last results into FILE; measure nothing"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("build"), metavar="DIR", help="where logs are written (default: %(default)s)"
    )
    args = parser.parse_args()
    if args.readme is not None:
        return _copy(args.output / MARKDOWN, args.readme)
    # A polite kill is a Ctrl-C: either way everything that was started is ended and the work folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        args.work.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="profiles-", dir=args.work.resolve()))
        try:
            figures = _measure(work, SHORT if args.short else FULL, args.output)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except KeyboardInterrupt:
        _say("stopped; no results were written")
        return 1
    except (ProcessFailedError, EnvoyNotFoundError, OSError) as error:
        _say(f"could not measure: {error}")
        return 1
    print(args.output / MARKDOWN)
    broken = [f"{profile.value}: {each.proof}" for profile, each in figures.items() if not each.proof.holds]
    for line in broken:
        _say(f"does not hold: {line}")
    return 1 if broken else 0


def _measure(work: Path, effort: Effort, output: Path) -> dict[Profile, Figures]:
    began_s = time.monotonic()
    models = default_models() or _train(work / "models")
    told = asyncio.run(tell(work, effort, models=models, say=_say))
    _say("reading and verifying the logs")
    cases, proofs = examine(told)
    figures = summarise(cases, proofs)
    write_results(output, run_of(cases, figures, effort, told.seconds))
    _say(f"took {time.monotonic() - began_s:.0f} s")
    return figures


def _train(store: Path) -> Path:
    subprocess.run([str(part) for part in python("inference.digits", "--output", store)], check=True)
    return store


def _copy(results: Path, readme: Path) -> int:
    try:
        table = table_in(results.read_text(encoding="utf-8"))
    except (OSError, MarkerError) as error:
        _say(f"{results}: {error}. Mend: run `python -m bench.profiles` first")
        return 1
    try:
        readme.write_text(updated(readme.read_text(encoding="utf-8"), table), encoding="utf-8")
    except (OSError, MarkerError) as error:
        _say(f"{readme}: {error}")
        return 1
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
