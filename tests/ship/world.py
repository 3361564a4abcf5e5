"""Logs that grow, stores that are real processes, and ways to them that fail."""

import contextlib
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import FlexibleChecksumError  # type: ignore[import-untyped]
from ledger.world import KEY, NOW_S, SEGMENT, clock, config, decision

from extproc.audit.findings import Category, Verification
from extproc.audit.verify import verify
from extproc.ledger.commit import LogIdentity
from extproc.ledger.entries import close_to_entry, decision_to_entry
from extproc.ledger.incarnation import start_log
from extproc.ledger.log import LogWriter
from extproc.ledger.tiles import TILE_WIDTH, Tile, decode_entries, format_tile_path, tiles_of
from extproc.ship.config import BucketPlace
from extproc.ship.local_log import parse_published
from extproc.ship.s3 import S3Destination

REGION: Final = "eu"
LOCATION: Final = "eu-central-1"


@dataclass
class Logs:
    """A root with one worker's logs, of which the last may still grow."""

    root: Path
    region: str = REGION
    worker: str = "w0"
    _number: int = 0
    _writer: LogWriter | None = None

    def begin(self) -> LogWriter:
        """Start an incarnation with its configuration published."""
        identity = LogIdentity(org="acme", env="test", region=self.region, node="node-1", worker=self.worker)
        writer, lock = start_log(
            self.root, identity=identity, key=KEY, durability="fsync", program="1", clock=clock, segment_bytes=SEGMENT
        )
        lock.release()
        self._writer = writer
        self._first = self._number
        writer.append([config()])
        writer.publish()
        return writer

    def grow(self, entries: int, *, publish: bool = True) -> LogWriter:
        """Add decisions to the last log, in batches of a hundred."""
        writer = self._writer or self.begin()
        while entries:
            batch = min(entries, 100)
            entries -= batch
            numbers = range(self._number + 1, self._number + batch + 1)
            self._number += batch
            writer.append([decision_to_entry(decision(n), sequence=n - self._first) for n in numbers])
            writer.sync()
        if publish:
            writer.publish()
        return writer

    def close(self) -> Path:
        """End the last log."""
        assert self._writer is not None
        writer, self._writer = self._writer, None
        writer.append([close_to_entry(at_s=NOW_S + 1e6, reason="shutdown")])
        writer.close()
        writer.abandon()
        return writer.directory

    @property
    def name(self) -> str:
        """The folder of the last log."""
        assert self._writer is not None
        return self._writer.directory.relative_to(self.root).as_posix()


def sound(place: Path | str) -> Verification:
    """Verify evidence where it lies; nothing in it may contradict itself."""
    result = verify(place)
    bad = [finding for finding in result.findings if finding.category in (Category.INTEGRITY, Category.TRUST)]
    assert not bad, [str(finding) for finding in bad]
    return result


def snapshot(names: list[str], read: Callable[[str], bytes | None], to: Path) -> list[int]:
    """Copy what a reader of a store finds: checkpoints first, the newest log's first, then exactly what they cover.

    A partial tile that is not there may stand in the full one. Gives the sizes of the logs.
    """
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    checkpoints = sorted((name for name in names if name.endswith("/log/checkpoint")), reverse=True)
    found = [(name.removesuffix("/log/checkpoint"), read(name)) for name in checkpoints]
    sizes: list[int] = []
    for log, note in found:
        assert note is not None
        size = parse_published(note, log).size
        sizes.append(size)
        _write(to / log / "log/checkpoint", note)
        for tile in tiles_of(size):
            name = f"{log}/log/{format_tile_path(tile)}"
            data = read(name)
            assert data is not None, f"{name} is not there, and the checkpoint covers {size} entries"
            _check_width(tile, data)
            _write(to / name, data)
        for beside in ("log.vkey", "delegations", "witnessed"):
            if (data := read(f"{log}/{beside}")) is not None:
                _write(to / log / beside, data)
        assert read(f"{log}/log.vkey") is not None
    return sizes


