"""The ends of a channel: frames whole whatever the socket does, and bounded whoever does not read."""

import asyncio
import socket
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.workers.channel import LARGEST, MOST_WAITING, Channel, Frame, Kind


class _Transport(asyncio.Transport):
    """As much of a transport as a channel uses; takes everything until it is told to be full."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        assert low is None


class _End:
    def __init__(self) -> None:
        self.taken: list[Frame] = []
        self.ended = 0
        self.channel = Channel(self.taken.append, self._note_end)
        self.transport = _Transport()
        self.channel.connection_made(self.transport)

    def _note_end(self) -> None:
        self.ended += 1


_FRAMES = st.lists(
    st.builds(Frame, kind=st.sampled_from(Kind), worker=st.integers(0, 255), body=st.binary(max_size=40)), max_size=8
)


@given(frames=_FRAMES, cuts=st.lists(st.integers(0, 400)))
def test_frames_come_out_whole_however_the_bytes_are_cut(frames: list[Frame], cuts: list[int]) -> None:
    sender, receiver = _End(), _End()
    for frame in frames:
        assert sender.channel.send(frame)
    data = b"".join(sender.transport.written)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, end in pairwise(places):
        receiver.channel.data_received(data[begin:end])
    assert receiver.taken == frames


@pytest.mark.parametrize("head", [struct.pack(">IBB", LARGEST + 1, 1, 0), struct.pack(">IBB", 0, 99, 0)])
def test_nonsense_ends_the_channel(head: bytes) -> None:
    end = _End()
    end.channel.data_received(Frame(kind=Kind.SERVING).encode() + head)
    assert end.taken == [Frame(kind=Kind.SERVING)]
    assert end.transport.aborted
    assert not end.channel.send(Frame(kind=Kind.SERVING))


def test_who_does_not_read_costs_a_bounded_number_of_frames() -> None:
    end = _End()
    end.channel.pause_writing()
    results = [end.channel.send(Frame(kind=Kind.ATTEMPT, body=str(n).encode())) for n in range(MOST_WAITING + 100)]
    assert results == [True] * MOST_WAITING + [False] * 100
    assert (end.channel.waiting, end.channel.refused) == (MOST_WAITING, 100)
    assert end.transport.written == []
    end.channel.resume_writing()
    assert len(end.transport.written) == MOST_WAITING
    assert end.transport.written[0].endswith(b"\x000")


def test_of_a_state_that_waits_only_the_newest_is_told_and_before_everything_else() -> None:
    sender, receiver = _End(), _End()
    sender.channel.pause_writing()
    sender.channel.send(Frame(kind=Kind.REPORT, body=b"report"))
    for number in range(3 * MOST_WAITING):
        sender.channel.tell("a", Frame(kind=Kind.STANDING, body=b"a%d" % number))
        sender.channel.tell("b", Frame(kind=Kind.STANDING, body=b"b%d" % number))
    assert sender.channel.waiting == 3
    sender.channel.resume_writing()
    receiver.channel.data_received(b"".join(sender.transport.written))
    last = 3 * MOST_WAITING - 1
    assert [frame.body for frame in receiver.taken] == [b"a%d" % last, b"b%d" % last, b"report"]


def test_what_waits_goes_on_waiting_when_there_is_room_for_a_little_only() -> None:
    end = _End()
    end.channel.pause_writing()
    for number in range(10):
        end.channel.send(Frame(kind=Kind.ATTEMPT, body=b"%d" % number))

    def write(data: bytes | bytearray | memoryview) -> None:
        end.transport.written.append(bytes(data))
        if len(end.transport.written) % 3 == 0:
            end.channel.pause_writing()

    end.transport.write = write  # type: ignore[method-assign]
    seen = []
    while end.channel.waiting:
        end.channel.resume_writing()
        seen.append(len(end.transport.written))
    assert seen == [3, 6, 9, 10]
    assert [frame[-1:] for frame in end.transport.written] == [b"%d" % number for number in range(10)]


async def test_an_end_that_goes_is_noticed_by_the_other() -> None:
    here, there = socket.socketpair()
    ended = asyncio.Event()
    channel = Channel(lambda _frame: None, ended.set)
    await asyncio.get_running_loop().create_connection(lambda: channel, sock=here)
    there.close()
    await asyncio.wait_for(ended.wait(), 5)
    assert not channel.send(Frame(kind=Kind.SERVING))
    channel.tell("a", Frame(kind=Kind.STANDING))
    assert channel.waiting == 0


async def test_a_socket_that_nobody_reads_holds_up_nobody() -> None:
    here, there = socket.socketpair()
    channel = Channel(lambda _frame: None, lambda: None)
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: channel, sock=here)
    frame = Frame(kind=Kind.ATTEMPT, body=b"x" * 1000)
    sent = 0
    while channel.send(frame):
        sent += 1
        assert sent < 100_000
    held = transport.get_write_buffer_size()
    assert held < 1 << 18
    assert channel.waiting == MOST_WAITING
    transport.abort()
    there.close()
