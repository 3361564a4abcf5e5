"""The key store: for its owner alone, one truth for several processes, and empty of what was deleted."""

import multiprocessing
import os
import signal
import sqlite3
import threading
from pathlib import Path

import pytest
from sealed.world import GROUNDS, TODAY, new_store

from extproc.sealed.derive import subject_row
from extproc.sealed.destroy import destroy_days, destroy_subject, forget, unrecorded
from extproc.sealed.errors import KeyStoreError
from extproc.sealed.store import KeyStore, open_store


def test_keys_are_random_and_stay(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    keys = {
        store.day_key("shop", TODAY),
        store.day_key("shop", "2025-11-22"),
        store.day_key("bank", TODAY),
        store.subject_key("shop", TODAY, b"row"),
        store.subject_key("shop", TODAY, b"another row"),
    }
    assert len(keys) == 5
    assert {len(key) for key in keys} == {32}
    store.close()
    again = new_store(tmp_path)
    assert again.day_key("shop", TODAY) in keys
    assert again.subject_key("shop", TODAY, b"row") in keys
    assert again.days("shop") == (TODAY, "2025-11-22")
    assert again.find_day_key("shop", "1999-01-01") is None
    assert again.find_subject_key("shop", TODAY, b"nobody") is None


def test_files_and_folder_are_for_the_owner_alone(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.day_key("shop", TODAY)
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    found = {path.name: path.stat().st_mode & 0o777 for path in store.path.parent.iterdir()}
    assert found == {"keys.db": 0o600, "keys.db-wal": 0o600, "keys.db-shm": 0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622])
def test_a_file_that_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    store = new_store(tmp_path)
    store.close()
    store.path.chmod(mode)
    with pytest.raises(KeyStoreError, match=rf"keys.db: mode 0{mode:o} lets others at the keys. Mend: chmod 600"):
        open_store(store.path)


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    store = new_store(tmp_path)
    store.close()
    store.path.parent.chmod(mode)
    with pytest.raises(KeyStoreError, match="Mend: chmod 700"):
        open_store(store.path)


def test_a_store_within_the_logs_is_refused(tmp_path: Path) -> None:
    logs = tmp_path / "log"
    (logs / "node").mkdir(parents=True)
    for inside in (logs / "keys.db", logs / "node" / "keys.db", tmp_path / "log" / ".." / "log" / "keys.db"):
        with pytest.raises(KeyStoreError, match="a folder of its own"):
            open_store(inside, create=True, apart_from=logs)
    (tmp_path / "link").symlink_to(logs)
    with pytest.raises(KeyStoreError, match="a folder of its own"):
        open_store(tmp_path / "link" / "keys.db", create=True, apart_from=logs)
    open_store(tmp_path / "keys" / "keys.db", create=True, apart_from=logs).close()


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreError, match="there is no key store"):
        open_store(tmp_path / "keys.db")
    other = tmp_path / "other.db"
    other.touch(mode=0o600)
    with pytest.raises(KeyStoreError, match="not a key store"):
        open_store(other)
    other.write_bytes(b"no database, but longer than the header of one" * 40)
    with pytest.raises(KeyStoreError, match="not a database"):
        open_store(other)
    with pytest.raises(KeyStoreError, match="not a regular file"):
        open_store(Path(os.devnull))


