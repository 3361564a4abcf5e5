"""Who is at the other end of a Unix socket, and who of them may give orders.

SPEC: unix(7), SO_PEERCRED: the kernel's word for who called connect(2), which nobody can forge. A user of another user
namespace is seen as the overflow user there, which nobody should name.
"""

import os
import pwd
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from extproc.control.errors import ControlError

_UCRED: Final = struct.Struct("iII")
_ROOT: Final = 0
_MOST_UID: Final = 2**32 - 2


class _HasOptions(Protocol):
    """A socket, or what an event loop shows of one."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A process that connected, as it was then."""

    pid: int
    uid: int
    gid: int


def peer_of(connection: _HasOptions) -> Peer:
    """Ask the kernel who connected. Raises OSError."""
    pid, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Peer(pid=pid, uid=uid, gid=gid)


def permitted_uids(users: Iterable[str]) -> frozenset[int]:
    """Give who may use the socket: root, whoever runs the sidecar, and `users`, each a name or a number.

    Raises ControlError for somebody whom this machine does not know.
    """
    return frozenset({_ROOT, os.geteuid(), *map(_uid, users)})


def _uid(user: str) -> int:
    if user.isascii() and user.isdigit():
        uid = int(user)
        if uid > _MOST_UID:
            raise ControlError(f"--control-user {user}: no such number of a user. Mend: give one that `id -u` prints")
        return uid
    try:
        return pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError) as error:
        raise ControlError(
            f"--control-user {user}: this machine knows no such user. Mend: give a user's name, or its number"
        ) from error
