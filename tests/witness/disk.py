"""A real log on the disk, whose entries are signs of life."""

from pathlib import Path

from witness.world import NOW_S

from extproc.ledger.housekeeping import Heartbeat, heartbeat_to_entry
from extproc.ledger.incarnation import LogIdentity, start_log
from extproc.notes.keys import SigningKey, generate_key

IDENTITY = LogIdentity(org="acme", env="prod", region="eu", node="node-1", worker="w0")


class DiskLog:
    """A log that grows when it is told to; published at each step."""

    def __init__(self, root: Path, *, key: SigningKey | None = None, first: int = 0) -> None:
        self.key = key or generate_key()
        self.writer, self.lock = start_log(
            root,
            identity=IDENTITY,
            key=self.key,
            durability="fsync",
            program="test",
            clock=lambda: NOW_S,
            segment_bytes=1 << 16,
        )
        self.directory = self.writer.directory
        self._next = first

    def grow(self, count: int, *, publish: bool = True) -> int:
        entries = range(self._next, self._next + count)
        self._next += count
        self.writer.append(
            [
                heartbeat_to_entry(Heartbeat(sequence=i, running_s=float(i), free_bytes=i), at_s=NOW_S + i)
                for i in entries
            ]
        )
        self.writer.sync()
        if publish:
            self.writer.publish()
        return self.writer.size

    def close(self) -> None:
        self.writer.close()
        self.let_go()

    def let_go(self) -> None:
        """End as a process does that is killed."""
        self.writer.abandon()
        self.lock.release()
