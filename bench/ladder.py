"""The ladder: one load, one Envoy in front of one backend, and on each rung one layer more.

All rungs run side by side from beginning to end and are loaded one at a time, in rounds that go up and down the ladder,
so that what else the machine does meets all of them alike. Figures are medians over the rounds, ratios are taken within
a round first.
"""

import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import resources
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

import yaml

from bench.backend import HOSTS
from bench.envoys import read_hops_us, write_envoy
from bench.load import CONNECTIONS, MOST, Report, percentile
from bench.meter import cpu_s, machine_busy_s, peak_rss_mib
from bench.traffic import PATH
from extproc.demo.places import write_geo_database
from extproc.demo.process import Child, ProcessFailedError, python
from extproc.demo.tokens import AUDIENCE, ISSUER, Issuer
from extproc.demo.world import Folder, free_port
from extproc.mesh.binary import find_envoy
from extproc.mesh.parse import load_mesh
from extproc.mesh.section import Mesh, TcpAddress, UnixSocket
from extproc.policy.compile import CompiledPolicy
from extproc.policy.load import load_policy

PATIENCE_S: Final = 30.0
SETTLE_S: Final = 0.25
"""After a load: Envoy flushes its access logs every 0.1 s, and what the sidecar does with them is part of the bill."""
_POLL_S: Final = 0.05


class Rung(StrEnum):
    """The rungs, from the bottom."""

    BACKEND = "1 backend only"
    ENVOY = "2 Envoy"
    NOOP = "3 Envoy + no-op sidecar"
    DECIDE = "4 + decide, records off"
    DECISIONS = "4b + decision records, page"
    PAGE = "5 + delivery records: all of it, page"
    FSYNC = "6 all of it, fsync"
    SAMPLE = "7 no-op as SDK samples write it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One kind of load. `rate` is in requests a second, None for a closed loop."""

    name: str
    connections: int
    seconds: float
    rate: float | None = None
    most: int = MOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one load on one rung gave in one round. CPU in microseconds per request; the hop is by Envoy's clock."""

    requests: int
    failed: int
    per_second: float
    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float
    load_late_p99_us: float
    load_cpu_us: float
    backend_cpu_us: float
    envoy_cpu_us: float | None
    sidecar_cpu_us: float | None
    hop_p50_us: float | None
    hop_p99_us: float | None
    foreign_cores: float
    """Cores that were busy meanwhile with anything but this rung and its load: what disturbed the figures."""


