import stat
import struct
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest
from archive.world import FILES, write_zip

from extproc.archive import ArchiveError, open_archive
from extproc.archive import zip as zip_module


def _names(path: Path) -> list[str]:
    return list(open_archive(str(path)).names())


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../above", "node/../../above", "a//b", "./a", "C:/a", "a\\..\\b", "node/..", "/"]
)
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with ZipFile(tmp_path / "x.zip", "w") as file:
        info = ZipInfo("placeholder")
        info.filename = info.orig_filename = name
        file.writestr(info, b"")
    with pytest.raises(ArchiveError, match=r"no name below a folder: not read. Mend: "):
        _names(tmp_path / "x.zip")


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("log/checkpoint", b"one")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("log/checkpoint", b"other")
    with pytest.raises(ArchiveError, match="'log/checkpoint' comes twice"):
        _names(tmp_path / "x.zip")


def test_a_link_is_refused(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "x.zip", "w") as file:
        info = ZipInfo("log/checkpoint")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, b"/etc/passwd")
    with pytest.raises(ArchiveError, match="is a link"):
        _names(tmp_path / "x.zip")


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"log/checkpoint": b"note\n"})
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="is encrypted"):
        _names(path)


def test_a_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = bytes(1 << 20)
    monkeypatch.setattr(zip_module, "_FREE_BYTES", 1 << 20)
    with ZipFile(tmp_path / "one.zip", "w", ZIP_DEFLATED) as file:
        file.writestr("a", zeros)
    assert _names(tmp_path / "one.zip") == ["a"]
    with ZipFile(tmp_path / "many.zip", "w", ZIP_DEFLATED) as file:
        for n in range(3):
            file.writestr(f"{n}", zeros)
    with pytest.raises(ArchiveError, match="would unpack to 3145728 bytes, more than 250 times"):
        _names(tmp_path / "many.zip")
    with ZipFile(tmp_path / "stored.zip", "w", ZIP_STORED) as file:
        file.writestr("a", zeros * 2)
    assert _names(tmp_path / "stored.zip") == ["a"]
    monkeypatch.setattr(zip_module, "LARGEST_FILE", 1 << 20)
    with pytest.raises(ArchiveError, match="would unpack to 2097152 bytes, more than 1048576"):
        _names_anew(tmp_path / "stored.zip")


def _names_anew(path: Path) -> list[str]:
    """As a process that has not opened the file before."""
    zip_module._open.cache_clear()
    return _names(path)


def _lie_about_the_size(data: bytearray) -> None:
    """Say everywhere that the file has four bytes, where it unpacks to more."""
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(magic)
        struct.pack_into("<I", data, at + offset, 4)


def _flip(data: bytearray) -> None:
    at = data.index(b"PK\x03\x04") + 30 + len("log/checkpoint") + 4
    data[at] ^= 0x40


def _other_name(data: bytearray) -> None:
    """Let the name before the data be another than the listed one."""
    at = data.index(b"PK\x03\x04") + 30
    data[at] ^= 1


@pytest.mark.parametrize("harm", [_lie_about_the_size, _flip, _other_name])
def test_a_file_that_is_not_what_is_listed_cannot_be_read(tmp_path: Path, harm: Callable[[bytearray], None]) -> None:
    path = tmp_path / "x.zip"
    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        file.writestr("log/checkpoint", bytes(1000))
    data = bytearray(path.read_bytes())
    harm(data)
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"log/checkpoint cannot be read: .*Mend: "):
        open_archive(str(path)).read("log/checkpoint")


def test_what_is_no_zip_file_says_so(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", FILES)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ArchiveError, match="no zip file that can be read"):
        _names(path)
    archive = open_archive(str(path))
    path.unlink()
    with pytest.raises(ArchiveError, match="cannot be opened"):
        archive.exists("a")


def test_a_zip_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    archive = open_archive(str(write_zip(tmp_path / "x.zip", {"a": b"1"})))
    assert list(archive.names()) == ["a"]
    write_zip(tmp_path / "y.zip", {"b": b"22"}).replace(tmp_path / "x.zip")
    assert list(archive.names()) == ["b"]
