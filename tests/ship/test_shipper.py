"""Shipping to a real store: what arrives, in which order, and what is refused."""

import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ledger.world import KEY
from ship.world import REGION, Bucket, Logs, snapshot, sound

from extproc.ledger.checkpoint import Checkpoint, format_checkpoint
from extproc.ledger.tiles import format_tile_path, tiles_of
from extproc.notes.keys import generate_key
from extproc.notes.note import format_vkey, sign_note
from extproc.ship import Destinations, Shipper, ShipStatus
from extproc.ship.destination import Destination, Stored
from extproc.ship.errors import DestinationRefusedError, StoreAwayError
from extproc.ship.folder import FolderDestination
from extproc.ship.lane import StoreLane
from extproc.ship.local_log import find_logs
from extproc.ship.opening import Store
from extproc.ship.state import State
from extproc.ship.status import LogStatus, status_from_json


def _to(destination: Destination, every_s: float = 10.0) -> Destinations:
    return Destinations(stores={REGION: Store(destination=destination, every_s=every_s)})


def _ship(logs: Logs, destination: Destination, state: Path | None = None) -> ShipStatus:
    """One life of a shipper."""
    shipper = Shipper(logs.root, _to(destination), state or logs.root / ".shipping")
    try:
        return shipper.ship_once()
    finally:
        shipper.close()


def _folder(tmp_path: Path, name: str = "store") -> FolderDestination:
    (tmp_path / name).mkdir(exist_ok=True)
    return FolderDestination(tmp_path / name)


def _names(tmp_path: Path) -> list[str]:
    store = tmp_path / "store"
    names = (path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file())
    return sorted(name for name in names if not name.startswith("."))


