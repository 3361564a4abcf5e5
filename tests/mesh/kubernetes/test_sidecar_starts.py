"""The sidecar starts by the rendered command line, on volumes as Kubernetes gives them, and again after it."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from mesh.example import LOOPBACK
from mesh.kubernetes.rendered import changed, containers, example, pods, rendered, text_of
from mesh.world import free_port

from extproc.demo.places import write_geo_database

_CONFIGURATION = 78
_PATIENCE_S = 60.0


class Pod:
    """The container `situs`, with its mounts below a folder. Volumes with an fsGroup are open to their group."""

    def __init__(self, folder: Path) -> None:
        _, _, settings = example()
        mesh = changed(log=replace(settings.log, root=None), mounts=settings.mounts[:1])
        pod = next(pod for name, _, pod in pods(rendered(mesh)) if name == "gateway/statefulset.yaml")
        container = containers(pod)[0]
        self._admin = free_port()
        self._words = [word.replace("$(POD_NAME)", "situs-0") for word in container["args"]]
        self._words = [word.replace("0.0.0.0:9902", f"{LOOPBACK}:{self._admin}") for word in self._words]
        at = {mount["name"]: folder / mount["name"] for mount in container["volumeMounts"]}
        for mount in container["volumeMounts"]:
            place = at[mount["name"]]
            place.mkdir()
            place.chmod(0o2777 if mount["name"] == "socket" else 0o2775)
            if mount["name"] != "tmp":  # no argument names it, and the folders of this test are below it
                self._words = [word.replace(f"={mount['mountPath']}/", f"={place}/") for word in self._words]
        (at["policy"] / "policy.yaml").write_text(text_of("extproc.policy", "demo.yaml"))
        written = text_of("extproc.mesh", "demo.yaml").replace("/run/situs/situs.sock", str(at["socket"] / "s"))
        (at["mesh"] / "mesh.yaml").write_text(written)
        (at["orders"] / "overrides.yaml").write_text("apiVersion: situs/v1\noverrides: []\n")
        write_geo_database(at["geo"] / "country.mmdb")
        self.key = at["keys"] / "ring" / "log.key"
        self.socket = at["socket"] / "s"

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "extproc", *self._words]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def wait(self, process: "subprocess.Popen[str]") -> None:
        """Wait as the startup probe does, for as long as a loaded machine needs."""
        ends = time.monotonic() + _PATIENCE_S
        while not self.is_ready():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < ends
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """Ask as the kubelet does."""
        try:
            return httpx.get(f"http://{LOOPBACK}:{self._admin}/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@pytest.mark.e2e
@pytest.mark.slow
def test_it_starts_and_starts_again_and_refuses_a_key_that_a_group_can_read(tmp_path: Path) -> None:
    pod = Pod(tmp_path)
    for _ in range(2):
        with pod.start() as process:
            try:
                pod.wait(process)
                assert pod.socket.stat().st_mode & 0o777 == 0o660
                assert pod.key.stat().st_mode & 0o777 == 0o600
                process.send_signal(signal.SIGTERM)
                _, said = process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == 0, said
    # What fsGroupChangePolicy: Always, which is the default, does to every file at every start.
    pod.key.chmod(0o660)
    with pod.start() as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == _CONFIGURATION, said
    assert "lets others at it" in said
