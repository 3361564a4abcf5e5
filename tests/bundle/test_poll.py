"""The poller: never raises, never gives up, and confirms only what was taken."""

import asyncio

import pytest
from bundle.world import MemorySource

from extproc.bundle.errors import SourceError
from extproc.bundle.poll import LONGEST_RETRY_S, Poller, wait_s
from extproc.bundle.source import Fetched


class _Sidecar:
    """What the poller calls: takes what does not begin with `bad`."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.refused: list[bytes] = []
        self.confirmed: list[float] = []
        self.fault: Exception | None = None
        self.heard = asyncio.Event()

    async def take(self, fetched: Fetched) -> bool:
        if self.fault is not None:
            raise self.fault
        good = not fetched.data.startswith(b"bad")
        (self.taken if good else self.refused).append(fetched.data)
        return good

    async def confirm(self, at_s: float) -> None:
        self.confirmed.append(at_s)
        self.heard.set()


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def _standing(poller: Poller) -> tuple[int, str | None, float | None]:
    return poller.failures, poller.error, poller.last_success_s


def _poller(source: MemorySource, sidecar: _Sidecar, period_s: float = 60) -> Poller:
    return Poller(source, take=sidecar.take, confirm=sidecar.confirm, clock=_Clock(), period_s=period_s)


async def test_new_data_is_taken_and_old_data_confirmed() -> None:
    source, sidecar = MemorySource(b"one"), _Sidecar()
    poller = _poller(source, sidecar)
    for data in (b"one", b"one", b"two", b"two"):
        source.data = data
        await poller.poll()
    assert sidecar.taken == [b"one", b"two"]
    assert sidecar.confirmed == [1001, 1002, 1003, 1004]
    assert poller.last_success_s == 1004
    assert poller.error is None
    assert source.asked[0] is None
    assert source.asked[1] == source.asked[2] != source.asked[3]


async def test_it_goes_on_from_a_known_etag() -> None:
    source, sidecar = MemorySource(b"one"), _Sidecar()
    fetched = await source.fetch(None)
    assert isinstance(fetched, Fetched)
    poller = Poller(source, take=sidecar.take, confirm=sidecar.confirm, etag=fetched.etag)
    await poller.poll()
    assert sidecar.taken == []
    assert len(sidecar.confirmed) == 1


async def test_nobody_need_hear_of_confirmations() -> None:
    source, sidecar = MemorySource(b"one"), _Sidecar()
    poller = Poller(source, take=sidecar.take)
    await poller.poll()
    await poller.poll()
    assert (sidecar.taken, poller.failures) == ([b"one"], 0)
    assert poller.last_success_s is not None


async def test_what_is_refused_is_never_confirmed_and_asked_for_again() -> None:
    source, sidecar = MemorySource(b"one"), _Sidecar()
    poller = _poller(source, sidecar)
    await poller.poll()
    source.data = b"bad"
    await poller.poll()
    await poller.poll()
    assert sidecar.refused == [b"bad", b"bad"]
    assert _standing(poller) == (2, "the file was refused", 1001)
    assert sidecar.confirmed == [1001]
    source.data = b"one"  # back to what was taken
    await poller.poll()
    assert _standing(poller) == (0, None, 1002)
    assert (sidecar.taken, sidecar.confirmed) == ([b"one"], [1001, 1002])


async def test_errors_are_remembered_and_counted() -> None:
    source, sidecar = MemorySource(), _Sidecar()
    poller = _poller(source, sidecar)
    await poller.poll()
    await poller.poll()
    assert _standing(poller) == (2, "memory: nothing there. Mend: put something there", None)
    source.data = b"one"
    await poller.poll()
    assert _standing(poller) == (0, None, 1001)


async def test_a_fault_of_whoever_takes_it_ends_nothing() -> None:
    source, sidecar = MemorySource(b"one"), _Sidecar()
    poller = _poller(source, sidecar)
    sidecar.fault = RuntimeError("a fault")
    await poller.poll()
    assert (poller.error, poller.etag) == ("RuntimeError('a fault')", None)
    sidecar.fault = SourceError("memory", "late", "wait")
    await poller.poll()
    assert poller.failures == 2
    sidecar.fault = None
    await poller.poll()
    assert sidecar.taken == [b"one"]


async def test_it_polls_until_it_is_cancelled() -> None:
    source, sidecar = MemorySource(b"one"), _Sidecar()
    poller = _poller(source, sidecar, period_s=0)
    task = asyncio.create_task(poller.poll_forever())
    for _ in range(3):
        await asyncio.wait_for(sidecar.heard.wait(), 5)
        sidecar.heard.clear()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("failures", "least_s", "most_s"),
    [(0, 54, 66), (1, 1, 2), (2, 2, 4), (3, 4, 8), (8, 128, 256), (9, 150, 300), (100_000, 150, LONGEST_RETRY_S)],
)
def test_the_wait_grows_with_errors_and_has_a_limit(failures: int, least_s: float, most_s: float) -> None:
    assert wait_s(60, failures, 0) == pytest.approx(least_s)
    assert wait_s(60, failures, 1) == pytest.approx(most_s)
    assert least_s < wait_s(60, failures, 0.5) < most_s
