"""`docker compose`, as far as README.md uses it, for a machine without a container engine.

It runs the very commands of compose.yaml as processes, each with the packages of its image and no others, with every
mounted path moved below one folder and every address moved to loopback. What only an engine can do (the networks, the
users, what is read-only) it does not do.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from compose.files import COMPOSE, LOCKS, REGIONS, ROOT, Service, read_project, words_of
from compose.installed import link_packages, python_with

from extproc.demo.ports import free_port

_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.1
_CELL_PORT: Final = 8080
_GONE: Final = "the stand-in does not know this"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where everything is on this machine: a folder, an Envoy, and the ports that stand for addresses."""

    root: Path
    envoy: Path
    ports: Mapping[str, int]

    # Made once ------------------------------------------------------------------------------------------------------

    @classmethod
    def make(cls, root: Path, envoy: Path) -> "Stand":
        """Lay out the folder: volumes, packages, and the configurations with their places moved."""
        names = ["listener", "envoy-admin", "sidecar-admin", *(f"cell-{region}" for region in REGIONS)]
        stand = cls(root=root, envoy=envoy, ports={name: free_port() for name in names})
        for name in ("pids", "said", "configs", "volumes", "tmp"):
            (root / name).mkdir()
        for volume in read_project()["volumes"]:
            (root / "volumes" / volume).mkdir()
        for lock in LOCKS.values():
            link_packages(COMPOSE / f"{lock}.lock", root / "packages" / lock)
        stand._move_configurations()
        (root / "stand.json").write_text(json.dumps({"envoy": str(envoy), "ports": stand.ports}))
        docker = root / "bin" / "docker"
        docker.parent.mkdir()
        docker.write_text(f'#!/bin/sh\nexec env PYTHONPATH={ROOT}/tests {sys.executable} -m compose.stand_in "$@"\n')
        docker.chmod(0o755)
        return stand

    @classmethod
    def load(cls, root: Path) -> "Stand":
        """Find one that was made."""
        kept = json.loads((root / "stand.json").read_text())
        return cls(root=root, envoy=Path(kept["envoy"]), ports=kept["ports"])

    def _move_configurations(self) -> None:
        configs = self.root / "configs"
        (configs / "policy.yaml").write_bytes((COMPOSE / "policy.yaml").read_bytes())
        mesh = (COMPOSE / "mesh.yaml").read_text()
        for region in REGIONS:
            mesh = mesh.replace(f"cell-{region}:{_CELL_PORT}", f"127.0.0.1:{self.ports[f'cell-{region}']}")
        (configs / "mesh.yaml").write_text(self._moved(mesh, _mounts("situs")))
        envoy = yaml.safe_load((COMPOSE / "envoy.yaml").read_text())
        self._move_addresses(envoy)
        (configs / "envoy.yaml").write_text(self._moved(yaml.safe_dump(envoy), _mounts("envoy")))

    def _move_addresses(self, node: Any) -> None:  # noqa: ANN401 - any YAML
        if isinstance(node, dict):
            match node.get("socket_address"):
                case {"address": str(host), "port_value": int(port)}:
                    places = {("172.31.240.2", 10000): "listener", ("127.0.0.1", 9901): "envoy-admin"}
                    name = host if port == _CELL_PORT else places[host, port]
                    node["socket_address"] = {"address": "127.0.0.1", "port_value": self.ports[name]}
            for value in node.values():
                self._move_addresses(value)
        elif isinstance(node, list):
            for value in node:
                self._move_addresses(value)

    # What a container sees, and where it is here --------------------------------------------------------------------

    def _moved(self, text: str, mounts: Mapping[str, str]) -> str:
        for target in sorted(mounts, key=len, reverse=True):
            text = text.replace(target, str(self.root / mounts[target]))
        return text

    def command(self, name: str, service: Service, words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """Give what a command of a service is on this machine, and its environment."""
        mounts = {**_mounts(name), "/opt/compose": str(COMPOSE)}
        own = str(self.ports.get(name, 0))
        moved = [
            self._moved(word, mounts)
            .replace("0.0.0.0:8080", f"127.0.0.1:{own}")
            .replace("127.0.0.1:8080", f"127.0.0.1:{own}")
            .replace("127.0.0.1:9902", f"127.0.0.1:{self.ports['sidecar-admin']}")
            .replace("127.0.0.1/9901", f"127.0.0.1/{self.ports['envoy-admin']}")
            for word in words
        ]
        lock = LOCKS.get(service["image"])
        if lock is None:
            return [str(self.envoy) if moved[0] == "envoy" else moved[0], *moved[1:]], dict(os.environ)
        python, environment = python_with(self.root / "packages" / lock)
        modules = {"situs": ["-m", "extproc"], "situs-cell": ["-m", "inference"], "python": []}
        return [*python, *modules[moved[0]], *moved[1:]], environment

    # Life -----------------------------------------------------------------------------------------------------------

    def run(self, name: str, service: Service, words: Sequence[str]) -> int:
        """Run a command of a service to its end."""
        command, environment = self.command(name, service, words)
        return subprocess.run(command, cwd=self.root / "tmp", env=environment, check=False).returncode

    def up(self, services: Mapping[str, Service]) -> None:
        """Start what does not run, in the order of depends_on, and wait until all of it is healthy."""
        waiting = {name: service for name, service in services.items() if "profiles" not in service}
        started: set[str] = set()
        while waiting:
            name = next(name for name, service in waiting.items() if set(service.get("depends_on", ())) <= started)
            service = waiting.pop(name)
            for other, each in service.get("depends_on", {}).items():
                if each["condition"] == "service_healthy":
                    self._until_healthy(other, services[other])
            if service["restart"] == "no":
                if code := self.run(name, service, words_of(service)):
                    raise SystemExit(f"{name}: exit code {code}")
            elif self._pid(name) is None:
                self.start(name, service)
            started.add(name)
        for name in started:
            if services[name]["restart"] != "no":
                self._until_healthy(name, services[name])

    def start(self, name: str, service: Service) -> None:
        """Start a service, and leave it running."""
        command, environment = self.command(name, service, words_of(service))
        with (self.root / "said" / name).open("ab") as said:
            process = subprocess.Popen(
                command,
                cwd=self.root / "tmp",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        (self.root / "pids" / name).write_text(str(process.pid))

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop a service, and wait for its end."""
        pid = self._pid(name)
        (self.root / "pids" / name).unlink(missing_ok=True)
        if pid is None:
            return
        os.kill(pid, how)
        _wait_for(lambda: not _runs(pid), f"{name} ends")

    def kill_all(self) -> None:
        """Leave nothing running."""
        for file in (self.root / "pids").iterdir():
            self.stop(file.name, signal.SIGKILL)

    def _pid(self, name: str) -> int | None:
        file = self.root / "pids" / name
        return pid if file.exists() and _runs(pid := int(file.read_text())) else None

    def _until_healthy(self, name: str, service: Service) -> None:
        (word, *test) = service["healthcheck"]["test"]
        assert word == "CMD"
        command, environment = self.command(name, service, test)

        def healthy() -> bool:
            if self._pid(name) is None:
                raise SystemExit(f"{name} ended. It said:\n{(self.root / 'said' / name).read_text()}")
            try:
                done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=10)
            except subprocess.TimeoutExpired:
                return False
            return done.returncode == 0

        _wait_for(healthy, f"{name} is healthy")


def _mounts(name: str) -> dict[str, str]:
    """Give each place of a service's own that is not of its image, and where it is below the folder."""
    service = read_project()["services"][name]
    found = {each["target"]: f"configs/{each['source']}.yaml" for each in service.get("configs", ())}
    found |= {each["target"]: f"volumes/{each['source']}" for each in service.get("volumes", ())}
    return found | {place.partition(":")[0]: "tmp" for place in service["tmpfs"] if place.startswith("/run/")}


def _wait_for(holds: Any, what: str) -> None:  # noqa: ANN401 - a callable without arguments
    end = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"not within {_PATIENCE_S:g} s: {what}")
        time.sleep(_POLL_S)


def _runs(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def main(words: Sequence[str]) -> int:
    """Do what `docker compose WORDS` would."""
    stand = Stand.load(Path(os.environ["SITUS_STAND"]))
    services: dict[str, Service] = read_project()["services"]
    match words:
        case ["compose", "up", *options] if set(options) <= {"--build", "--detach", "--wait"}:
            stand.up(services)
        case ["compose", "stop", *names]:
            for name in names:
                stand.stop(name)
        case ["compose", "exec", name, *command]:
            return stand.run(name, services[name], command)
        case ["compose", "run", "--rm", "--no-deps", name, *more]:
            return stand.run(name, services[name], [*services[name]["entrypoint"], *more])
        case ["compose", "down", "--volumes"]:
            for name in ("envoy", "situs", *(f"cell-{region}" for region in REGIONS)):
                stand.stop(name)
        case _:
            raise SystemExit(f"{_GONE}: docker {' '.join(words)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
