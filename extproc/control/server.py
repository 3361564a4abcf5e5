"""The control socket: who may connect, how much of them is borne, and what is told of it.

Whoever is not permitted is refused before a byte of theirs is read, so they can neither ask nor hold up those who may.
Bounded in bytes, in time and in connections; one request on each connection.
"""

import asyncio
import socket
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

import structlog

from extproc.control.desk import Desk
from extproc.control.http import Answer, BadRequestError, receive, refusal
from extproc.control.peers import Peer, peer_of, permitted_uids
from extproc.control.running import Running
from extproc.wire.socket import UNIX, SocketClaim

_log = structlog.get_logger(__name__)

REQUEST_S: Final = 5.0
"""From the connection to the last byte of the request, and for the answer to be taken."""
MOST_CONNECTIONS: Final = 16
_BACKLOG: Final = 64
_CLOSE_S: Final = 1.0
_QUIET_S: Final = 1.0
"""Between two events about the same stranger."""
_MOST_STRANGERS: Final = 1000


class ControlServer:
    """A started control socket. Use :meth:`start`, in the event loop that is to serve it."""

    def __init__(self, claim: SocketClaim, path: Path, desk: Desk, permitted: frozenset[int]) -> None:
        self._claim = claim
        self._path = path
        self._desk = desk
        self._permitted = permitted
        self._open: set[asyncio.Task[None]] = set()
        self._refused: dict[int, tuple[float, int]] = {}
        self._server: asyncio.Server

    @classmethod
    async def start(
        cls,
        address: str,
        *,
        users: Sequence[str],
        overrides: Path,
        running: Running,
        clock: Callable[[], float] = time.time,
    ) -> "ControlServer":
        """Listen on `address` (`unix:/path`) for root, for whoever runs this process, and for `users`.

        Raises OSError, with the mend, where that cannot be, and ControlError for a user whom nobody knows.
        """
        permitted = permitted_uids(users)
        if not address.startswith(UNIX):
            raise OSError(f"--control {address} is no Unix socket. Mend: write unix:/path")
        claim, path = SocketClaim(address), Path(address.removeprefix(UNIX))
        try:
            _check_folder(path)
            listening = _listen(path)
        except BaseException:
            claim.release()
            raise
        server = cls(claim, path, Desk(running, overrides, clock=clock), permitted)
        server._server = await asyncio.start_unix_server(server._accept, sock=listening)
        _log.info("control socket", address=address, uids=sorted(permitted))
        return server

    async def close(self) -> None:
        """Stop listening, and let those who asked have their answer, for a second."""
        self._server.close()
        if self._open:
            _, late = await asyncio.wait(self._open, timeout=_CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._desk.close()
        self._path.unlink(missing_ok=True)
        self._claim.release()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        try:
            peer = peer_of(writer.get_extra_info("socket"))
            if peer.uid not in self._permitted:
                self._tell_of(peer)
                writer.write(bytes(_stranger(peer)))
            elif task is None or len(self._open) >= MOST_CONNECTIONS:
                writer.write(bytes(refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many ask at once. Mend: try again")))
            else:
                self._open.add(task)
                await self._exchange(reader, writer, peer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # whoever asked is gone, or slow; or the process ends
        except Exception:  # noqa: BLE001 - whatever somebody sends, the sidecar goes on
            _log.exception("a request to the control socket could not be answered")
        finally:
            if task is not None:
                self._open.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> None:
        answer = await self._answer(reader, peer)
        if answer is None:
            return
        writer.write(bytes(answer))
        async with asyncio.timeout(REQUEST_S):
            await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

    async def _answer(self, reader: asyncio.StreamReader, peer: Peer) -> Answer | None:
        try:
            async with asyncio.timeout(REQUEST_S):
                request = await receive(reader)
            return None if request is None else await self._desk.answer(request, peer)
        except TimeoutError:
            return refusal(
                HTTPStatus.REQUEST_TIMEOUT, f"no whole request within {REQUEST_S:g} s. Mend: send it at once"
            )
        except BadRequestError as error:
            return refusal(error.status, str(error))

    def _tell_of(self, peer: Peer) -> None:
        """Log a stranger, and one who comes again and again once a second with how often it was."""
        now_s = time.monotonic()
        told_s, times = self._refused.get(peer.uid, (-_QUIET_S, 0))
        times += 1
        if now_s - told_s < _QUIET_S:
            self._refused[peer.uid] = (told_s, times)
            return
        if len(self._refused) >= _MOST_STRANGERS:
            self._refused.clear()
        self._refused[peer.uid] = (now_s, 0)
        _log.warning(
            "somebody who is not permitted was refused at the control socket", uid=peer.uid, pid=peer.pid, times=times
        )


def _stranger(peer: Peer) -> Answer:
    message = (
        f"user {peer.uid} may not use this socket. Mend: ask as root or as the sidecar's own user, or start the "
        f"sidecar with --control-user {peer.uid}"
    )
    return refusal(HTTPStatus.FORBIDDEN, message)


def _check_folder(path: Path) -> None:
    """Refuse a folder in which anybody may put another socket in our place, and take orders that nobody carries out.

    Raises OSError with the mend.
    """
    mode = path.parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise OSError(
            f"cannot listen on unix:{path}: anybody may write to the folder {path.parent}, and put a socket of theirs "
            f"in the place of this one. Mend: chmod o-w {path.parent}, or choose a folder of yours"
        )


def _listen(path: Path) -> socket.socket:
    """Bind the socket in the place of a stale one; whoever calls holds the claim. Raises OSError with the mend."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(f"cannot listen on unix:{path}: something else is there. Mend: name another path")
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        path.chmod(0o660)  # before it listens, so that nobody comes through wider
        listening.listen(_BACKLOG)
        listening.setblocking(False)  # noqa: FBT003 - the name of a standard function's only argument
    except OSError as error:
        listening.close()
        raise OSError(
            f"cannot listen on unix:{path}: {error}. Mend: choose a short path in a folder of yours"
        ) from error
    return listening
