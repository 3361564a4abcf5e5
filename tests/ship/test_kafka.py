"""The copy in Kafka: each entry once, in order, whatever is killed. The broker is a real process, killed and all."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from ship.world import REGION, Logs, free_port, wait_for_port
from support.needs import missing

from extproc.ledger.merkle import Frontier, leaf_hash
from extproc.ship import Shipper, Shipping, ShipStatus, open_destinations
from extproc.ship.config import FolderPlace, KafkaPlace, RegionShipping
from extproc.ship.errors import DestinationRefusedError, StoreAwayError
from extproc.ship.kafka import KafkaTopic
from extproc.ship.local_log import LocalLog
from extproc.ship.tree import CheckedTree

pytestmark = pytest.mark.slow
_NODE: Final = "acme/test/eu/node-1"


@pytest.fixture(scope="session")
def broker_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"]))
    if go is None:
        missing("go is not installed here")
    program = tmp_path_factory.mktemp("kafka") / "kafka"
    built = subprocess.run(
        [go, "build", "-o", program, "."],
        cwd=Path(__file__).parent / "kafka",
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return program


class Broker:
    """A broker that can be killed and started again, with what it had flushed."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *topics: str) -> None:
        command = [str(self._program), str(self.port), str(self._folder)]
        command += topics or ("decisions", "decisions.positions:compact")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        wait_for_port(self.port, self._process)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=10)
            self._process = None

    def place(self, topic: str = "decisions") -> KafkaPlace:
        return KafkaPlace(bootstrap=f"127.0.0.1:{self.port}", topic=topic)

    def written(self) -> int:
        """Count what was ever written to the topic, committed or not."""
        consumer = Consumer(
            {
                "bootstrap.servers": f"127.0.0.1:{self.port}",
                "group.id": "counter",
                "isolation.level": "read_uncommitted",
                "enable.metrics.push": False,
            }
        )
        try:
            ends = (consumer.get_watermark_offsets(TopicPartition("decisions", n), timeout=10)[1] for n in range(3))
            return sum(ends)
        finally:
            consumer.close()

    def records(self) -> dict[str, list[tuple[int, bytes, dict[str, bytes]]]]:
        """Read the topic as a consumer does that reads what is committed: by key, in order."""
        consumer = Consumer(
            {
                "bootstrap.servers": f"127.0.0.1:{self.port}",
                "group.id": "reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.metrics.push": False,
                "enable.partition.eof": True,
            }
        )
        found: dict[str, list[tuple[int, bytes, dict[str, bytes]]]] = {}
        try:
            open_ = set(consumer.list_topics("decisions", timeout=10).topics["decisions"].partitions)
            consumer.assign([TopicPartition("decisions", number, OFFSET_BEGINNING) for number in open_])
            deadline = time.monotonic() + 30
            while open_:
                assert time.monotonic() < deadline
                message = consumer.poll(1)
                if message is None:
                    continue
                error = message.error()
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    open_.discard(message.partition())
                    continue
                key, value, headers = message.key(), message.value(), dict(message.headers() or [])
                assert isinstance(key, bytes)
                assert isinstance(value, bytes)
                found.setdefault(key.decode(), []).append((int(headers["index"]), value, headers))  # type: ignore[arg-type]
        finally:
            consumer.close()
        return found


