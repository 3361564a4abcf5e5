"""Files: one whole file, whatever is swapped above it."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from extproc.bundle.errors import SourceError
from extproc.bundle.file import FileSource
from extproc.bundle.source import Fetched

_SIZE = 300_000
_SWAPS = 60


def _swap(mount: Path, number: int) -> None:
    """Replace the contents of a mounted ConfigMap as the kubelet does: a new folder, and one link renamed over."""
    folder = mount / f"..v{number}"
    folder.mkdir()
    (folder / "policy.yaml").write_bytes(bytes([number % 256]) * _SIZE)
    link = mount / "..data_tmp"
    link.symlink_to(folder.name)
    link.replace(mount / "..data")
    if number:
        shutil.rmtree(mount / f"..v{number - 1}")


@pytest.mark.slow
def test_a_configmap_that_is_swapped_all_the_time_gives_one_whole_file_each_time(tmp_path: Path) -> None:
    _swap(tmp_path, 0)
    (tmp_path / "policy.yaml").symlink_to("..data/policy.yaml")
    source = FileSource(tmp_path / "policy.yaml")
    done = threading.Event()

    def swap_all() -> None:
        try:
            for number in range(1, _SWAPS):
                _swap(tmp_path, number)
        finally:
            done.set()

    writer = threading.Thread(target=swap_all)
    writer.start()
    seen: list[int] = []
    try:
        while not done.is_set() or not seen or seen[-1] != _SWAPS - 1:
            fetched = source.read()
            assert isinstance(fetched, Fetched)
            assert len(fetched.data) == _SIZE
            assert len(set(fetched.data)) == 1, "a mixture of two files"
            seen.append(fetched.data[0])
    finally:
        writer.join(30)
    assert seen == sorted(seen)
    assert len(set(seen)) > 2, "nothing was swapped while it was read"


def test_a_file_that_somebody_is_writing_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"half")
    looked = 0
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        nonlocal looked
        looked += 1
        seen = real(descriptor)
        if looked == 1:  # between the first look and the reading
            path.write_bytes(b"half and half")
        return seen

    monkeypatch.setattr("extproc.bundle.file.os.fstat", fstat)
    assert FileSource(path).read_whole() == b"half and half"
    assert looked == 4


def test_a_file_that_is_written_all_the_time_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"")
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        with path.open("ab") as file:
            file.write(b"x")
        return real(descriptor)

    monkeypatch.setattr("extproc.bundle.file.os.fstat", fstat)
    with pytest.raises(SourceError, match="written all the time"):
        FileSource(path).read()


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match=r"cannot be read \(Is a directory\)"):
        FileSource(tmp_path).read()
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(SourceError, match="not a regular file"):
            FileSource(path).read()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SourceError, match=r"cannot be read \(Too many levels"):
        FileSource(tmp_path / "loop").read()
    with pytest.raises(SourceError, match="does not exist"):
        FileSource(tmp_path / "none").read()
