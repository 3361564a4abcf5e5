"""The last good bundle on the disk: whole or an error, whatever happens while it is written."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from bundle.world import ONE, policy, signed
from hypothesis import given
from hypothesis import strategies as st

from extproc.bundle.accept import accept
from extproc.bundle.errors import StateError
from extproc.bundle.last_good import CONFIRMED, LAST_GOOD, LastGood, StateFolder, _digest

_DATA = signed(policy())
_KEPT = LastGood(
    data=_DATA,
    source="https://policies.example/p",
    etag='"1"',
    standing=accept(_DATA, file="p", trust=ONE).standing,
    fetched_at=1_800_000_000.125,
    confirmed_at=1_800_000_000.125,
)


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    assert state.read() is None
    state.write(_KEPT)
    assert state.read() == _KEPT
    other = replace(_KEPT, data=bytes(range(256)), etag=None)
    state.write(other)
    assert StateFolder(tmp_path / "state").read() == other
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"last-good", "lock"}


def test_its_age_counts_from_the_last_confirmation(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.write(_KEPT)
    state.confirm(_KEPT, _KEPT.fetched_at + 500)
    kept = state.read()
    assert kept == replace(_KEPT, confirmed_at=_KEPT.fetched_at + 500)
    assert kept.age_s(_KEPT.fetched_at + 800) == 300
    assert kept.age_s(_KEPT.fetched_at) == 0, "the clock went back"
    # A confirmation is of these bytes alone, and an older one says nothing.
    state.confirm(_KEPT, _KEPT.fetched_at - 5)
    assert state.read() == _KEPT
    state.confirm(_KEPT, _KEPT.fetched_at + 500)
    other = replace(_KEPT, data=b"other")
    state.write(other)
    assert state.read() == other


@pytest.mark.parametrize("torn", ["", "nonsense", "a b c", "\xff", f"{'0' * 64} nan"])
def test_a_torn_confirmation_makes_it_look_older_and_nothing_worse(tmp_path: Path, torn: str) -> None:
    state = StateFolder(tmp_path)
    state.write(_KEPT)
    state.confirm(_KEPT, _KEPT.fetched_at + 500)
    (tmp_path / CONFIRMED).write_text(torn, encoding="latin-1")
    assert state.read() == _KEPT


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A folder, and what is kept in it."""
    folder = tmp_path_factory.mktemp("state")
    StateFolder(folder).write(_KEPT)
    return folder, (folder / LAST_GOOD).read_bytes()


@given(st.data())
def test_a_torn_or_changed_file_is_an_error_and_never_a_policy(whole: tuple[Path, bytes], data: st.DataObject) -> None:
    folder, kept = whole
    changed = bytearray(kept)
    at = data.draw(st.integers(0, len(kept) - 1), label="at")
    if data.draw(st.booleans(), label="torn"):
        del changed[at:]
    else:
        changed[at] ^= data.draw(st.integers(1, 255), label="by")
    (folder / LAST_GOOD).write_bytes(changed)
    with pytest.raises(StateError, match=r"last-good: .*Mend: "):
        StateFolder(folder).read()


def test_a_file_of_another_program_is_an_error(tmp_path: Path) -> None:
    for body in (b"{}\n", b"[]\n", b"nonsense\n", b'{"format": 2}\n', b"\xff\n"):
        (tmp_path / LAST_GOOD).write_bytes(_digest(body) + b"\n" + body)
        with pytest.raises(StateError, match="not of this program's making"):
            StateFolder(tmp_path).read()


def test_what_a_crash_left_beside_it_does_no_harm(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.write(_KEPT)
    (tmp_path / f".{LAST_GOOD}.new").write_bytes(b"half of")
    assert state.read() == _KEPT
    state.write(replace(_KEPT, etag='"2"'))
    kept = state.read()
    assert kept is not None
    assert kept.etag == '"2"'


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"file: the last good bundle cannot be kept .*Mend: "):
        StateFolder(tmp_path / "file").write(_KEPT)
    (tmp_path / LAST_GOOD).mkdir()
    with pytest.raises(StateError, match="cannot be read"):
        StateFolder(tmp_path).read()


_WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from extproc.bundle.last_good import StateFolder
state = StateFolder(Path(sys.argv[1]))
kept = state.read()
while True:
    for letter in (b"a", b"b"):
        state.write(replace(kept, data=letter * 500_000))
        print(letter.decode(), flush=True)
"""


@pytest.mark.slow
def test_a_writer_that_is_killed_in_between_leaves_the_one_or_the_other(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.write(_KEPT)
    for delay_s in (0.0, 0.003, 0.011, 0.019):
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline()
            time.sleep(delay_s)
            os.kill(writer.pid, signal.SIGKILL)
        kept = state.read()
        assert kept is not None
        assert kept.data in (b"a" * 500_000, b"b" * 500_000)
        state.write(_KEPT)  # the lock of the dead is free
