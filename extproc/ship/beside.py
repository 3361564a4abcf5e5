"""The files beside a log that may change, and what the store's copy of each becomes."""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Final

from extproc.ledger.incarnation import SIGNER_VKEY
from extproc.ledger.log import LOG_VKEY
from extproc.ship.destination import Destination
from extproc.ship.errors import LocalLogError, StoreAwayError, StoreChangedError
from extproc.ship.local_log import LocalLog, Published, parse_published

_TRIES: Final = 5
"""How often a file is read and written anew while somebody else writes it too."""


class BesideFiles:
    """Ships what stands beside one log. Remembers in `known` the SHA-256 of each file that is there."""

    def __init__(self, log: LocalLog, destination: Destination, known: dict[str, str]) -> None:
        self._log = log
        self._destination = destination
        self.known = known

    def ship(self) -> None:
        """Ship policies, keys and delegations, as far as they are not there yet."""
        for name in self._log.policies():
            data = self._news(name)
            if data is not None:
                if name.rpartition("/")[2] != f"{_digest(data)}.json":
                    raise LocalLogError(f"{self._log.root / name}: is not the policy of that digest. Mend: restore it")
                self._destination.put_immutable(name, data)
                self.known[name] = _digest(data)
        for name in self._log.beside():
            data = self._news(name)
            if data is not None:
                is_keys = name.endswith((f"/{LOG_VKEY}", f"/{SIGNER_VKEY}"))
                self._replace(name, partial(_all_keys, data) if is_keys else lambda _, ours=data: ours)  # type: ignore[misc]
                self.known[name] = _digest(data)

    def ship_witnessed(self, witnessed: Published, size: int) -> None:
        """Ship a cosigned checkpoint that covers no more than the `size` entries that are there."""
        name = self._log.witnessed_name
        if witnessed.size <= size and self.known.get(name) != _digest(witnessed.note):
            self._replace(name, partial(_newer, witnessed))
            self.known[name] = _digest(witnessed.note)

    def _news(self, name: str) -> bytes | None:
        data = self._log.read(name)
        return None if data is None or self.known.get(name) == _digest(data) else data

    def _replace(self, name: str, wanted: Callable[[bytes | None], bytes]) -> None:
        """Make of a file in the store what `wanted` makes of what is there."""
        for _ in range(_TRIES):
            stored = self._destination.read(name)
            data = wanted(None if stored is None else stored.data)
            if stored is not None and stored.data == data:
                return
            try:
                self._destination.put_mutable(name, data, over=None if stored is None else stored.tag)
            except StoreChangedError:
                continue
            return
        raise StoreAwayError(f"{self._destination.location}/{name}: somebody else writes it all the time")


def _all_keys(ours: bytes, there: bytes | None) -> bytes:
    """Keep every key that the store lists: a machine that was set up anew has forgotten what signed its older logs."""
    kept = [] if there is None else there.splitlines(keepends=True)
    return b"".join([*kept, *(line for line in ours.splitlines(keepends=True) if line not in kept)])


def _newer(ours: Published, there: bytes | None) -> bytes:
    """Never replace a cosigned checkpoint by one over less."""
    if there is not None:
        try:
            if parse_published(there, "witnessed").size > ours.size:
                return there
        except LocalLogError:
            return ours.note
    return ours.note


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()