def _rewrite(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name("new")
    scratch.write_bytes(data)
    scratch.replace(path)


def _note(origin: str, size: int) -> bytes:
    text = format_checkpoint(Checkpoint(origin=origin, size=size, root=bytes([size % 256]) * 32))
    return sign_note(text, KEY.verifier(origin), KEY.sign)


@pytest.mark.slow
def test_what_is_shipped_and_what_never_is(
    bucket: Bucket, logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.grow(600)
    first = logs.close()
    policy = first / "policies" / f"{'ab' * 32}.json"
    policy.parent.mkdir(exist_ok=True)
    (first / "key.pem").write_text("private")
    logs.grow(30)
    status = _ship(logs, bucket.destination())
    assert status.everything_shipped
    assert [log.size for log in status.logs] == [603, 32]
    names = set(bucket.versions())
    name = first.relative_to(logs.root).as_posix()
    of_first = {f"{name}/log/{format_tile_path(tile)}" for tile in tiles_of(603)}
    of_first |= {f"{name}/log/checkpoint", f"{name}/log.vkey"}
    assert {each for each in names if each.startswith(name)} == of_first
    assert {each for each in names if not each.startswith((name, logs.name))} == {"node-1/w0/signer.vkey"}
    for each in names:
        assert bucket.read(each) == (logs.root / each).read_bytes()
    assert snapshot(sorted(names), bucket.read, tmp_path / "copy") == [32, 603]
    assert len(sound(tmp_path / "copy").logs) == 2
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.endpoint)
    assert [log.size for log in sound(f"s3://{bucket.name}/situs").logs] == [603, 32]


@pytest.mark.slow
def test_nothing_is_shipped_twice(bucket: Bucket, logs: Logs, tmp_path: Path) -> None:
    """Neither with the state, nor without it, nor by another shipper: one version of each file that cannot change."""
    logs.grow(300)
    _ship(logs, bucket.destination())
    before = bucket.versions()
    for state in (logs.root / ".shipping", tmp_path / "lost", tmp_path / "other"):
        assert _ship(logs, bucket.destination(), state).everything_shipped
    assert bucket.versions() == before
    assert {len(each) for each in before.values()} == {1}
    logs.grow(300)
    _ship(logs, bucket.destination(), tmp_path / "third")
    counts = {name: len(versions) for name, versions in bucket.versions().items()}
    assert {name for name, count in counts.items() if count > 1} == {f"{logs.name}/log/checkpoint"}


@pytest.mark.slow
def test_a_reader_finds_a_whole_log_at_every_moment(
    bucket: Bucket, logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the log grows through incarnations and two shippers ship it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.endpoint)
    logs.grow(10)
    _ship(logs, bucket.destination())
    stop = threading.Event()
    shippers = [Shipper(logs.root, _to(bucket.destination(), every_s=0.1), tmp_path / f"state-{n}") for n in range(2)]
    threads = [threading.Thread(target=shipper.follow, args=(stop,)) for shipper in shippers]
    for thread in threads:
        thread.start()
    seen: set[tuple[int, int]] = set()
    moments = 0
    for life in range(3):
        for _ in range(4):
            writer = logs.grow(90)
            deadline = time.monotonic() + 20
            while (life, writer.size) not in seen:
                sizes = snapshot(sorted(bucket.versions()), bucket.read, tmp_path / "copy")
                seen.add((len(sizes) - 1, sizes[0]))
                sound(tmp_path / "copy")
                sound(f"s3://{bucket.name}/situs")
                moments += 1
                assert time.monotonic() < deadline
        if life < 2:
            logs.close()
            logs.begin()
    stop.set()
    for thread in threads:
        thread.join()
    for shipper in shippers:
        shipper.close()
    assert moments > 12
    sizes = snapshot(sorted(bucket.versions()), bucket.read, tmp_path / "copy")
    assert sum(sizes) == 12 * 90 + 10 + 3 * 2 + 2
    sound(tmp_path / "copy")
    versions = bucket.versions()
    assert {len(each) for name, each in versions.items() if "/tile/" in name} == {1}
    for name in versions:
        if name.endswith("/checkpoint"):
            sizes = [_size_of(bucket, each) for each in versions[name]]
            assert sizes == sorted(sizes, reverse=True), "a checkpoint went back"


def _size_of(bucket: Bucket, version: dict[str, Any]) -> int:
    body = bucket.client.get_object(Bucket=bucket.name, Key=version["Key"], VersionId=version["VersionId"])["Body"]
    return int(body.read().split(b"\n")[1])


class _Watching:
    """A store that remembers the order in which it was written, and refuses when it is told to."""

    def __init__(self, inner: Destination) -> None:
        self._inner = inner
        self.location = inner.location
        self.written: list[str] = []

    def check(self) -> None:
        self._inner.check()

    def read(self, name: str) -> Stored | None:
        return self._inner.read(name)

    def put_immutable(self, name: str, data: bytes) -> bool:
        is_new = self._inner.put_immutable(name, data)
        self.written.append(name)
        return is_new

    def put_mutable(self, name: str, data: bytes, *, over: str | None) -> str:
        tag = self._inner.put_mutable(name, data, over=over)
        self.written.append(name)
        return tag


class _Deaf(_Watching):
    """A store that does what it was asked, and whose answer is then lost, one in three times."""

    def __init__(self, inner: Destination, seed: int) -> None:
        super().__init__(inner)
        self._dice = random.Random(seed)
        self.calls = 0

    def put_immutable(self, name: str, data: bytes) -> bool:
        is_new = super().put_immutable(name, data)
        self._lose()
        return is_new

    def put_mutable(self, name: str, data: bytes, *, over: str | None) -> str:
        tag = super().put_mutable(name, data, over=over)
        self._lose()
        return tag

    def _lose(self) -> None:
        self.calls += 1
        if self._dice.random() < 1 / 3:
            raise StoreAwayError("the answer was lost")


@pytest.mark.parametrize("seed", range(4))
def test_an_answer_that_is_lost_makes_nothing_come_twice(tmp_path: Path, logs: Logs, seed: int) -> None:
    store = _Deaf(_folder(tmp_path), seed)
    shipper = Shipper(logs.root, _to(store), tmp_path / "state")
    for size in (10, 300, 200):
        logs.grow(size)
        lives = 0
        while not shipper.ship_once().everything_shipped:
            lives += 1
            assert lives < 100
    shipper.close()
    checkpoint = f"{logs.name}/log/checkpoint"
    assert store.written.count(checkpoint) == 3
    assert store.calls > len(set(store.written))
    sound(tmp_path / "store")


def test_the_checkpoint_is_last_and_the_log_before_is_whole_first(tmp_path: Path, logs: Logs) -> None:
    logs.grow(600)
    first = logs.close().relative_to(logs.root).as_posix()
    logs.grow(3)
    store = _Watching(_folder(tmp_path))
    _ship(logs, store)
    assert store.written.index(f"{first}/log/checkpoint") == max(
        n for n, name in enumerate(store.written) if name.startswith(first)
    )
    assert all(
        name.startswith(logs.name) for name in store.written[store.written.index(f"{first}/log/checkpoint") + 1 :]
    )
    assert store.written[-1] == f"{logs.name}/log/checkpoint"


@pytest.mark.slow
def test_full_tiles_go_at_once_and_the_checkpoint_when_its_time_has_come(tmp_path: Path, logs: Logs) -> None:
    logs.grow(10)
    store = _Watching(_folder(tmp_path))
    shipper = Shipper(logs.root, _to(store, every_s=3600), tmp_path / "state")
    stop = threading.Event()
    thread = threading.Thread(target=shipper.follow, args=(stop,))
    thread.start()
    checkpoint = f"{logs.name}/log/checkpoint"

    def wait_for(name: str, count: int = 1) -> None:
        deadline = time.monotonic() + 20
        while store.written.count(name) < count:
            assert time.monotonic() < deadline, name
            time.sleep(0.02)

    wait_for(checkpoint)
    name = logs.name
    logs.grow(300)
    wait_for(f"{name}/log/tile/0/000")
    assert store.written.count(checkpoint) == 1
    assert not any(each.startswith(f"{name}/log/tile/0/001") for each in store.written)
    logs.close()
    wait_for(checkpoint, 2)
    stop.set()
    thread.join()
    shipper.close()
    sound(tmp_path / "store")


def test_a_region_without_an_entry_is_refused_and_the_others_go_on(tmp_path: Path, logs: Logs) -> None:
    logs.grow(3)
    elsewhere = Logs(root=logs.root, region="us", worker="w1")
    elsewhere.grow(3)
    said: list[str] = []
    shipper = Shipper(logs.root, _to(_folder(tmp_path)), tmp_path / "state", say=said.append)
    status = shipper.ship_once()
    shipper.close()
    assert not status.everything_shipped
    ours, stray = status.logs
    assert (ours.shipped, ours.error, stray.to) == (5, None, "")
    assert said == [stray.error]
    assert stray.error is not None
    assert "the region 'us' of acme/test/us/node-1/w1/" in stray.error
    assert "shipped nowhere. Mend: add 'us:' to regions" in stray.error
    assert not any("/w1/" in name for name in _names(tmp_path))


def test_the_region_is_read_from_the_checkpoint_and_not_from_a_name(tmp_path: Path) -> None:
    logs = Logs(root=tmp_path / "eu/eu/eu", region="us")
    logs.grow(3)
    shipper = Shipper(tmp_path / "eu", _to(_folder(tmp_path)), tmp_path / "state")
    (stray,) = shipper.ship_once().logs
    shipper.close()
    assert stray.region == "us"
    assert _names(tmp_path) == []


def test_other_bytes_in_the_store_are_found_and_nothing_is_overwritten(tmp_path: Path, logs: Logs) -> None:
    logs.grow(300)
    bad = logs.name
    logs.close()
    store = _folder(tmp_path)
    store.check()
    store.put_immutable(f"{bad}/log/tile/entries/000", b"somebody else's")
    other = Logs(root=logs.root, worker="w1")
    other.grow(3)
    status = _ship(logs, store)
    first, second = status.logs
    assert first.error is not None
    assert "tile/entries/000: holds other bytes" in first.error
    assert (first.shipped, second.shipped, second.error) == (0, 5, None)
    assert f"{bad}/log/checkpoint" not in _names(tmp_path)


def test_a_fork_is_found(tmp_path: Path, logs: Logs) -> None:
    logs.grow(10)
    store = _folder(tmp_path)
    store.check()
    origin = f"acme/test/eu/{logs.name}"
    store.put_mutable(f"{logs.name}/log/checkpoint", _note(origin, 5), over=None)
    (log,) = _ship(logs, store).logs
    assert log.error is not None
    assert "over 5 entries the store's checkpoint has another root than this disk: the log was forked" in log.error


def test_somebody_elses_log_of_the_same_name_is_found(tmp_path: Path, logs: Logs) -> None:
    logs.grow(10)
    store = _folder(tmp_path)
    store.check()
    store.put_mutable(f"{logs.name}/log/checkpoint", _note("other/prod/eu/a/b/c", 5), over=None)
    (log,) = _ship(logs, store).logs
    assert log.error is not None
    assert "is of other/prod/eu/a/b/c, and ours is acme/test/eu/" in log.error


def test_an_old_disk_image_is_found(tmp_path: Path, logs: Logs) -> None:
    logs.grow(10)
    old = {path: path.read_bytes() for path in logs.root.rglob("*") if path.is_file()}
    logs.grow(10)
    assert _ship(logs, _folder(tmp_path), tmp_path / "state").everything_shipped
    for path, data in old.items():
        path.write_bytes(data)
    for state in ("state", "lost"):
        (log,) = _ship(logs, _folder(tmp_path), tmp_path / state).logs
        assert log.error is not None
        assert "12 entries are published here, and 22 are in" in log.error


def test_a_store_that_lost_what_was_shipped_is_not_filled_anew_in_silence(tmp_path: Path, logs: Logs) -> None:
    """Such as a mount point with nothing mounted on it."""
    logs.grow(10)
    state = tmp_path / "state"
    assert _ship(logs, _folder(tmp_path), state).everything_shipped
    (tmp_path / "store").rename(tmp_path / "away")
    (log,) = _ship(logs, _folder(tmp_path), state).logs
    assert log.error is not None
    assert "covers 0 entries, and 12 were shipped. Mend: mount the right folder" in log.error
    (state / "state.json").unlink()
    assert _ship(logs, _folder(tmp_path), state).everything_shipped
    sound(tmp_path / "store")


def test_a_disk_that_turned_a_bit_ships_nothing_that_is_wrong(tmp_path: Path, logs: Logs) -> None:
    logs.grow(300)
    path = logs.root / logs.name / "log/tile/0/000"
    data = path.read_bytes()
    path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    (log,) = _ship(logs, _folder(tmp_path)).logs
    assert log.error is not None
    assert "tile/0/000: its root is not in the tile above it. Mend: " in log.error
    assert not any("/tile/" in name for name in _names(tmp_path))
    path.write_bytes(data)
    assert _ship(logs, _folder(tmp_path)).everything_shipped


def test_a_checkpoint_over_other_tiles_is_not_shipped(tmp_path: Path, logs: Logs) -> None:
    logs.grow(10)
    path = logs.root / logs.name / "log/checkpoint"
    good = path.read_bytes()
    _rewrite(path, _note(f"acme/test/eu/{logs.name}", 12))
    (log,) = _ship(logs, _folder(tmp_path)).logs
    assert log.error is not None
    assert "its tiles hash to another root. Mend: start the worker anew" in log.error
    assert _names(tmp_path) == []
    _rewrite(path, good)
    assert _ship(logs, _folder(tmp_path)).everything_shipped


def test_a_log_with_one_after_it_waits_for_no_period(tmp_path: Path, logs: Logs) -> None:
    """Even where nobody could write a Close: the next log says how this one ended."""
    logs.grow(10)
    lane = StoreLane(REGION, _folder(tmp_path), every_s=3600, state=State(tmp_path / "state.json"))
    seen: list[LogStatus] = []

    def ship() -> list[int]:
        seen.clear()
        found = {log: log.published().checkpoint.origin for log in find_logs(logs.root)}
        lane.ship(found, everything=False, report=seen.append)
        return [log.shipped for log in seen]

    assert ship() == [12]
    first = logs.name
    logs.grow(10)
    assert ship() == [12]
    later = Logs(root=tmp_path / "other")
    later.grow(1)
    (tmp_path / "other" / later.name).rename(logs.root / later.name.replace("000001", "000002"))
    assert ship() == [22, 3]
    assert (tmp_path / "store" / first / "log/checkpoint").read_bytes() == (
        logs.root / first / "log/checkpoint"
    ).read_bytes()
    lane.close()


def test_policies_are_shipped_by_their_digest(tmp_path: Path, logs: Logs) -> None:
    logs.grow(3)
    policies = logs.root / logs.name / "policies"
    _rewrite(policies / "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a.json", b"{}")
    _rewrite(policies / ".half.json", b"")
    _rewrite(policies / "notes.txt", b"")
    assert _ship(logs, _folder(tmp_path)).everything_shipped
    (name,) = (name for name in _names(tmp_path) if "policies" in name)
    assert name.endswith("/policies/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a.json")
    _rewrite(policies / f"{'0' * 64}.json", b"{}")
    (log,) = _ship(logs, _folder(tmp_path)).logs
    assert log.error is not None
    assert "is not the policy of that digest" in log.error


def test_keys_delegations_and_cosignatures(tmp_path: Path, logs: Logs) -> None:
    """A rotation adds keys; a machine that was set up anew forgets some, and the store keeps them all."""
    logs.grow(10)
    here, there = logs.root / logs.name, tmp_path / "store" / logs.name
    origin = f"acme/test/eu/{logs.name}"
    _rewrite(here / "delegations", b"first\n")
    _rewrite(here / "witnessed", _note(origin, 9))
    shipper = Shipper(logs.root, _to(_folder(tmp_path)), tmp_path / "state")
    assert shipper.ship_once().everything_shipped
    assert (there / "delegations").read_bytes() == b"first\n"
    assert (there / "witnessed").read_bytes() == _note(origin, 9)
    old = (here / "log.vkey").read_text()
    new = f"{format_vkey(generate_key().verifier(origin))}\n"
    _rewrite(here / "log.vkey", (old + new).encode())
    _rewrite(here / "delegations", b"first\n\nsecond\n")
    # A witness has seen more than is published by now: it must not be ahead of the checkpoint in the store.
    _rewrite(here / "witnessed", _note(origin, 15))
    shipper.ship_once()
    assert (there / "log.vkey").read_text() == old + new
    assert (there / "delegations").read_bytes() == b"first\n\nsecond\n"
    assert (there / "witnessed").read_bytes() == _note(origin, 9)
    logs.grow(10)
    shipper.ship_once()
    assert (there / "witnessed").read_bytes() == _note(origin, 15)
    _rewrite(here / "witnessed", _note(origin, 12))
    _rewrite(here.parent / "signer.vkey", new.encode())
    shipper.ship_once()
    assert (there / "witnessed").read_bytes() == _note(origin, 15)
    assert new in (there.parent / "signer.vkey").read_text()
    assert len((there.parent / "signer.vkey").read_text().splitlines()) == 2
    shipper.close()


def test_a_pruned_log_is_whole_where_it_was_shipped_before(tmp_path: Path, logs: Logs) -> None:
    logs.grow(600)
    _ship(logs, _folder(tmp_path))
    (logs.root / logs.name / "log/tile/entries/000").unlink()
    logs.grow(100)
    for state in ("state", "other"):
        (log,) = _ship(logs, _folder(tmp_path), tmp_path / state).logs
        assert (log.shipped, log.pruned, log.error) == (702, 0, None)
    sound(tmp_path / "store")
    (log,) = _ship(logs, _folder(tmp_path, "late")).logs
    assert (log.shipped, log.pruned, log.error) == (702, 256, None)


def test_the_keepers_log_is_shipped_like_any(tmp_path: Path, logs: Logs) -> None:
    keeper = Logs(root=logs.root, worker="keeper")
    keeper.grow(1)
    folder = keeper.close().relative_to(logs.root).as_posix()
    assert _ship(logs, _folder(tmp_path)).everything_shipped
    assert f"{folder}/log/checkpoint" in _names(tmp_path)


def test_the_status_is_a_value_and_a_file(tmp_path: Path, logs: Logs) -> None:
    logs.grow(10)
    status = _ship(logs, _folder(tmp_path), tmp_path / "state")
    assert status_from_json((tmp_path / "state/status.json").read_bytes()) == status
    assert json.loads((tmp_path / "state/status.json").read_bytes())["everything_shipped"] is True
    assert status.lag_s == 0
    (tmp_path / "store").rename(tmp_path / "away")
    logs.grow(10)
    status = _ship(logs, FolderDestination(tmp_path / "store"), tmp_path / "state")
    (place,) = status.places
    assert place.error is not None
    assert place.failing_since_s is not None
    assert not status.everything_shipped
    for broken in (b"", b"[]", b"{}", b'{"at_s": 1, "places": [{}], "logs": []}'):
        with pytest.raises(ValueError, match=r"not a shipping status|Expecting value"):
            status_from_json(broken)


def test_a_store_is_checked_before_anything_is_sent(tmp_path: Path, logs: Logs) -> None:
    logs.grow(1)
    shipper = Shipper(logs.root, _to(FolderDestination(tmp_path / "nothing")), tmp_path / "state")
    with pytest.raises(DestinationRefusedError):
        shipper.check()
    shipper.close()
