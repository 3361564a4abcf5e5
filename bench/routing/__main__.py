"""The command line of the simulation."""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Final

from bench.routing.comparisons import PERIODS_S, brown_out_only, profiles, run_sweeps, side_by_side, sweeps
from bench.routing.plots import plot_all
from bench.routing.report import MARKDOWN, Results, write_results
from bench.routing.ways import ViolationError
from bench.routing.world import BROWN_OUT, OUTAGE, World

_EPILOG: Final = dedent(
    """\
    Plays one trace of requests through ten ways to choose a region, one of them the product's own code, and through
    the three profiles; then sweeps load, telemetry, distances, sidecars and declared capacity. Writes routing.json,
    routing.md and plots (PNG). Everything is drawn from the seed: the same command gives the same figures anywhere.

    examples:
      python -m bench.routing                     a few minutes of two quiet cores
      python -m bench.routing --quick             under 20 s: a smaller world and no sweeps, to look at, not to quote
      python -m bench.routing --seed 2            another trace
      python -m bench.routing --output /tmp/r     leaves the committed results alone

    exit codes: 0 simulated, 1 a request left its permitted set
    """
)


def main() -> int:
    """Simulate and write the results."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.routing",
        description="Compare ways to choose among permitted regions, in a simulation.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a smaller world, no sweeps")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the trace (default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, default=Path("bench/results"), metavar="DIR", help="default: %(default)s"
    )
    args = parser.parse_args()
    try:
        results = _simulate(args.output, args.seed, quick=args.quick)
    except KeyboardInterrupt:
        _say("stopped; no results were written")
        return 1
    except ViolationError as error:
        _say(f"violation: {error}")
        return 1
    write_results(args.output, results)
    _say(f"took {results.seconds:.0f} s")
    print(args.output / MARKDOWN)
    return 0


def _simulate(output: Path, seed: int, *, quick: bool) -> Results:
    began_s = time.monotonic()
    world = quick_world(seed) if quick else World(seed=seed)
    ran = side_by_side(world, PERIODS_S[:1] if quick else PERIODS_S, _say)
    _say("the brown-out alone")
    brown_out = ran if quick else side_by_side(brown_out_only(world), PERIODS_S[:1], _say)
    profiled, best = profiles(world, _say)
    swept = {} if quick else run_sweeps(sweeps(world), _say, workers=min(2, os.cpu_count() or 1))
    plots = plot_all(output, world, ran, profiled, best)
    return Results(
        effort="quick" if quick else "full",
        seconds=time.monotonic() - began_s,
        world=world,
        ran=ran,
        brown_out=brown_out,
        profiled=profiled,
        best=best,
        swept=swept,
        plots=plots,
    )


def quick_world(seed: int) -> World:
    """Give a world of half a minute, with half of the servers and sidecars."""
    return World(
        seed=seed,
        sidecars=16,
        servers=(20, 20, 35, 25),
        until_s=38.0,
        warm_s=3.0,
        spells=(
            replace(BROWN_OUT, from_s=10.0, until_s=18.0),
            replace(OUTAGE, from_s=24.0, until_s=30.0),
        ),
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