@pytest.fixture
def broker(broker_program: Path, tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(broker_program, tmp_path / "broker")
    broker.start()
    yield broker
    broker.kill()


def _shipping(broker: Broker, store: Path) -> Shipping:
    store.mkdir(exist_ok=True)
    return Shipping(
        regions={REGION: RegionShipping(place=FolderPlace(path=store), every_s=0.1)}, kafka={REGION: broker.place()}
    )


def _ship(logs: Logs, broker: Broker, tmp_path: Path, state: str = "state") -> ShipStatus:
    destinations = open_destinations(_shipping(broker, tmp_path / "store"), root=logs.root)
    shipper = Shipper(logs.root, destinations, tmp_path / state)
    try:
        return shipper.ship_once()
    finally:
        shipper.close()


def _exactly_once(broker: Broker, logs: Logs) -> int:
    """Hold every record against the logs on the disk, and give their number."""
    found = broker.records()
    total = 0
    for path in logs.root.glob("*/*/*/log"):
        log = LocalLog(root=logs.root, name=path.parent.relative_to(logs.root).as_posix())
        published = log.published()
        records = found.pop(published.checkpoint.origin, [])
        assert [index for index, _, _ in records] == list(range(published.size))
        tree = CheckedTree(log, published.size)
        entries = [entry for bundle in range(-(-published.size // 256)) for entry in tree.entries(bundle)]
        assert [value for _, value, _ in records] == entries
        frontier = Frontier()
        for _, value, headers in records:
            assert headers["leaf"] == leaf_hash(value).hex().encode()
            frontier.append(bytes.fromhex(headers["leaf"].decode()))
        assert frontier.root() == published.checkpoint.root
        assert [headers["kind"] for _, _, headers in records[:3]] == [b"genesis", b"config", b"decision"]
        total += published.size
    assert found == {}
    return total


def test_each_entry_once_and_in_order(broker: Broker, logs: Logs, tmp_path: Path) -> None:
    logs.grow(5000)
    logs.close()
    logs.grow(10)
    status = _ship(logs, broker, tmp_path)
    assert status.everything_shipped
    assert sorted((log.to.partition(":")[0], log.shipped) for log in status.logs if "kafka" in log.to) == [
        ("kafka", 12),
        ("kafka", 5003),
    ]
    assert _exactly_once(broker, logs) == 5015
    # Nothing is remembered here, and still nothing comes twice.
    assert _ship(logs, broker, tmp_path, "lost").everything_shipped
    logs.grow(300)
    assert _ship(logs, broker, tmp_path, "other").everything_shipped
    assert _exactly_once(broker, logs) == 5315


def test_a_broker_that_is_killed_holds_up_no_store(
    broker: Broker, logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extproc.ship.kafka._ANSWER_S", 3)
    logs.grow(10)
    destinations = open_destinations(_shipping(broker, tmp_path / "store"), root=logs.root)
    shipper = Shipper(logs.root, destinations, tmp_path / "state")
    stop = threading.Event()
    thread = threading.Thread(target=shipper.follow, args=(stop,))
    thread.start()

    def shipped(to: str) -> int:
        return sum(log.shipped for log in shipper.status().logs if to in log.to)

    _until(lambda: shipped("kafka") == 12)
    broker.kill()
    logs.grow(500)
    _until(lambda: shipped("store") == 512)
    _until(lambda: any(place.error for place in shipper.status().places), 60)
    assert shipped("kafka") < 512
    broker.start()
    _until(lambda: shipped("kafka") == 512, 90)
    stop.set()
    thread.join()
    shipper.close()
    assert _exactly_once(broker, logs) == 512


def test_killed_at_any_moment_nothing_comes_twice(broker: Broker, logs: Logs, tmp_path: Path) -> None:
    dice = random.Random(7)
    store = tmp_path / "store"
    store.mkdir()
    config = tmp_path / "shipping.yaml"
    config.write_text(
        f"apiVersion: situs/v1\nregions: {{{REGION}: {{to: {store}, every_s: 0.1}}}}\n"
        f"kafka: {{{REGION}: {{bootstrap: '127.0.0.1:{broker.port}', topic: decisions}}}}\n"
    )
    command = [sys.executable, "-m", "extproc", "audit", "ship", str(logs.root), "--config", str(config)]
    written = in_the_middle = 0
    for _ in range(5):
        size = logs.grow(dice.randrange(6000, 10000)).size
        process = subprocess.Popen([*command, "--follow"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _until(lambda before=written: broker.written() > before)  # type: ignore[misc]
        time.sleep(dice.random() * 0.15)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        written = broker.written()
        # Less than all: it died while it copied, between two transactions or within one.
        in_the_middle += sum(map(len, broker.records().values())) < size
    assert in_the_middle > 0, "no life was ended while it copied"
    assert _ship(logs, broker, tmp_path).everything_shipped
    assert _exactly_once(broker, logs) > 25_000


def test_two_shippers_at_once_repeat_nothing(broker: Broker) -> None:
    """The later one ends the earlier one's right to copy; then the earlier one comes back, and so on."""
    first, second = (KafkaTopic(broker.place(), _NODE) for _ in range(2))
    first.begin()
    assert first.position("a") == 0
    first.copy("a", 0, [b"0", b"1"], 2)
    second.begin()
    assert second.position("a") == 2
    with pytest.raises(StoreAwayError, match="look at the brokers, and at who else copies this node"):
        first.copy("a", 2, [b"2"], 3)
    second.copy("a", 2, [b"2"], 3)
    first.begin()
    assert first.position("a") == 3
    first.copy("a", 3, [b"3"], 4)
    assert [(index, value) for index, value, _ in broker.records()["a"]] == [(n, str(n).encode()) for n in range(4)]


def test_what_was_cut_off_was_never_copied(broker: Broker) -> None:
    """Entries and position reached the broker, and their transaction was never committed."""
    cut_off = KafkaTopic(broker.place(), _NODE)
    cut_off.begin()
    producer = cut_off._producer
    assert producer is not None
    producer.begin_transaction()
    producer.produce("decisions", key="a", value="0", headers=[("index", "0")])
    producer.produce("decisions.positions", key="a", value="1")
    assert producer.flush(10) == 0
    assert broker.written() == 1
    anew = KafkaTopic(broker.place(), _NODE)
    anew.begin()
    assert anew.position("a") == 0
    anew.copy("a", 0, [b"0"], 1)
    assert [value for _, value, _ in broker.records()["a"]] == [b"0"]


def test_a_position_behind_somebody_elses_open_transaction_is_waited_for(broker: Broker) -> None:
    """Two nodes share the topic of positions: one of them holds a transaction open while the other one begins anew."""
    ours, theirs = KafkaTopic(broker.place(), _NODE), KafkaTopic(broker.place(), "acme/test/eu/node-2")
    ours.begin()
    theirs.begin()
    other = theirs._producer
    assert other is not None
    other.begin_transaction()
    # In every partition, so that the last stable offset is before whatever comes.
    for partition in range(3):
        other.produce("decisions.positions", key=f"other-{partition}", value="1", partition=partition)
    other.flush(10)
    ours.copy("a", 0, [b"0"], 1)
    threading.Timer(1.5, lambda: other.commit_transaction(10)).start()
    anew = KafkaTopic(broker.place(), _NODE)
    began = time.monotonic()
    anew.begin()
    assert time.monotonic() - began > 1
    assert anew.position("a") == 1
    assert anew.position("other-2") == 1


def test_topics_that_are_missing_or_would_forget(broker: Broker, broker_program: Path, tmp_path: Path) -> None:
    with pytest.raises(DestinationRefusedError, match=r"there is no topic other\. Mend: kafka-topics.sh --create"):
        KafkaTopic(broker.place("other"), _NODE).begin()
    wrong = Broker(broker_program, tmp_path / "wrong")
    wrong.start("decisions", "decisions.positions:delete")
    try:
        with pytest.raises(DestinationRefusedError, match=r"cleanup.policy=delete, so positions would be forgotten"):
            KafkaTopic(wrong.place(), _NODE).begin()
    finally:
        wrong.kill()


def test_a_broker_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.ship.kafka._ANSWER_S", 1)
    place = KafkaPlace(bootstrap=f"127.0.0.1:{free_port()}", topic="decisions")
    topic = KafkaTopic(place, _NODE)
    with pytest.raises(StoreAwayError, match="not begun"):
        topic.copy("a", 0, [], 0)
    with pytest.raises(StoreAwayError, match="Mend: look at the brokers"):
        topic.begin()


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
