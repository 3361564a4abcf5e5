"""One end of the socket pair between the supervisor and a worker.

Owns the framing and the bounds. A frame is its length in 4 bytes, its kind in one, a worker's index in one, and a
body that only whoever wrote the kind's codec reads. Neither end ever waits for the other: what the socket does not
take now is kept here, up to a bound, and then refused. Of what tells a *state*, only the newest is kept, so that
takes no room.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final, cast

_HEAD: Final = Struct(">IBB")
LARGEST: Final = 1 << 25
"""Bytes of the largest body, a catalogue of a hundred thousand approvals; a page of metrics is some 50 kB."""
MOST_WAITING: Final = 4096
"""Frames that wait for the other end at most, besides states."""
_BUFFER_BYTES: Final = 1 << 16
"""What the transport may hold beyond the socket's own buffer before frames wait."""


class Kind(IntEnum):
    """What a frame tells. Up is from a worker to the supervisor."""

    JOIN = 1
    """Up: this worker takes part; with its catalogue."""

    CATALOGUE = 2
    """Up, a state: the regions of this worker's policy have changed."""

    SERVING = 3
    """Up: this worker answers requests."""

    STREAMS = 4
    """Up, a state: how many streams of reports Envoy has open to this worker."""

    ATTEMPT = 5
    """Up: Envoy tried a region."""

    REPORT = 6
    """Up and down: Envoy's report about a decision of the worker whose index the frame bears."""

    RETURNED = 7
    """Down: a report of this worker's that cannot be passed on; it is its own to record."""

    STANDING = 8
    """Down, a state for each region: how decisions see it."""

    FITNESS = 9
    """Down, a state: which regions may not serve which models."""

    REPORTING = 10
    """Down, a state: whether Envoy reports to any worker."""

    WELCOME = 11
    """Down: all states have been told."""

    ASK = 12
    """Down: a question for readiness, and for metrics or a status."""

    ANSWER = 13
    """Up: the answer to it."""

    LOOKED = 14
    """Down, a state: the supervisor has just held what is known of the regions against the time; it lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message. `worker` means something for reports only."""

    kind: Kind
    worker: int = 0
    body: bytes = b""

    def encode(self) -> bytes:
        """Give the bytes on the wire."""
        return _HEAD.pack(len(self.body), self.kind, self.worker) + self.body


class Channel(asyncio.Protocol):
    """An end. `take` is called with each frame, `ended` once when the other end is gone or talks nonsense.

    `refused` counts frames that found no room.
    """

    def __init__(self, take: Callable[[Frame], None], ended: Callable[[], None]) -> None:
        self._take = take
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._paused = False
        self._states: dict[object, bytes] = {}
        self._waiting: deque[bytes] = deque()
        self.refused = 0

    @property
    def waiting(self) -> int:
        """Frames that wait for the other end."""
        return len(self._waiting) + len(self._states)

    def send(self, frame: Frame) -> bool:
        """Send a frame now or as soon as possible; False, and nothing is sent, where too many wait."""
        transport = self._transport
        if transport is None or transport.is_closing() or len(frame.body) > LARGEST:
            self.refused += 1
            return False
        if not self._paused:
            transport.write(frame.encode())
        elif len(self._waiting) < MOST_WAITING:
            self._waiting.append(frame.encode())
        else:
            self.refused += 1
            return False
        return True

    def tell(self, key: object, frame: Frame) -> None:
        """Tell a state now or as soon as possible; one of the same `key` that still waits is replaced."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._paused:
            self._states[key] = frame.encode()
        else:
            transport.write(frame.encode())

    def close(self) -> None:
        """Write what the transport has, and close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # What a stream socket gets; uvloop's is one in all but its ancestry.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Take whole frames out of what has come."""
        received = self._received
        received += data
        at = 0
        while len(received) - at >= _HEAD.size:
            length, kind, worker = _HEAD.unpack_from(received, at)
            end = at + _HEAD.size + length
            if length > LARGEST or kind not in _KINDS:
                self.abort()
                return
            if len(received) < end:
                break
            self._take(Frame(kind=_KINDS[kind], worker=worker, body=bytes(received[at + _HEAD.size : end])))
            at = end
        del received[:at]

    def pause_writing(self) -> None:
        """Keep frames here: the other end does not read."""
        self._paused = True

    def resume_writing(self) -> None:
        """Send what waits: states first, so that whoever was slow sees the newest."""
        self._paused = False
        while self._states and not self._paused and self._transport is not None:
            self._transport.write(self._states.pop(next(iter(self._states))))
        while self._waiting and not self._paused and self._transport is not None:
            self._transport.write(self._waiting.popleft())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter
        """Note the end."""
        self._transport = None
        self._states.clear()
        self._waiting.clear()
        self._ended()


_KINDS: Final = {kind.value: kind for kind in Kind}
