"""A store that is away, cuts connections in the middle, or takes what is sent and never says so; and killed shippers.

moto keeps its objects in memory, so the way to it fails here and not the server.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ship.world import REGION, Bucket, Logs, Proxy, snapshot, sometimes, sound

from extproc.ship import Destinations, Shipper, ShipStatus
from extproc.ship.backoff import LONGEST_S, Backoff
from extproc.ship.opening import Store

pytestmark = pytest.mark.slow


@pytest.fixture
def proxy(s3_server: str) -> Iterator[Proxy]:
    port = urlsplit(s3_server).port
    assert port is not None
    proxy = Proxy(port)
    yield proxy
    proxy.down()


def _shipper(logs: Logs, bucket: Bucket, proxy: Proxy, state: Path) -> Shipper:
    store = Store(destination=bucket.destination(endpoint=proxy.endpoint), every_s=0.2)
    return Shipper(logs.root, Destinations(stores={REGION: store}), state)


def _once(logs: Logs, bucket: Bucket, proxy: Proxy, state: Path) -> ShipStatus:
    shipper = _shipper(logs, bucket, proxy, state)
    try:
        return shipper.ship_once()
    finally:
        shipper.close()


def _no_duplicates(bucket: Bucket) -> None:
    for name, versions in bucket.versions().items():
        if not name.endswith("/checkpoint"):
            assert len(versions) == 1, name
        tags = [version["ETag"] for version in versions]
        assert len(set(tags)) == len(tags), f"{name}: the same bytes twice"


def test_an_outage_while_the_log_grows(bucket: Bucket, logs: Logs, proxy: Proxy, tmp_path: Path) -> None:
    logs.grow(100)
    shipper = _shipper(logs, bucket, proxy, tmp_path / "state")
    stop = threading.Event()
    thread = threading.Thread(target=shipper.follow, args=(stop,))
    thread.start()

    def shipped() -> list[int]:
        return snapshot(sorted(bucket.versions()), bucket.read, tmp_path / "copy")

    _until(lambda: shipped() == [102])
    proxy.down()
    logs.grow(700)
    _until(lambda: shipper.status().places[0].error is not None)
    status = shipper.status()
    assert status.places[0].failing_since_s is not None
    assert shipped() == [102]
    _until(lambda: shipper.status().lag_s > 0.2)
    proxy.up()
    _until(lambda: shipped() == [802])
    _until(lambda: shipper.status().everything_shipped)
    stop.set()
    thread.join()
    shipper.close()
    sound(tmp_path / "copy")
    _no_duplicates(bucket)


@pytest.mark.parametrize("seed", range(3))
def test_connections_that_are_cut_in_the_middle(
    bucket: Bucket, logs: Logs, proxy: Proxy, tmp_path: Path, seed: int
) -> None:
    logs.grow(3000)
    proxy.cut_after = sometimes(seed, 0.6, 120_000)
    sizes: list[int] = []
    for attempt in range(200):
        status = _once(logs, bucket, proxy, tmp_path / "state")
        sizes = snapshot(sorted(bucket.versions()), bucket.read, tmp_path / "copy")
        if sizes:
            sound(tmp_path / "copy")
        if status.everything_shipped:
            assert attempt > 0, "no connection was cut"
            break
    assert sizes == [3002]
    _no_duplicates(bucket)


def test_answers_that_are_lost(bucket: Bucket, logs: Logs, proxy: Proxy, tmp_path: Path) -> None:
    """The store took it and nobody heard of it: that is found out, and nothing is written again."""
    logs.grow(300)
    assert _once(logs, bucket, proxy, tmp_path / "state").everything_shipped
    logs.grow(300)
    shipper = _shipper(logs, bucket, proxy, tmp_path / "state")
    proxy.answers = True
    shipper.check()
    for _ in range(12):
        # One answer after the other comes through, so the lost one is a different one each time.
        proxy.answers = False
        threading.Timer(0.05, lambda: setattr(proxy, "answers", True)).start()
        shipper.ship_once()
        proxy.answers = False
        shipper.ship_once()
        time.sleep(0.06)
    proxy.answers = True
    assert shipper.ship_once().everything_shipped
    shipper.close()
    assert snapshot(sorted(bucket.versions()), bucket.read, tmp_path / "copy") == [602]
    sound(tmp_path / "copy")
    _no_duplicates(bucket)


def test_killed_at_any_moment(bucket: Bucket, logs: Logs, proxy: Proxy, tmp_path: Path) -> None:
    """kill -9 between any two bytes: the store verifies at every moment, and the next life repeats nothing."""
    dice = random.Random(4)
    config = tmp_path / "shipping.yaml"
    config.write_text(
        "apiVersion: situs/v1\nregions:\n"
        f'  {REGION}: {{to: "s3://{bucket.name}/situs", endpoint: "{proxy.endpoint}", location: eu-central-1, '
        "every_s: 0.1}\n"
    )
    command = [sys.executable, "-m", "extproc", "audit", "ship", str(logs.root), "--config", str(config)]
    grown: set[int] = set()
    longest_s = 0.5
    for life in range(12):
        logs.grow(dice.randrange(100, 900))
        seen = proxy.accepted
        process = subprocess.Popen([*command, "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _until(lambda seen=seen: proxy.accepted > seen, 30)  # type: ignore[misc]
        time.sleep(dice.random() * longest_s)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)
        sizes = snapshot(sorted(bucket.versions()), bucket.read, tmp_path / "copy")
        if sizes:
            sound(tmp_path / "copy")
            grown.add(sum(sizes))
        if len(grown) < 3:
            longest_s *= 1.4  # a slow machine ships less in a life
        if life % 4 == 3:
            logs.close()
            logs.begin()
    done = subprocess.run([*command, "--once"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    sizes = snapshot(sorted(bucket.versions()), bucket.read, tmp_path / "copy")
    assert len(sizes) == 4
    assert len(grown) > 2
    sound(tmp_path / "copy")
    _no_duplicates(bucket)


def test_the_wait_grows_to_half_a_minute_and_begins_anew() -> None:
    backoff = Backoff()
    waits = [backoff.failed() for _ in range(20)]
    assert all(0.25 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(waits[:6]))
    assert all(LONGEST_S / 2 <= wait <= LONGEST_S for wait in waits[7:])
    assert len(set(waits)) == 20
    backoff.worked()
    assert backoff.failed() <= 0.5


def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
