"""Logs that were tampered with, judged by programs that are not ours: the table says who must see what."""

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from independent.judges import JUDGES, RejectedError
from independent.logs import Keys, Logs, Made
from independent.tampering import TAMPERINGS, flip

from extproc.notes.errors import MalformedError
from extproc.notes.note import open_note

pytestmark = pytest.mark.slow


def _copy(made: Made, to: Path) -> Made:
    shutil.copytree(made.folder, to / "copy", ignore=shutil.ignore_patterns("wal"))
    return replace(made, folder=to / "copy")


def _rejecting(made: Made, programs: Path, judges: Iterable[str] = JUDGES) -> set[str]:
    """Give those of the judges that reject a log."""
    rejecting = set()
    for name in judges:
        try:
            JUDGES[name](made, programs)
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
    for part, judges in {
        "tile/entries": {"sumdb", "tessera", "pymerkle"},
        "tile/0": {"sumdb", "tessera"},
        "tile/1": {"sumdb", "tessera"},
    }.items():
        for path in sorted(path for path in (made.log / part).rglob("*") if path.is_file()):
            data = path.read_bytes()
            for at in range(0, len(data), max(1, len(data) // 7)):
                flip(path, at)
                assert _rejecting(made, programs, judges) == judges, (path, at)
                path.write_bytes(data)
    assert _rejecting(made, programs) == set()


@pytest.mark.parametrize(
    ("path", "judge"),
    [
        ("tile/entries/000", "pymerkle"),
        ("tile/entries/255", "sumdb"),
        ("tile/entries/256.p/1", "tessera"),
        ("tile/0/128", "sumdb"),
        ("tile/1/000", "tessera"),
        ("tile/2/000.p/1", "sumdb"),
    ],
)
def test_a_large_log_is_looked_at_too(logs: Logs, programs: Path, tmp_path: Path, path: str, judge: str) -> None:
    made = _copy(logs(65_537), tmp_path)
    flip(made.log / path, 10)
    assert _rejecting(made, programs, [judge]) == {judge}


def test_we_are_stricter_about_base64(logs: Logs, programs: Path, tmp_path: Path) -> None:
    """The last digit before the padding has bits that mean nothing; others let them be, and so have many spellings."""
    made = _copy(logs(257), tmp_path)
    path = made.log / "checkpoint"
    data = path.read_bytes()
    at = len(data) - len("g=\n")
    digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = digits[digits.index(data[at]) ^ 1]
    path.write_bytes(data[:at] + bytes([other]) + data[at + 1 :])
    assert _rejecting(made, programs) == set()
    with pytest.raises(MalformedError, match="canonical"):
        open_note(path.read_bytes(), [made.log_key])
