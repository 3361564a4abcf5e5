"""A folder as a store, and the two stores held to one contract."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extproc.ship.destination import Destination
from extproc.ship.errors import DestinationRefusedError, ForeignObjectError, StoreAwayError, StoreChangedError
from extproc.ship.folder import FolderDestination

if TYPE_CHECKING:
    from ship.world import Bucket


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Destination:
    if request.param == "folder":
        return FolderDestination(tmp_path)
    bucket: Bucket = request.getfixturevalue("bucket")
    return bucket.destination()


def test_the_contract(store: Destination) -> None:
    store.check()
    assert store.read("a/b") is None
    assert store.put_immutable("a/b", b"one") is True
    assert store.put_immutable("a/b", b"one") is False
    with pytest.raises(ForeignObjectError, match=r"a/b: holds other bytes"):
        store.put_immutable("a/b", b"two")
    tag = store.put_mutable("a/c", b"1", over=None)
    with pytest.raises(StoreChangedError):
        store.put_mutable("a/c", b"2", over=None)
    newer = store.put_mutable("a/c", b"2", over=tag)
    with pytest.raises(StoreChangedError):
        store.put_mutable("a/c", b"3", over=tag)
    stored = store.read("a/c")
    assert stored is not None
    assert (stored.data, stored.tag) == (b"2", newer)
    immutable = store.read("a/b")
    assert immutable is not None
    assert immutable.data == b"one"


def test_a_mount_that_is_missing_is_not_filled(tmp_path: Path) -> None:
    with pytest.raises(DestinationRefusedError, match="no folder is there"):
        FolderDestination(tmp_path / "mnt").check()
    unmounted = FolderDestination(tmp_path)
    with pytest.raises(StoreAwayError, match="Mend: look at the disk or the mount"):
        unmounted.put_immutable("a", b"one")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_what_was_written(tmp_path: Path) -> None:
    store = FolderDestination(tmp_path)
    store.check()
    store.put_immutable("a/b", b"one")
    store.put_mutable("c", b"1", over=None)
    assert [path.name for path in (tmp_path / ".incoming").iterdir()] == ["lock"]


def test_a_folder_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    store = FolderDestination(tmp_path)
    store.check()
    assert store.put_immutable("a/b", b"one") is True
    assert store.put_immutable("a/b", b"one") is False
    assert (tmp_path / "a/b").read_bytes() == b"one"