def _check_width(tile: Tile, data: bytes) -> None:
    if tile.level is None:
        assert len(decode_entries(data, tile.width)) == tile.width
    else:
        assert len(data) == 32 * tile.width <= 32 * TILE_WIDTH


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", seconds: float = 30) -> None:
    """Wait until somebody listens, while the process lives."""
    deadline = time.monotonic() + seconds
    while True:
        assert process.poll() is None, f"ended with {process.returncode}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < deadline, "nobody listens"
        time.sleep(0.05)


@contextmanager
def running(command: list[str], port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server on loopback until the block ends."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield process
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def moto_server() -> Iterator[str]:
    """moto's S3 in a process of its own; gives its endpoint."""
    port = free_port()
    with running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        yield f"http://127.0.0.1:{port}"


@dataclass
class Bucket:
    """A bucket as its owner sees it, past any shipper."""

    endpoint: str
    name: str
    client: Any = field(repr=False)

    def place(self, *, endpoint: str | None = None, location: str = LOCATION, lock_days: int = 7) -> BucketPlace:
        return BucketPlace(
            bucket=self.name,
            prefix="situs",
            endpoint=endpoint or self.endpoint,
            location=location,
            lock_days=lock_days,
        )

    def destination(self, **changed: Any) -> S3Destination:  # noqa: ANN401 - passed on
        return S3Destination(self.place(**changed))

    def versions(self) -> dict[str, list[dict[str, Any]]]:
        """Give all versions of all objects, by name."""
        found: dict[str, list[dict[str, Any]]] = {}
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.name):
            assert not page.get("DeleteMarkers")
            for each in page.get("Versions", []):
                found.setdefault(each["Key"].removeprefix("situs/"), []).append(each)
        return found

    def read(self, name: str) -> bytes | None:
        for _ in range(200):
            try:
                data: bytes = self.client.get_object(Bucket=self.name, Key=f"situs/{name}")["Body"].read()
            except self.client.exceptions.NoSuchKey:
                return None
            except FlexibleChecksumError:
                # moto reads an object for all by one handle, and one whose connection was cut may still be at it.
                time.sleep(0.05)
            else:
                return data
        raise AssertionError(f"{name} is not what its checksum says, and stays so")


def make_bucket(endpoint: str, name: str, *, location: str = LOCATION, lock: bool = True) -> Bucket:
    client = boto3.session.Session().client(
        "s3", endpoint_url=endpoint, region_name=location, config=Config(s3={"addressing_style": "path"})
    )
    client.create_bucket(
        Bucket=name,
        CreateBucketConfiguration={"LocationConstraint": location},
        **({"ObjectLockEnabledForBucket": True} if lock else {}),
    )
    return Bucket(endpoint=endpoint, name=name, client=client)


class Proxy:
    """A way to a server on loopback that can be closed, or can break off in the middle of what is sent."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.cut_after: Callable[[], int | None] = lambda: None
        """Asked for each connection: bytes after which both sides are cut; None for never."""
        self.answers = True
        """Whether answers come through: without, the server does what it was asked and nobody learns of it."""
        self.accepted = 0
        self._target = target
        self._server: socket.socket | None = None
        self._open: list[socket.socket] = []
        self.up()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        server = self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections, and cut those that are open."""
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None
        for each in self._open:
            _cut(each)
        self._open.clear()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            try:
                upstream = socket.create_connection(("127.0.0.1", self._target), 10)
            except OSError:
                client.close()
                continue
            self._open += [client, upstream]
            self.accepted += 1
            limit = self.cut_after()
            threading.Thread(target=self._pump, args=(client, upstream, limit), daemon=True).start()
            threading.Thread(target=self._answer, args=(upstream, client), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data if left is None else data[:left])
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        break
        for each in (source, sink):
            _cut(each)

    def _answer(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.answers:
                    break
                sink.sendall(data)
        for each in (source, sink):
            _cut(each)


def _cut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


def sometimes(seed: int, share: float, most: int) -> Callable[[], int | None]:
    """Cut a share of connections after up to `most` bytes."""
    dice = random.Random(seed)
    return lambda: dice.randrange(1, most) if dice.random() < share else None
