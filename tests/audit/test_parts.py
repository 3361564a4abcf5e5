"""Logs of more than one part: whatever a part says of those before it, and whoever does the work."""

import shutil
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest
from audit.evidence import begin, checkpoint_of, decisions, end, flip, many, messages, resign, write
from ledger.world import KEY, NOW_S, REGIONS, config, decision, delivery

from extproc.archive import open_archive
from extproc.audit.checks import inventory, jobs, logs, planning
from extproc.audit.findings import Category
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.engine import ProcessEngine, open_engine
from extproc.ledger.checkpoint import Checkpoint
from extproc.ledger.entries import close_to_entry, decision_to_entry, delivery_to_entry

_TRUST = Trust(keys=(KEY.verifier("acme"),))
_BATCH = 4096


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 256 entries each, with which tiles of level 1 are not made anew; all that a part reads is as it is."""
    monkeypatch.setattr(planning, "PART_ENTRIES", 256)
    monkeypatch.setattr(logs.LogCheck, "_finish_tree", lambda _: None)


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 255, 256, 257, 65_535, 65_536, 65_537, 131_073])
def test_logs_of_every_size_verify(tmp_path: Path, size: int) -> None:
    writer = begin(tmp_path, segment_bytes=1 << 22)
    if size > 2:
        write(writer, [config(), *many(size - 3)], batch=_BATCH)
    log = end(writer)
    engine = open_engine("processes=2" if size > 65_536 else "serial")
    result = verify(tmp_path, _TRUST, engine=engine)
    assert (result.exit_status, list(result.findings)) == (0, [])
    (found,) = result.logs
    assert (found.size, found.entries_hashed, found.root) == (size, size, checkpoint_of(log).root)
    last = max((log / "log/tile/entries").rglob("*"))
    flip(last, len(last.read_bytes()) // 2)
    assert verify(tmp_path, _TRUST, engine=engine).exit_status == 2


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of two parts and a bit."""
    root = tmp_path_factory.mktemp("large")
    writer = begin(root, segment_bytes=1 << 23)
    write(writer, [config(), *many(131_100)], batch=_BATCH)
    return end(writer)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tile", "found"),
    [
        ("entries/300", "entry 76"),
        ("0/300", "entry 76"),
        ("1/001", "hash 257 of level 1"),
        ("2/000.p/2", "hash 1 of level 2"),
    ],
)
def test_a_broken_part_names_its_file_and_entry(large: Path, tile: str, found: str) -> None:
    path = large / "log/tile" / tile
    data = flip(path, 40 if not tile.startswith("entries") else 2_000)
    try:
        result = verify(large, _TRUST, engine=ProcessEngine(2))
    finally:
        path.write_bytes(data)
    assert result.exit_status == 2
    assert any(found in each and "log/tile" in each for each in messages(result, Category.INTEGRITY))


@pytest.mark.slow
def test_the_same_is_found_in_a_zip_file_and_by_every_engine(large: Path, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "evidence.zip", "w") as file:
        for path in sorted(large.rglob("*")):
            if path.is_file() and "wal" not in path.parts:
                file.write(path, path.relative_to(large.parents[2]).as_posix())
    results = [
        verify(str(tmp_path / "evidence.zip"), _TRUST, engine=open_engine(name))
        for name in ("serial", "processes=2", "dask")
    ]
    assert [result.exit_status for result in results] == [0, 0, 0]
    assert results[0].logs == results[1].logs == results[2].logs
    assert results[0].logs[0].root == checkpoint_of(large).root


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["serial", "processes=2"])
def test_how_far_it_is_is_told_with_the_whole(large: Path, engine: str) -> None:
    told: list[tuple[int, int]] = []
    verify(large, _TRUST, engine=open_engine(engine), progress=lambda done, total: told.append((done, total)))
    size = checkpoint_of(large).size
    assert [done for done, _ in told if done] == [65_536, 65_536, size - 131_072]
    assert {total for _, total in told} == {size}


def _harmed(at: int, with_: list[bytes]) -> list[bytes]:
    made = decisions(1, 400)
    return [*made[:at], *with_, *made[at:]]