def test_a_fault_of_the_file_names_it(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    other = sqlite3.connect(store.path)
    other.execute("DROP TABLE subjects")
    other.close()
    with pytest.raises(KeyStoreError, match=r"keys.db: no such table: subjects"):
        store.subject_key("shop", TODAY, b"row")


def _make_keys(path: Path, results: "multiprocessing.Queue[list[bytes]]") -> None:
    store = open_store(path, create=True)
    results.put([store.subject_key("shop", TODAY, b"%d" % n) for n in range(50)])


@pytest.mark.slow
def test_several_processes_that_start_at_once_share_one_set_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "keys.db"
    fresh = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[bytes]] = fresh.Queue()
    workers = [fresh.Process(target=_make_keys, args=(path, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    made = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert made[0] == made[1] == made[2]
    assert [path.name for path in path.parent.iterdir() if path.name.startswith(".")] == []


def _make_and_be_killed(path: Path, results: "multiprocessing.connection.Connection") -> None:
    store = open_store(path, create=True)
    for n in range(1000):
        results.send_bytes(store.subject_key("shop", TODAY, b"%d" % n))
        if n == 40:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_key_that_was_used_survives_the_kill_of_its_process(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "keys.db"
    fresh = multiprocessing.get_context("spawn")
    receiver, sender = fresh.Pipe(duplex=False)
    worker = fresh.Process(target=_make_and_be_killed, args=(path, sender))
    worker.start()
    sender.close()
    used = []
    try:
        while True:
            used.append(receiver.recv_bytes())
    except EOFError:
        pass
    worker.join(60)
    assert worker.exitcode == -signal.SIGKILL
    store = open_store(path)
    assert [store.subject_key("shop", TODAY, b"%d" % n) for n in range(41)] == used


def _bytes_of(store: KeyStore) -> bytes:
    return b"".join(path.read_bytes() for path in store.path.parent.iterdir() if not path.name.endswith("-shm"))


@pytest.mark.slow
def test_nothing_of_a_deleted_key_is_left_in_any_file(tmp_path: Path) -> None:
    """Over enough rows that pages split, and with checkpoints in between that leave copies in the write-ahead log."""
    store = new_store(tmp_path)
    day_key = store.day_key("shop", TODAY)
    keys = {}
    for n in range(3000):
        keys[f"person {n}"] = store.subject_key("shop", TODAY, subject_row(day_key, f"person {n}"))
        if n % 500 == 0:
            store.flush()
    store.flush()
    gone = [f"person {n}" for n in range(0, 3000, 7)]
    assert all(keys[name] in _bytes_of(store) for name in gone)
    for name in gone:
        destroyed = destroy_subject(store, tenant="shop", subject=name, grounds=GROUNDS)
        assert destroyed is not None
        assert destroyed.keys == 1
    store.scrub()
    left = _bytes_of(store)
    assert [name for name in gone if keys[name] in left] == []
    assert all(keys[name] in left for name in keys if name not in gone)
    destroy_days(store, tenant="shop", days=[TODAY], grounds=GROUNDS)
    store.scrub()
    left = _bytes_of(store)
    assert [name for name, key in keys.items() if key in left] == []
    assert day_key not in left


def test_scrubbing_waits_for_readers_and_says_so(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.day_key("shop", TODAY)
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM days").fetchall()
    store._connection.execute("PRAGMA busy_timeout = 10")
    store.day_key("shop", "2025-11-22")
    with pytest.raises(KeyStoreError, match="-wal may still hold them"):
        store.scrub(within_s=0.05)
    threading.Timer(0.05, reader.interrupt).start()
    reader.execute("COMMIT")
    store.scrub()
    assert store.path.with_name("keys.db-wal").stat().st_size == 0


def test_destroying_is_noted_with_the_keys_and_holds_no_secret(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    keys = []
    for day in (TODAY, "2025-11-22"):
        day_key = store.day_key("shop", day)
        keys += [store.subject_key("shop", day, subject_row(day_key, name)) for name in ("ada", "bob")]
    before = store.generation()
    assert destroy_subject(store, tenant="shop", subject="eve", grounds=GROUNDS) is None
    assert destroy_subject(store, tenant="bank", subject="ada", grounds=GROUNDS) is None
    assert (store.generation(), unrecorded(store)) == (before, ())
    first = destroy_subject(store, tenant="shop", subject="ada", grounds=GROUNDS)
    second = destroy_days(store, tenant="shop", days=["2025-11-22", "1999-01-01"], grounds=GROUNDS)
    assert first is not None
    assert second is not None
    assert unrecorded(store) == (first, second)
    assert (first.days, first.keys, len(first.pseudonyms)) == ((TODAY, "2025-11-22"), 2, 2)
    assert (second.days, second.keys, second.pseudonyms) == (("2025-11-22",), 2, ())
    assert store.generation() == before + 2
    notes = repr(unrecorded(store))
    assert "ada" not in notes
    assert not any(key.hex() in notes for key in keys)
    forget(store, first)
    assert unrecorded(store) == (second,)
    assert destroy_subject(store, tenant="shop", subject="ada", grounds=GROUNDS) is None


def test_what_fails_midway_changes_nothing(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    day_key = store.day_key("shop", TODAY)
    key = store.subject_key("shop", TODAY, subject_row(day_key, "ada"))
    store._connection.execute("CREATE TRIGGER no BEFORE INSERT ON destroyed BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(KeyStoreError, match=r"keys\.db: no"):
        destroy_subject(store, tenant="shop", subject="ada", grounds=GROUNDS)
    assert store.subject_key("shop", TODAY, subject_row(day_key, "ada")) == key
