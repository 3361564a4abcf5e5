import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop
from geo.lookalikes import damaged_of_a_type_that_we_read

from extproc.geo import AnonymityDatabase, GeoDatabase, GeoDatabaseError, apart, inspection

WriteDatabase = Callable[..., Path]
DAMAGED = {name: (content, what) for name, content, what in damaged_of_a_type_that_we_read()}


def refusal(path: Path, **options: object) -> GeoDatabaseError:
    with pytest.raises(GeoDatabaseError) as refused:
        GeoDatabase.load(path, **options)  # type: ignore[arg-type]
    assert refused.value.path == path
    return refused.value


def never(*_: object, **__: object) -> None:
    raise AssertionError("walked in this process")


@pytest.mark.slow
def test_the_records_are_walked_in_another_process(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "check_records", never)
    database = GeoDatabase.load(city)
    assert database.locate("81.2.69.142").country == "GB"
    database.close()
    assert "walked in this process" in refusal(city, apart=False).what


@pytest.mark.slow
def test_from_any_folder(city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "extproc.py").write_text("raise SystemExit('taken from the current folder')")
    (tmp_path / "json.py").write_text("raise SystemExit('taken from the current folder')")
    GeoDatabase.load(city).close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["deep-maps", "key-that-is-not-utf-8", "record-size-20", "epoch-max", "type-none"])
def test_both_processes_say_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.mmdb"
    path.write_bytes(DAMAGED[name][0])
    here, there = refusal(path, apart=False, now_s=1.8e9), refusal(path, now_s=1.8e9)
    assert (here.what, here.mend) == (there.what, there.mend)
    assert DAMAGED[name][1] in there.what


@pytest.mark.slow
def test_purpose_and_age_reach_the_other_process(write_database: WriteDatabase, city: Path) -> None:
    path = write_database(
        {"81.2.69.0/24": {"is_anonymous": True}}, database_type="GeoIP2-Anonymous-IP", build_epoch=1_700_000_000
    )
    AnonymityDatabase.load(path, not_older_than=1_700_000_000, now_s=1.7e9).close()
    for database, options in ((city, {}), (path, {"not_older_than": 1_700_000_001}), (path, {"now_s": 1.6e9})):
        with pytest.raises(GeoDatabaseError, match=r"not one of|before 1700000001|in the future"):
            AnonymityDatabase.load(database, **options)


def instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    """Let the inspecting process be a shell script."""
    program = tmp_path / "instead"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


@pytest.mark.parametrize(
    ("script", "what", "mend"),
    [
        ("kill -SEGV $$", "is damaged: the process that checked it ended by SIGSEGV", "fetch it again"),
        ("kill -BUS $$", "is damaged: the process that checked it ended by SIGBUS", "fetch it again"),
        ("kill -KILL $$", "cannot be checked: the process that did was killed", "more memory"),
        ("kill -XCPU $$", "takes longer than 600 s", "too large"),
        ("exit 77", "bytes of memory to check", "too large"),
        ("echo first; echo 'No module' >&2; exit 1", "ended with 1 (No module)", "installed whole"),
        ("exit 3", "ended with 3 (silent)", "installed whole"),
        ("exit 0", "ended with 0 (silent)", "installed whole"),
        ("echo null", "ended with 0 (silent)", "installed whole"),
    ],
)
def test_however_the_process_ends_it_is_a_refusal(  # noqa: PLR0913, PLR0917 - fixtures
    city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, what: str, mend: str
) -> None:
    instead(monkeypatch, tmp_path, script)
    error = refusal(city)
    assert what in error.what
    assert mend in error.mend


def test_it_is_ended_when_it_takes_too_long(city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, tmp_path, "exec sleep 60")
    monkeypatch.setattr(apart, "TIME_LIMIT_S", 0.05)
    started = time.monotonic()
    assert "takes longer than 0 s to check" in refusal(city).what
    assert time.monotonic() - started < 30


def test_no_process(city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    error = refusal(city)
    assert "no process can be started" in error.what
    assert "limits on processes" in error.mend


@pytest.mark.slow
@pytest.mark.parametrize("file_bytes", [400_000, 8_000_000])
def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_bytes: int) -> None:
    # Every record of the tree is a network of its own, so the walk remembers as much as it can be made to.
    content = bytearray()
    node_count = file_bytes // 8
    for node in range(node_count):
        content += (node_count + 16 + 2 * node).to_bytes(3) + (node_count + 16 + 2 * node + 1).to_bytes(3)
    whole, _ = DAMAGED["node-count-too-large"]
    metadata = whole[whole.rindex(b"\xab\xcd\xefMaxMind.com") :]
    assert metadata.count(b"\xc2\x03\xe8") == 1
    metadata = metadata.replace(b"\xc2\x03\xe8", b"\xc4" + node_count.to_bytes(4))
    path = tmp_path / "x.mmdb"
    path.write_bytes(content + bytes(16) + b"\x40" * (2 * node_count) + metadata)
    monkeypatch.setattr(apart, "MEMORY_BASE_BYTES", 128 * 1024**2)
    monkeypatch.setattr(apart, "MEMORY_PER_FILE_BYTE", 1)
    what = refusal(path).what
    if file_bytes > 1_000_000:
        assert "bytes of memory to check" in what
    else:
        assert "gives no country" in what  # that is: walked to its end


def test_secrets_and_options_of_this_process_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/lib/of/ours")
    environment = apart._environment()
    assert set(environment) <= {"LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH"}
    assert environment["LD_LIBRARY_PATH"] == "/lib/of/ours"


def test_nothing_stays_open(city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, tmp_path, "kill -SEGV $$")
    before = open_things()
    refusal(city)
    assert open_things() == before


def open_things() -> tuple[int, int]:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), Path("/proc/self/maps").read_text().count("memfd:situs-geo")


@pytest.mark.slow
def test_the_loading_thread_leaves_the_interpreter_to_others(write_database: WriteDatabase) -> None:
    """What a thread computes, others wait for; what it waits for, they do not. So its processor time is the measure."""
    networks: dict[str, object] = {
        f"{16 + (n >> 14)}.{n >> 6 & 255}.{(n & 63) << 2}.0/24": {
            "country": {"iso_code": "GB"},
            "city": {"names": {"en": f"City {n}", "fr": f"Ville {n}"}},
        }
        for n in range(3_000)
    }
    path = write_database(networks)
    spent: dict[bool, float] = {}

    def load(*, apart: bool) -> None:
        started = time.thread_time()
        GeoDatabase.load(path, apart=apart).close()
        spent[apart] = time.thread_time() - started

    async def beside_a_loop() -> None:
        await asyncio.to_thread(load, apart=True)
        await asyncio.to_thread(load, apart=False)

    uvloop.run(beside_a_loop())
    assert spent[True] < spent[False] / 3


def test_the_request_is_plain_json(city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, tmp_path, f'for last; do :; done; printf %s "$last" > {tmp_path}/request; printf sound')
    GeoDatabase.load(city, not_older_than=5, now_s=1.8e9).close()
    request = json.loads((tmp_path / "request").read_text())
    assert request.keys() == {"copy", "limit_bytes", "limit_s", "purpose", "now_s", "not_older_than"}
    assert (request["purpose"], request["now_s"], request["not_older_than"]) == ("places", 1.8e9, 5)
    assert request["limit_bytes"] == 512 * 1024**2 + 4 * city.stat().st_size
