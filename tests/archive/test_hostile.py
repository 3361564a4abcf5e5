"""Folders and zip files that were made to hurt whoever reads them."""

import os
import socket
from binascii import crc32
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import pytest
from audit.evidence import begin, checkpoint_of, end, resign
from ledger.world import KEY

from extproc.archive import ArchiveError, open_archive
from extproc.archive.archive import LARGEST_FILE
from extproc.audit.findings import Category
from extproc.audit.verify import verify
from extproc.ledger.tiles import Tile, format_tile_path


def _make(path: Path, kind: str) -> None:
    match kind:
        case "link":
            path.symlink_to("/etc/passwd")
        case "loop":
            path.symlink_to(path.parent)
        case "pipe":
            os.mkfifo(path)
        case _:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))


@pytest.mark.parametrize("kind", ["link", "loop", "pipe", "socket"])
def test_what_is_no_plain_file_is_refused_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd").mkdir()
    # A socket's name has at most a hundred bytes or so.
    _make(Path("odd/x"), kind)
    archive = open_archive("odd")
    for ask in (lambda: list(archive.names()), lambda: archive.read("x"), lambda: archive.size("x")):
        with pytest.raises(ArchiveError, match=r"a link, a pipe or a device: not read\. Mend: "):
            ask()


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(ArchiveError, match="not read"):
        open_archive(str(tmp_path)).read("x")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "x\0"])
def test_a_name_does_not_lead_out_of_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_bytes(b"")
    (tmp_path / "a").mkdir()
    archive = open_archive(str(tmp_path / "a"))
    assert not archive.exists(name)
    with pytest.raises(FileNotFoundError):
        archive.read(name)


def test_a_zip_file_that_shows_others_another_name_is_refused(tmp_path: Path) -> None:
    # SPEC: APPNOTE 4.6.9, Info-ZIP Unicode Path Extra Field: version, CRC-32 of the plain name, the other name.
    other = b"other/checkpoint"
    body = b"\x01" + crc32(b"log/checkpoint").to_bytes(4, "little") + other
    info = ZipInfo("log/checkpoint")
    info.extra = b"\x75\x70" + len(body).to_bytes(2, "little") + body
    with ZipFile(tmp_path / "e.zip", "w") as file:
        file.writestr(info, b"x")
    with pytest.raises(ArchiveError, match="has a second name"):
        list(open_archive(str(tmp_path / "e.zip")).names())


def test_a_tile_far_out_does_not_keep_the_auditor_busy_for_ever(tmp_path: Path) -> None:
    log = end(begin(tmp_path))
    far = Tile(level=0, index=10**15)
    path = log / "log" / format_tile_path(far)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    stated = checkpoint_of(log)
    resign(log, KEY, type(stated)(origin=stated.origin, size=256 * (10**15 + 1), root=bytes(32)))
    found = [str(each) for each in verify(tmp_path).findings if each.category is Category.INTEGRITY]
    assert any("the tiles end before the checkpoint" in each for each in found)
