"""What every archive does alike."""

import pickle

import pytest
from archive.world import FILES

from extproc.archive import Archive

_SHOWN = sorted(name for name in FILES if "/." not in f"/{name}")
_LOG = "node-1/0/000001-5f3a90c2"


def test_names_are_sorted_and_leave_out_what_is_not_finished(archive: Archive) -> None:
    assert list(archive.names()) == _SHOWN


@pytest.mark.parametrize("below", ["node-1", "node-1/", f"{_LOG}/log", "nowhere", f"{_LOG}/log/checkpoint"])
def test_names_below_a_folder_are_still_whole(archive: Archive, below: str) -> None:
    # node-10 is no part of node-1, and a file is no folder.
    assert list(archive.names(below)) == [name for name in _SHOWN if name.startswith(f"{below.rstrip('/')}/")]


def test_files_are_read_whole(archive: Archive) -> None:
    for name in _SHOWN:
        assert archive.exists(name)
        assert archive.read(name) == FILES[name]
        assert archive.size(name) == len(FILES[name])


@pytest.mark.parametrize("name", ["nowhere", "node-1", "node-1/0/signer.vkey/below"])
def test_what_is_not_there_is_said_so(archive: Archive, name: str) -> None:
    assert not archive.exists(name)
    with pytest.raises(FileNotFoundError):
        archive.read(name)


def test_an_archive_goes_to_another_process(archive: Archive) -> None:
    again = pickle.loads(pickle.dumps(archive))  # noqa: S301 - made here
    assert again == archive
    assert again.location == archive.location
    assert list(again.names()) == _SHOWN
    assert again.read(_SHOWN[0]) == FILES[_SHOWN[0]]
