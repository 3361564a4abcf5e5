"""The claim on an address: one sidecar listens on it, and says clearly why it cannot.

gRPC replaces the socket file of a Unix address without asking whether somebody listens there, so a lock beside the file
says who owns it.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

UNIX: Final = "unix:"
_MODE: Final = 0o660
"""For the sidecar's user and group: put Envoy into the group, and nobody else."""


class SocketClaim:
    """A Unix socket's path, held by this process. For other addresses there is nothing to hold."""

    def __init__(self, listen: str) -> None:
        """Claim `listen` (`unix:/path` or `host:port`). Raises OSError with the mend where that is not possible."""
        self._lock: int | None = None
        self.path = Path(listen.removeprefix(UNIX)) if listen.startswith(UNIX) else None
        if self.path is None:
            if not listen.rpartition(":")[2].isdigit():
                raise OSError(f"cannot listen on {listen}. Mend: write unix:/path or host:port")
            return
        if not self.path.is_absolute():
            raise OSError(f"cannot listen on {listen}. Mend: write the absolute path of the socket")
        if not self.path.parent.is_dir():
            raise OSError(f"cannot listen on {listen}: the folder {self.path.parent} does not exist. Mend: create it")
        lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise OSError(
                f"cannot listen on {listen}: another sidecar does. Mend: stop it, or name another socket"
            ) from error
        self._lock = lock

    def open_to_group(self) -> None:
        """Let the group use the socket, once it is there."""
        if self.path is not None:
            self.path.chmod(_MODE)

    def is_there(self) -> bool:
        """Tell whether Envoy can still find the socket."""
        return self.path is None or self.path.exists()

    def release(self) -> None:
        """Let another process have the address."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