_NEXT = 254
"""The decision that stands at entry 256, the first of a part."""


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    ("entries", "category", "found"),
    [
        (lambda: decisions(1, _NEXT) + decisions(_NEXT + 2, 400), Category.INCOMPLETE, "entry 256: decisions are"),
        (lambda: decisions(1, _NEXT) + decisions(_NEXT, 400), Category.INTEGRITY, "a sequence number comes again"),
        (
            lambda: _harmed(_NEXT, [close_to_entry(at_s=NOW_S + 300, reason="shutdown")]),
            Category.INTEGRITY,
            "entry 257: a decision after the Close",
        ),
        (
            lambda: [*decisions(1, _NEXT), decision_to_entry(decision(1), sequence=_NEXT + 1)],
            Category.INTEGRITY,
            "entry 256: decision 00000000000070000000000000000001 was recorded before",
        ),
        (
            lambda: [*decisions(1, _NEXT), close_to_entry(at_s=NOW_S, reason="shutdown")],
            Category.NOTE,
            "entry 256: the clock was set back",
        ),
    ],
)
def test_what_only_two_parts_together_show_is_found(
    tmp_path: Path, entries: Callable[[], list[bytes]], category: Category, found: str
) -> None:
    writer = begin(tmp_path)
    write(writer, [config(), *entries()])
    end(writer)
    assert any(found in each for each in messages(verify(tmp_path, _TRUST), category))


@pytest.mark.usefixtures("small_parts")
def test_parts_that_belong_together_are_no_finding(tmp_path: Path) -> None:
    writer = begin(tmp_path)
    elsewhere = delivery_to_entry(delivery(decision(3), REGIONS[0]), at_s=NOW_S + 500)
    outside = delivery_to_entry(delivery(decision(4), REGIONS[3]), at_s=NOW_S + 500)
    write(writer, [config(), *decisions(1, 600), elsewhere, outside])
    end(writer)
    result = verify(tmp_path, _TRUST)
    assert result.undelivered == 598
    assert result.deliveries == {"matched": 1, "outside_permitted": 1}
    assert not [each for each in result.findings if "log/tile" not in each.file and each.category is Category.INTEGRITY]
    (violation,) = messages(result, Category.VIOLATION)
    assert "entry 603" in violation
    assert "ap-sgp" in violation


@pytest.mark.usefixtures("small_parts")
def test_a_configuration_that_is_nowhere_is_found_in_every_part(tmp_path: Path) -> None:
    writer = begin(tmp_path)
    write(writer, decisions(1, 300))
    end(writer)
    assert len(messages(verify(tmp_path, _TRUST), Category.INCOMPLETE)) == 300


def test_findings_without_end_are_counted_and_not_kept(tmp_path: Path) -> None:
    writer = begin(tmp_path)
    write(writer, decisions(1, 1_100))
    end(writer)
    found = messages(verify(tmp_path, _TRUST), Category.INCOMPLETE)
    assert len(found) == 1_001
    assert "and 100 more like these" in found[-1]


def test_a_checkpoint_over_more_than_there_is_ends_soon(tmp_path: Path) -> None:
    writer = begin(tmp_path)
    log = end(writer)
    resign(log, KEY, Checkpoint(origin=checkpoint_of(log).origin, size=10**15, root=bytes(32)))
    result = verify(tmp_path, _TRUST)
    assert result.exit_status == 2
    assert any("the tiles end before the checkpoint" in each for each in messages(result, Category.INTEGRITY))


def test_logs_are_found_where_a_folder_above_is_called_log(tmp_path: Path) -> None:
    log = end(begin(tmp_path / "log"))
    (found,) = inventory.find_logs(open_archive(str(tmp_path)))
    assert found.name == log.relative_to(tmp_path).as_posix()
    assert verify(tmp_path, _TRUST).exit_status == 0
    shutil.rmtree(log / "log")
    shutil.rmtree(log / "wal")
    assert verify(tmp_path, _TRUST).exit_status == 2
    assert jobs.PART_ENTRIES == 65_536


def test_a_partial_tile_that_gave_way_to_the_full_one_is_no_loss(tmp_path: Path) -> None:
    writer = begin(tmp_path)
    write(writer, [config(), *decisions(1, 98)])
    writer.publish()
    log = writer.directory
    before = (log / "log/checkpoint").read_bytes()
    write(writer, decisions(99, 400))
    writer.publish()
    writer.abandon()
    assert not list((log / "log/tile/0").glob("000.p"))
    (log / "log/checkpoint").write_bytes(before)
    assert verify(log, _TRUST).exit_status == 0
