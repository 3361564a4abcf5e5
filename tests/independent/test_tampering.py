"""Logs that were tampered with, judged by programs that are not ours: the table says who must see what."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from independent.judges import JUDGES, RejectedError
from independent.logs import Keys, Logs, Made
from independent.tampering import BUNDLES, ENTRIES, TAMPERINGS, TILES, bundle, flip

pytestmark = pytest.mark.slow


def _copy(made: Made, to: Path) -> Made:
    shutil.copytree(made.folder, to / "copy", ignore=shutil.ignore_patterns("wal"))
    return replace(made, folder=to / "copy")


def _rejecting(made: Made, programs: Path) -> set[str]:
    """Give the judges that reject a log."""
    rejecting = set()
    for name, judge in JUDGES.items():
        try:
            judge(made, programs)
        except RejectedError:
            rejecting.add(name)
    return rejecting


@pytest.mark.parametrize("what", TAMPERINGS)
def test_who_looks_rejects(logs: Logs, programs: Path, keys: Keys, tmp_path: Path, what: str) -> None:
    made = _copy(logs(257), tmp_path)
    TAMPERINGS[what].tamper(made, keys)
    assert _rejecting(made, programs) == TAMPERINGS[what].seen_by


def test_every_byte_of_a_small_log_is_looked_at(logs: Logs, programs: Path, tmp_path: Path) -> None:
    """Sample the bytes of every file that is published."""
    made = _copy(logs(257), tmp_path)
    seen_by = {"tile/entries": ENTRIES, "tile/0": TILES, "tile/1": TILES}
    for part, judges in seen_by.items():
        for path in sorted(path for path in (made.log / part).rglob("*") if path.is_file()):
            data = path.read_bytes()
            for at in range(0, len(data), max(1, len(data) // 7)):
                flip(path, at)
                assert _rejecting(made, programs) >= judges - {"sigstore"}, (path, at)
                path.write_bytes(data)
    assert _rejecting(made, programs) == set()


def test_a_large_log_is_looked_at_too(logs: Logs, programs: Path, tmp_path: Path) -> None:
    made = _copy(logs(65_537), tmp_path)
    for path, judges in {
        bundle(made): BUNDLES - {"delegated"},
        made.log / "tile/entries/255": ENTRIES - {"sigstore"},
        made.log / "tile/0/128": frozenset({"sumdb", "tessera"}),
        made.log / "tile/1/000": frozenset({"sumdb", "tessera"}),
        made.log / "tile/2/000.p/1": frozenset({"sumdb", "tessera"}),
    }.items():
        data = path.read_bytes()
        flip(path, 40 if len(data) > 40 else 5)
        assert _rejecting(made, programs) >= judges, path
        path.write_bytes(data)
