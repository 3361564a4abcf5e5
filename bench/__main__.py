"""The command line of the benchmarks."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Final

from bench.handler import decision_entries, measure_handler
from bench.ladder import Load, climb, closed_and_open
from bench.policies import AROUND, FAR, measure_policies
from bench.records import measure_disk, measure_ledger
from bench.reload import Plan, measure_reloads
from bench.report import Results, write_results
from bench.synthetic import Size
from bench.targets import Target, handler_targets, ladder_targets, policy_targets, reload_targets
from extproc.demo.process import ProcessFailedError
from extproc.mesh.binary import EnvoyNotFoundError

_PARTS: Final = ("handler", "ledger", "policies", "ladder", "reload")
_RATE: Final = 1000.0

_EPILOG: Final = dedent(
    """\
    The ladder puts the same load on one rung after the other, in several rounds, through a real Envoy on loopback:
      1 backend only   2 Envoy   3 + no-op sidecar   4 + decisions   5 + records, page   6 + records, fsync
      7 a sidecar as samples of Python SDKs write it
    What is quoted is CPU time per request, by the kernel's account, and ratios within a round: both stand noise that
    throughput and percentiles do not. The column `foreign cores` says how much else the machine did meanwhile.

    examples:
      python -m bench                        everything, about five minutes
      python -m bench --full                 everything, about forty minutes: figures to quote
      python -m bench --only handler         what one request costs us without any I/O, seconds
      python -m bench --only policies        what a policy costs by its size, half a minute
      python -m bench --only reload          what changes under load cost the requests beside them, two minutes
      python -m bench --only ladder --work /var/tmp/bench    fsync on another disk

    Each run replaces the results in --output, also a run of one part only.

    exit codes: 0 measured (whether the targets are met is in the results), 1 could not measure
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effort:
    name: str
    rounds: int
    loads: tuple[Load, ...]
    handler_calls: int
    ledger_s: float
    sizes: tuple[Size, ...]
    reloads: Plan


_SHORT: Final = _Effort(
    name="short",
    rounds=3,
    loads=closed_and_open(one_s=0.4, saturated_s=1.0, open_s=0.5, rate=_RATE),
    handler_calls=500,
    ledger_s=0.4,
    sizes=AROUND,
    reloads=Plan(rounds=2, seconds=2.0, rate=200.0, every_s=1.0),
)
_FULL: Final = _Effort(
    name="full",
    rounds=5,
    loads=closed_and_open(one_s=3.0, saturated_s=5.0, open_s=5.0, rate=_RATE),
    handler_calls=10_000,
    ledger_s=5.0,
    sizes=(*AROUND, *FAR),
    reloads=Plan(rounds=5, seconds=10.0, rate=200.0, every_s=5.0),
)


def main() -> int:
    """Measure, write the results, and print where they are and which targets are met."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure what each layer of the request path costs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--short", action="store_true", help="about five minutes (the default)")
    effort.add_argument("--full", action="store_true", help="about forty minutes")
    parser.add_argument(
        "--only", choices=_PARTS, action="append", metavar="PART", help=f"{', '.join(_PARTS)}; repeatable"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("bench/results"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("build"),
        metavar="DIR",
        help="where logs are written meanwhile: on the disk that fsync is to be measured on (default: %(default)s)",
    )
    args = parser.parse_args()
    # A polite kill is a Ctrl-C: either way everything that was started is ended and the work folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        args.work.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="bench-", dir=args.work))
        try:
            results = _measure(work, _FULL if args.full else _SHORT, args.only or _PARTS)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except KeyboardInterrupt:
        _say("stopped; no results were written")
        return 1
    except (ProcessFailedError, EnvoyNotFoundError, OSError) as error:
        _say(f"could not measure: {error}")
        return 1
    write_results(args.output, results)
    for target in results.targets:
        _say(f"{'met    ' if target.met else 'NOT MET'}  {target.what}: {target.value:.2f} (target {target.limit:g})")
    print(args.output / "latest.md")
    return 0


def _measure(work: Path, effort: _Effort, parts: list[str] | tuple[str, ...]) -> Results:
    began_s = time.monotonic()
    targets: list[Target] = []
    handled, recorded, disk, climbed, sized, reloaded = None, None, None, None, None, None
    for part in parts:
        (work / part).mkdir()
    if "handler" in parts:
        _say("handler")
        handled = measure_handler(work / "handler", calls=effort.handler_calls)
    if "ledger" in parts:
        _say("ledger")
        disk = measure_disk(work / "ledger")
        entries = decision_entries(work / "ledger")
        recorded = measure_ledger(work / "ledger", entries, seconds=effort.ledger_s, rounds=effort.rounds)
    if "policies" in parts:
        _say("policies")
        sized = measure_policies(effort.sizes, _say)
        targets += policy_targets(sized)
    if "ladder" in parts:
        _say("ladder")
        climbed = climb(work / "ladder", effort.loads, rounds=effort.rounds, say=_say)
        targets += ladder_targets(climbed)
    if "reload" in parts:
        _say("reload")
        reloaded = measure_reloads(work / "reload", effort.reloads, _say)
        targets += reload_targets(reloaded)
    if handled is not None:
        targets += handler_targets(handled)
    _say(f"measured for {time.monotonic() - began_s:.0f} s")
    return Results(
        effort=effort.name,
        rounds=effort.rounds,
        loads=effort.loads,
        climb=climbed,
        handled=handled,
        recorded=recorded,
        disk=disk,
        policies=sized,
        reloaded=reloaded,
        targets=targets,
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
