"""What every source does, and the one in memory too."""

import pytest
from bundle.conftest import Place

from extproc.bundle.errors import SourceError
from extproc.bundle.source import LARGEST, Fetched, NotModified


async def test_it_gives_the_exact_bytes_and_then_says_that_nothing_changed(place: Place) -> None:
    data = bytes(range(256)) * 300
    place.put(data)
    first = await place.source.fetch(None)
    assert isinstance(first, Fetched)
    assert first.data == data
    assert first.etag
    assert isinstance(await place.source.fetch(first.etag), NotModified)
    again = await place.source.fetch(None)
    assert again == first


async def test_it_gives_what_is_new(place: Place) -> None:
    place.put(b"one\n")
    first = await place.source.fetch(None)
    assert isinstance(first, Fetched)
    place.put(b"two\n")
    second = await place.source.fetch(first.etag)
    assert isinstance(second, Fetched)
    assert second.data == b"two\n"
    assert second.etag != first.etag
    # Back to the first: the etag of the second does not name it.
    place.put(b"one\n")
    third = await place.source.fetch(second.etag)
    assert isinstance(third, Fetched)
    assert third.data == b"one\n"


async def test_nothing_there_is_an_error_that_names_the_source_and_the_mend(place: Place) -> None:
    with pytest.raises(SourceError) as caught:
        await place.source.fetch(None)
    assert str(caught.value).startswith(f"{place.source.name}: ")
    assert ". Mend: " in str(caught.value)
    place.put(b"one\n")
    assert isinstance(await place.source.fetch(None), Fetched)
    place.put(None)
    with pytest.raises(SourceError):
        await place.source.fetch('"etag"')


async def test_no_file_is_larger_than_what_is_read(place: Place) -> None:
    place.put(b"x" * LARGEST)
    fetched = await place.source.fetch(None)
    assert isinstance(fetched, Fetched)
    assert len(fetched.data) == LARGEST
    place.put(b"x" * (LARGEST + 1))
    with pytest.raises(SourceError, match=f"larger than {LARGEST} bytes"):
        await place.source.fetch(None)


async def test_an_empty_file_is_a_file(place: Place) -> None:
    place.put(b"")
    fetched = await place.source.fetch(None)
    assert isinstance(fetched, Fetched)
    assert fetched.data == b""
