"""What each worker has of its own: its address and its key. Worker 0 has what a sidecar that is alone would have."""

from pathlib import Path
from typing import Final

_UNIX: Final = "unix:"
_HIGHEST_PORT: Final = 65_535


def worker_listen(listen: str, worker: int) -> str:
    """Give where a worker listens: `unix:/path.1`, or the next port. Raises ValueError where there is none."""
    if worker == 0:
        return listen
    if listen.startswith(_UNIX):
        return f"{listen}.{worker}"
    host, _, port = listen.rpartition(":")
    if not port.isdigit() or port == "0" or int(port) + worker > _HIGHEST_PORT:
        raise ValueError(f"--listen {listen} leaves no port for worker {worker}. Mend: give a port that has room above")
    return f"{host}:{int(port) + worker}"


def worker_key(key: Path, worker: int) -> Path:
    """Give the file of a worker's key: beside that of worker 0, with the number behind its name."""
    return key if worker == 0 else key.with_name(f"{key.name}.{worker}")