Samples: TypeAlias = Mapping[Rung, Mapping[str, Sequence[Sample]]]
"""By rung and name of the load, one for each round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """The whole result. Peak memory is in MiB, by rung and process."""

    samples: Samples
    peak_rss_mib: Mapping[Rung, Mapping[str, float]]


def closed_and_open(*, one_s: float, saturated_s: float, open_s: float, rate: float) -> tuple[Load, ...]:
    """Give the three loads: one connection, saturation, and a rate that stays whatever happens."""
    return (
        Load(name="one", connections=1, seconds=one_s),
        Load(name="saturated", connections=CONNECTIONS, seconds=saturated_s),
        Load(name="open", connections=CONNECTIONS, seconds=open_s, rate=rate),
    )


def climb(
    work: Path,
    loads: Sequence[Load],
    *,
    rounds: int,
    rungs: Sequence[Rung] = tuple(Rung),
    say: Callable[[str], None] = lambda _line: None,
) -> Climb:
    """Run the ladder in the empty folder `work`, which should lie on a real disk: rung 6 waits for it.

    Raises ProcessFailedError where a process ends or a request is not answered with 200: figures of a broken path are
    worth nothing.
    """
    samples: dict[Rung, dict[str, list[Sample]]] = {rung: {load.name: [] for load in loads} for rung in rungs}
    with _running(work, rungs) as standing:
        for rung in rungs:
            standing[rung].load(replace(loads[-1], rate=None, seconds=min(0.5, loads[-1].seconds)))
        for turn in range(rounds):
            for rung in rungs if turn % 2 == 0 else reversed(rungs):
                for load in loads:
                    sample = standing[rung].load(load)
                    samples[rung][load.name].append(sample)
                    say(
                        f"round {turn + 1}/{rounds}  {rung.value:<40} {load.name:<10} {sample.per_second:>7,.0f}/s"
                        f"  p50 {sample.p50_us:>6,.0f} us  p99 {sample.p99_us:>6,.0f} us"
                        f"  sidecar {sample.sidecar_cpu_us or 0:>5.0f} us CPU"
                    )
        return Climb(samples=samples, peak_rss_mib={rung: standing[rung].peak_rss_mib() for rung in rungs})


def medians(samples: Sequence[Sample], read: Callable[[Sample], float | None]) -> float | None:
    """Give the median of one figure over the rounds, None where the rung does not have it."""
    values = [value for sample in samples if (value := read(sample)) is not None]
    return median(values) if values else None


class Standing:
    """One rung with its processes."""

    def __init__(self, rung: Rung, port: int, children: Mapping[str, Child], clock: Path | None) -> None:
        self._rung = rung
        self._port = port
        self._children = children
        self._clock = clock

    def until_served(self) -> None:
        """Wait until a request is answered with 200."""
        ends_s = time.monotonic() + PATIENCE_S
        while self._status() != http.client.OK:
            for child in self._children.values():
                child.check()
            if time.monotonic() > ends_s:
                words = "\n".join(child.last_words() for child in self._children.values())
                raise ProcessFailedError(f"{self._rung.value}: not served within {PATIENCE_S:g} s\n{words}")
            time.sleep(_POLL_S)

    def _status(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1.0)
        try:
            connection.request("POST", PATH, body=b"{}", headers={"x-forwarded-for": "31.0.0.7"})
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def load(self, load: Load, *, may_fail: bool = False) -> Sample:
        """Put one load on the rung and give what it cost. Raises ProcessFailedError for any answer but 200."""
        began_s, busy_s, before = time.monotonic(), machine_busy_s(), self._cpu_s()
        offset = 0 if self._clock is None else self._clock.stat().st_size
        report = _generate(load, self._port)
        time.sleep(SETTLE_S)
        lasted_s, busy_s, after = time.monotonic() - began_s, machine_busy_s() - busy_s, self._cpu_s()
        if report.failed and not may_fail:
            raise ProcessFailedError(f"{self._rung.value}: {report.failed} of {report.requests} requests failed")
        each_us = {name: (after[name] - before[name]) / report.requests * 1e6 for name in before}
        ours_s = report.cpu_s + sum(after.values()) - sum(before.values())
        hops = [] if self._clock is None else read_hops_us(self._clock, offset)
        return Sample(
            requests=report.requests,
            failed=report.failed,
            per_second=report.requests / report.seconds,
            p50_us=report.p50_us,
            p99_us=report.p99_us,
            p999_us=report.p999_us,
            max_us=report.max_us,
            load_late_p99_us=report.late_p99_us,
            load_cpu_us=report.cpu_s / report.requests * 1e6,
            backend_cpu_us=each_us["backend"],
            envoy_cpu_us=each_us.get("envoy"),
            sidecar_cpu_us=each_us.get("sidecar"),
            hop_p50_us=float(percentile(hops, 50)) if hops else None,
            hop_p99_us=float(percentile(hops, 99)) if hops else None,
            foreign_cores=max(0.0, busy_s - ours_s) / lasted_s,
        )

    def _cpu_s(self) -> dict[str, float]:
        used = {}
        for name, child in self._children.items():
            child.check()
            used[name] = cpu_s(_pid(child))
        return used

    def peak_rss_mib(self) -> dict[str, float]:
        """Give the most memory that each process of the rung has held."""
        return {name: peak_rss_mib(_pid(child)) for name, child in self._children.items()}


def _pid(child: Child) -> int:
    if child.pid is None:
        raise ProcessFailedError(f"{child.name} does not run")
    return child.pid


def _generate(load: Load, port: int) -> Report:
    command = [
        sys.executable, "-m", "bench.load",
        "--port", str(port),
        "--connections", str(load.connections),
        "--seconds", str(load.seconds),
        "--most", str(load.most),
        *([] if load.rate is None else ["--rate", str(load.rate)]),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=load.seconds + 2 * PATIENCE_S)
    if done.returncode:
        raise ProcessFailedError(f"the load generator: {done.stderr.strip()}")
    return Report(**json.loads(done.stdout))


# Processes ------------------------------------------------------------------------------------------------------------


class Yard:
    """The files and processes of a ladder. Sockets lie apart: their paths must be short.

    `policy` is the text of another policy than the demo's.
    """

    def __init__(self, work: Path, sockets: Path, policy: str | None = None) -> None:
        self._sockets = sockets
        self._binary = find_envoy(None)
        self.folder = Folder(root=work)
        self._backend_port = free_port()
        self.backend = Child("backend", python("bench.backend", str(self._backend_port)), self._output("backend"))
        self.children = [self.backend]
        self._policy = self._prepare(policy or demo_policy())
        self._mesh: Mesh = load_mesh(self.folder.mesh, self._policy.tables, self._policy.reading)

    def _output(self, name: str) -> Path:
        path = self.folder.output(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _prepare(self, text: str) -> CompiledPolicy:
        """Write the policy, the demo's database, and a mesh in which the backend is the cell of every region."""
        folder = self.folder
        folder.policy.write_text(text)
        folder.overrides.write_text("apiVersion: situs/v1\noverrides: []\n")
        write_geo_database(folder.geo)
        jwks = folder.root / "jwks.json"
        Issuer().write_jwks(jwks)
        policy = load_policy(folder.policy)
        mesh = {
            "apiVersion": "situs/v1",
            "listener": {"address": "127.0.0.1", "port": free_port()},
            "sidecar": {"unix": str(self._sockets / "any.sock")},
            "regions": {
                str(region.id): {"endpoints": [f"{host}:{self._backend_port}"]}
                for region, host in zip(policy.tables.regions, HOSTS, strict=False)
            },
            "jwt": {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks_file": str(jwks)},
        }
        with folder.mesh.open("w") as file:
            yaml.safe_dump(mesh, file, sort_keys=False)
        return policy

    def stand(self, rung: Rung) -> Standing:
        """Start a rung's processes."""
        if rung is Rung.BACKEND:
            return Standing(rung, self._backend_port, {"backend": self.backend}, None)
        name = rung.name.lower()
        socket = self._sockets / f"{name}.sock"
        children = {"backend": self.backend}
        command = self._sidecar(rung, name, socket)
        if command:
            children["sidecar"] = self._start(f"{name}-sidecar", command)
        port = free_port()
        clock = self.folder.root / f"{name}-clock.txt"
        config = self.folder.root / f"{name}-envoy.json"
        clock.touch()
        write_envoy(
            config,
            tables=self._policy.tables,
            reading=self._policy.reading,
            mesh=replace(
                self._mesh,
                listener=TcpAddress(address="127.0.0.1", port=port),
                admin=TcpAddress(address="127.0.0.1", port=free_port()),
                sidecar=UnixSocket(unix=str(socket)),
            ),
            asks=rung is not Rung.ENVOY,
            reports=rung in (Rung.PAGE, Rung.FSYNC),
            clock=clock,
        )
        children["envoy"] = self._start(
            f"{name}-envoy",
            [
                self._binary, "-c", config,
                "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning",
                "--file-flush-interval-msec", "100",
            ],
        )  # fmt: skip
        return Standing(rung, port, children, clock)

    def log_of(self, rung: Rung) -> Path:
        """Give the folder of a rung's decision log."""
        return self.folder.root / rung.name.lower() / "log"

    def _start(self, name: str, command: list[str | Path]) -> Child:
        child = Child(name, command, self._output(name))
        self.children.append(child)
        child.start()
        return child

    def _sidecar(self, rung: Rung, name: str, socket: Path) -> list[str | Path]:
        folder = self.folder
        listen = f"unix:{socket}"
        logs: list[str | Path] = ["--log", folder.root / name / "log", "--key", folder.root / name / "keys" / "log.key"]
        files: list[str | Path] = [
            "--policy", folder.policy, "--mesh", folder.mesh, "--geo-db", folder.geo, *logs, "--listen", listen,
        ]  # fmt: skip
        match rung:
            case Rung.NOOP:
                return python("bench.sidecars", "noop", "--listen", listen)
            case Rung.DECIDE | Rung.DECISIONS:
                _private(folder.root / name / "keys")
                return python("bench.sidecars", name, *files)
            case Rung.PAGE | Rung.FSYNC:
                _private(folder.root / name / "keys")
                return python(
                    "extproc", "serve", *files,
                    "--overrides", folder.overrides, "--durability", name, "--node", "bench", "--drain", "1",
                )  # fmt: skip
            case Rung.SAMPLE:
                return python("bench.sample", listen)
            case _:
                return []


def demo_policy() -> str:
    """Give the text of the demo's policy."""
    return (resources.files("extproc.policy") / "examples" / "demo.yaml").read_text()


def _private(directory: Path) -> None:
    directory.mkdir(parents=True)
    directory.chmod(0o700)


@contextmanager
def _running(work: Path, rungs: Sequence[Rung]) -> Iterator[Mapping[Rung, Standing]]:
    """Start everything; end everything, whatever happened."""
    with tempfile.TemporaryDirectory(prefix="situs-bench-") as sockets:
        yard = Yard(work.absolute(), Path(sockets))
        try:
            yard.backend.start()
            standing = {rung: yard.stand(rung) for rung in rungs}
            for each in standing.values():
                each.until_served()
            yield standing
        finally:
            # At once: the logs are scratch, so a drain would only take time.
            for child in yard.children:
                child.kill()
