"""What keeps this sidecar from recording.

Told once in the event log when it begins and when it ends, and to whoever asks whether the sidecar is ready.
"""

import structlog

from extproc.ledger.commit import Ledger
from extproc.ledger.room import RoomState
from extproc.sealed.keys import Keys
from extproc.sidecar.recorder import Recorder

_log = structlog.get_logger(__name__)


class Conditions:
    """The state of the log, of its disk and of the store of erasable keys, which is None where there is none."""

    def __init__(self, ledger: Ledger, recorder: Recorder, keys: Keys | None) -> None:
        self._ledger = ledger
        self._recorder = recorder
        self._keys = keys
        self._keys_failed: str | None = None
        self._room = RoomState.AMPLE

    def look(self) -> None:
        """Say what is not as it was at the last look. Call it about twice a second."""
        self._recorder.notice()
        self._look_at_keys()
        self._look_at_room()

    def reasons(self, *, sealing: bool) -> list[str]:
        """Tell why requests are refused at this moment; `sealing` says whether the policy needs erasable keys."""
        reasons = []
        if self._recorder.failed.is_set():
            reasons.append(f"the log cannot be written: {self._recorder.failure}")
        if self._ledger.room.state is RoomState.FULL:
            free = self._ledger.room.free_bytes >> 20
            reasons.append(f"the disk of the log has {free} MiB left, so no decision is recorded: make room there")
        if sealing and self._keys is not None and self._keys.failure is not None:
            reasons.append(f"no pseudonym or sealed block can be made: {self._keys.failure}")
        return reasons

    def _look_at_keys(self) -> None:
        failed = None if self._keys is None else self._keys.failure
        if failed is not None and failed != self._keys_failed:
            _log.error("the key store fails; what its policy has sealed is refused", error=failed)
        elif failed is None and self._keys_failed is not None:
            _log.info("the key store works again")
        self._keys_failed = failed

    def _look_at_room(self) -> None:
        room, before = self._ledger.room, self._room
        self._room = room.state
        if room.state is before:
            return
        free_mib = room.free_bytes >> 20
        if room.state is RoomState.FULL:
            _log.error("the disk of the log is full; requests are refused until there is room", free_mib=free_mib)
        elif room.state is RoomState.LOW:
            _log.warning("the disk of the log is below its low mark; make room there", free_mib=free_mib)
        else:
            _log.info("the disk of the log has room again", free_mib=free_mib)
