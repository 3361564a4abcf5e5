"""What a change costs those who notice nothing: latency through a real Envoy while files are replaced again and again.

One `situs serve` behind one Envoy, under an open load that does not wait. Each case alternates a while in which nothing
changes with one in which a file is replaced every now and then, and compares neighbours in time. One case changes
nothing at all: what it shows is the noise of the machine, and no other case can be told from less.

How long a change takes is read in the decision log: from the rename of the file to the first decision by what it says.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from random import Random
from statistics import median
from typing import Final, TypeAlias

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from bench.ladder import Load, Rung, Sample, Standing, Yard, demo_policy
from bench.synthetic import Size, region_ids, write_synthetic
from extproc.audit.show import read_records
from extproc.core.iso3166 import COUNTRIES
from extproc.demo.places import NETWORKS
from extproc.ledger.decision_reader import decision_from_entry

IN_DATABASE: Final = 150_000
"""Networks in the geolocation database: as many as a country database has of IPv4."""

STARTER: Final = Size(regions=10, regimes=25, tenants=100)
MANY: Final = Size(regions=10, regimes=25, tenants=10_000)
CONNECTIONS: Final = 32

Change: TypeAlias = Callable[[int], Path]
"""Writes the n-th state of a file beside it and gives the path; the rename is done, and timed, by the caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Latencies in one round, quiet and then with changes, in microseconds."""

    quiet_p50_us: float
    quiet_p99_us: float
    changing_p50_us: float
    changing_p99_us: float
    quiet_max_us: float
    changing_max_us: float
    failed: int
    """Requests that were not answered with 200 while files changed: Envoy waits for the sidecar so long, no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """One case. `took_ms` are from each rename to the first decision by it; changes that came too fast count once."""

    case: str
    changes: int
    rounds: Sequence[Round]
    took_ms: Sequence[float]

    @property
    def p99_ratio(self) -> float:
        """How many times the p99 of the quiet while before it, the median over the rounds."""
        return median(each.changing_p99_us / each.quiet_p99_us for each in self.rounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how often. `rate` is in requests a second."""

    rounds: int
    seconds: float
    rate: float
    every_s: float


def measure_reloads(work: Path, plan: Plan, say: Callable[[str], None] = lambda _line: None) -> list[Reloaded]:
    """Measure every case. Raises ProcessFailedError where a request fails while nothing changes."""
    found: list[Reloaded] = []
    for name, text, cases in (
        ("demo", demo_policy(), ("nothing", "policy", "suspension", "geolocation database")),
        ("25 regimes", write_synthetic(STARTER), ("policy",)),
        ("10,000 tenants", write_synthetic(MANY), ("policy", "suspension")),
    ):
        root = work / name.replace(" ", "-")
        root.mkdir()
        with _standing(root, text) as (yard, standing):
            standing.load(Load(name="warm", connections=CONNECTIONS, seconds=2.0, rate=plan.rate))
            for case in cases:
                change = _change(case, yard, text)
                found.append(_measure(f"{name}: {case}", yard, standing, change, plan))
                last = found[-1]
                say(
                    f"{last.case:<34} p99 {median(each.quiet_p99_us for each in last.rounds):>7,.0f} us quiet, "
                    f"x {last.p99_ratio:.2f} with changes; in force after "
                    f"{median(last.took_ms) if last.took_ms else 0:,.0f} ms"
                )
    return found


@contextmanager
def _standing(root: Path, text: str) -> Iterator[tuple[Yard, Standing]]:
    with tempfile.TemporaryDirectory(prefix="situs-bench-") as sockets:
        yard = Yard(root.absolute(), Path(sockets), text)
        try:
            yard.backend.start()
            standing = yard.stand(Rung.PAGE)
            standing.until_served()
            yield yard, standing
        finally:
            for child in yard.children:
                child.kill()


def _measure(case: str, yard: Yard, standing: Standing, change: Change | None, plan: Plan) -> Reloaded:
    load = Load(name=case, connections=CONNECTIONS, seconds=plan.seconds, rate=plan.rate)
    renamed_s: list[float] = []
    rounds = []
    began_s = time.time()
    numbers = count(1)
    for _ in range(plan.rounds):
        quiet = _load_quietly(standing, load)
        stop = threading.Event()
        changing = threading.Thread(target=_change_until, args=(stop, change, numbers, renamed_s, plan.every_s))
        changing.start()
        try:
            during = standing.load(load, may_fail=True)
        finally:
            stop.set()
            changing.join()
        rounds.append(
            Round(
                quiet_p50_us=quiet.p50_us,
                quiet_p99_us=quiet.p99_us,
                changing_p50_us=during.p50_us,
                changing_p99_us=during.p99_us,
                quiet_max_us=quiet.max_us,
                changing_max_us=during.max_us,
                failed=during.failed,
            )
        )
        if change is not None:
            # What was renamed last may still be loading.
            standing.load(
                Load(name="settle", connections=CONNECTIONS, seconds=plan.every_s, rate=plan.rate), may_fail=True
            )
    took_ms = _took_ms(yard.log_of(Rung.PAGE), began_s, renamed_s)
    return Reloaded(case=case, changes=len(renamed_s), rounds=rounds, took_ms=took_ms)


def _load_quietly(standing: Standing, load: Load) -> Sample:
    """Put the load on while nothing changes. A machine that is shared gets a second try; then a failure is ours."""
    sample = standing.load(load, may_fail=True)
    return sample if not sample.failed else standing.load(load)


def _change_until(
    stop: threading.Event, change: Change | None, numbers: Iterator[int], renamed_s: list[float], every_s: float
) -> None:
    while change is not None and not stop.wait(every_s / 2):
        written = change(next(numbers))
        renamed_s.append(time.time())
        written.replace(written.with_name(written.name.removeprefix("next-")))
        if stop.wait(every_s / 2):
            break


def _took_ms(log: Path, began_s: float, renamed_s: list[float]) -> list[float]:
    """Give how long after each rename the first decision by a configuration came that was recorded after it."""
    first_s: dict[str, float] = {}
    for record in read_records(log):
        if record.entry.HasField("decision"):
            decision = decision_from_entry(record.entry)
            first_s.setdefault(decision.config, decision.decided_at_s)
    found = []
    for renamed, following in pairwise([*renamed_s, float("inf")]):
        after = [at_s for at_s in first_s.values() if max(began_s, renamed) < at_s < following]
        if after:
            found.append((min(after) - renamed) * 1000)
    return found


# Changes --------------------------------------------------------------------------------------------------------------


def _change(case: str, yard: Yard, text: str) -> Change | None:
    match case:
        case "policy":
            return lambda n: _write(yard.folder.policy, text.replace("version: 1", f"version: {n + 1}", 1))
        case "suspension":
            # One that nobody's plan needs, so that every request is still answered.
            region = region_ids(3)[2] if "synthetic" in text else "eu-ams"
            return lambda n: _write(yard.folder.overrides, _orders(region, n))
        case "geolocation database":
            databases = [write_database(yard.folder.root / f"large-{n}.mmdb", seed=n) for n in range(2)]
            return lambda n: _copy(databases[n % 2], yard.folder.geo)
        case _:
            return None


def _orders(region: str, n: int) -> str:
    """Write an override file with one order, which nobody has seen before."""
    return (
        f"apiVersion: situs/v1\noverrides:\n  - {{id: LT-{n}, effect: suspend, region: {region}, reason: injunction, "
        "from: 2026-01-01, until: 2099-01-01, approved_by: [a, b]}\n"
    )


def _write(path: Path, text: str) -> Path:
    beside = path.with_name(f"next-{path.name}")
    beside.write_text(text)
    return beside


def _copy(source: Path, path: Path) -> Path:
    beside = path.with_name(f"next-{path.name}")
    beside.write_bytes(source.read_bytes())
    return beside


def write_database(path: Path, *, seed: int) -> Path:
    """Write a country database of usual size, in which the load's addresses are where they were."""
    random = Random(seed)  # noqa: S311 - some networks, no secrets
    countries = sorted(COUNTRIES)
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="GeoIP2-Country", languages=["en"])
    for n in random.sample(range(64 << 16, 200 << 16), IN_DATABASE):
        network = IPSet([f"{n >> 16}.{n >> 8 & 255}.{n & 255}.0/24"])
        writer.insert_network(network, {"country": {"iso_code": countries[n % len(countries)]}})
    for country, known in NETWORKS.items():
        writer.insert_network(IPSet([known]), {"country": {"iso_code": country}})
    writer.to_db_file(str(path))
    return path
