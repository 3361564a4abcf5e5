"""Key epochs: the private key that signs a worker's logs, for how long it does, and how it gives way to the next.

Owns the ring of one worker: its living key, what vouches for it and when it is due. Its files are in
:mod:`extproc.trust.ring_files`, what a log does at a rotation in :mod:`extproc.ledger.signing`.

A rotation makes the next key, adds the delegation to it, has the log record it, overwrites the old private key and puts
the new one in its place. The delegation decides: a next key that nothing delegates to is destroyed at the next start,
and one that something does is put in place. So whatever the moment at which a process ends, exactly one key goes on.

Times are values in Unix seconds: the ring reads no clock.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final

from extproc.notes.errors import KeyFileError, NoteError
from extproc.notes.keys import Signer, SigningKey, create_key, load_key, load_vkeys
from extproc.notes.note import VerifierKey
from extproc.trust.chain import Link, links
from extproc.trust.delegation import LATEST_S, Delegation, covers, format_time, name_issuer, sign_delegation
from extproc.trust.delegation_file import load_delegations, save_delegations
from extproc.trust.ring_files import (
    delegations_of,
    load_settled_key,
    lock_ring,
    make_next,
    next_of,
    put_next_in_place,
    root_of,
    save_root,
    settle_key,
)

EPOCH_S: Final = 24 * 3600.0
"""How long a key signs before the next one does."""
_USED: Final = 0.96
"""Rotate at the latest when so much of a key's window is over: 24 of 25 hours."""
_MARGIN_S: Final = 60
"""A key's window begins so long before the key: what was decided just before a rotation is written just after it, and
clocks are set back a little."""
_CEREMONY: Final = "Mend: run the ceremony: situs audit keys request, delegate, install"


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """The next key, and the current one's delegation to it."""

    key: SigningKey
    delegation: bytes


class KeyRing:
    """One worker's key and its epochs. Open it, hand `key` and `delegations` to the ledger, rotate when due, close it.

    A successor's window is as long as that of the key before it, so whoever delegates to the first key says how long a
    node may stand still before the ceremony has to be run again. Successors of a root that bears no window have none.
    """

    def __init__(
        self,
        path: Path,
        *,
        scope: str,
        now_s: float,
        epoch_s: float | None = EPOCH_S,
        roots: Sequence[VerifierKey] = (),
    ) -> None:
        """Bring the ring at `path` to a state with one living key, and check that this key may sign `scope` now.

        `scope` is the origin of the worker's logs without the incarnation. `epoch_s` is how long a key signs; None is
        for a key that somebody else changes, and whose folder may be read-only: then nothing there is changed. With
        `roots` the key must follow from one of them; otherwise from the root beside it, and a ring that has none makes
        its first key its root.

        Raises KeyFileError when there is no key that may sign, when others may read or replace it, or when another
        process uses the ring; MalformedError for a list beside it that cannot be read; and OSError.
        """
        self.path = path
        self.scope = scope
        self._epoch_s = epoch_s
        self._pending: Successor | None = None
        self._recorded: int | None = None
        """The entry by which the log says that the pending key signs now."""
        self._lock: int | None = None
        if epoch_s is not None:
            if path.is_symlink():
                raise KeyFileError(
                    f"{path}: is a link, and a key that changes needs a file of its own. Mend: copy it into a private "
                    f"folder, or let the key stay as it is"
                )
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock_ring(path)
        try:
            self.delegations = load_delegations(delegations_of(path))
            self.key = self._find_key(may_create=not roots)
            self.roots = tuple(roots) or self._find_roots()
            self._by = self._judge()
            self._check_window(now_s)
        except BaseException:
            self.close()
            raise

    @property
    def verifier(self) -> VerifierKey:
        """The public half of the living key, under the name by which it delegates."""
        if self._by is not None:
            return self._by.key
        public = self.key.public
        name = next(root.name for root in self.roots if root.public == public and covers(root.name, self.scope))
        return VerifierKey(name=name, public=public)

    @property
    def epoch_s(self) -> float | None:
        """How long a key signs before the next one does; None where somebody else changes it."""
        return self._epoch_s

    @property
    def until_s(self) -> float:
        """When the living key's window ends; infinity for a root."""
        return inf if self._by is None else self._by.until_s

    def due(self, now_s: float) -> bool:
        """Tell whether it is time for the next key, or to finish a rotation that the log has and the ring has not.

        False while another one that failed waits for the next start. Raises OSError where the key's file is away.
        """
        if self._epoch_s is None or self._pending is not None:
            return self._recorded is not None
        if self._by is None:
            return now_s >= self.path.stat().st_mtime + self._epoch_s
        if now_s >= self._by.from_s + self._epoch_s:
            return True
        # A successor could sign no longer than this key may, so there is no point in one before its time.
        last = self._by.until_s >= self._by.successors_until_s
        return not last and now_s >= self._by.from_s + _USED * (self._by.until_s - self._by.from_s)

    async def rotate(self, record: Callable[[Signer, bytes], Awaitable[int]], *, now_s: float) -> int:
        """Change to a new key, and give the index of the entry by which the log says so.

        `record` is the ledger's: it gets the new key and the delegation to it, and returns when the change is recorded.
        What it raises comes through; the next start then finishes what was begun. Raises KeyFileError when the living
        key may not delegate any more, and OSError. After one that came when the log had recorded the change, call it
        again: it only finishes.
        """
        if self._recorded is None:
            successor = await asyncio.to_thread(self.begin, now_s)
            self._recorded = await record(successor.key, successor.delegation)
        index = self._recorded
        # Not in a thread: a cancellation must not come between the log's change and the ring's.
        self.complete()
        return index

    def begin(self, now_s: float) -> Successor:
        """Make the next key and the delegation to it, durably; the same ones until :meth:`complete`."""
        if self._lock is None:
            raise KeyFileError(f"{self.path}: the key is not this process's to change")
        if self._pending is None:
            self._check_window(now_s)
            issuer = self.verifier
            key = make_next(self.path)
            note = sign_delegation(self._delegate(key, issuer, int(now_s)), signer=self.key, issuer=issuer)
            save_delegations(delegations_of(self.path), (*self.delegations, note))
            self._pending = Successor(key=key, delegation=note)
        return self._pending

    def complete(self) -> None:
        """Destroy the old private key, and go on with the one that was begun.

        Raises OSError, and KeyFileError where neither that key is there nor the one that was begun; do it again then.
        """
        if self._pending is None:
            return
        put_next_in_place(self.path)
        if load_key(self.path).public != self._pending.key.public:
            raise KeyFileError(
                f"{self.path}: holds another key than the one that signs now. Mend: run the ceremony when this "
                "process has ended; its logs stay good"
            )
        self.key, self.delegations = self._pending.key, (*self.delegations, self._pending.delegation)
        self._pending = self._recorded = None
        self._by = self._judge()

    def close(self) -> None:
        """Let another process use the ring."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _delegate(self, key: SigningKey, issuer: VerifierKey, from_s: int) -> Delegation:
        """Say what the next key may do: as much as this one, from about now on."""
        from_s -= _MARGIN_S
        latest_s = length_s = LATEST_S
        if self._by is not None:
            from_s = max(from_s, self._by.from_s)
            latest_s, length_s = self._by.successors_until_s, self._by.until_s - self._by.from_s
        return Delegation(
            scope=self.scope,
            key=key.verifier(self.scope),
            from_s=from_s,
            until_s=min(from_s + length_s, latest_s),
            successors_until_s=latest_s,
            issuer=name_issuer(issuer),
        )

    def _find_key(self, *, may_create: bool) -> SigningKey:
        path = self.path
        if self._lock is None and path.exists():
            # Another process may be changing the key at this moment.
            return load_settled_key(path, self.delegations)
        if self._lock is not None and (path.exists() or next_of(path).exists()):
            return settle_key(path, self.delegations)
        if not may_create or self.delegations or root_of(path).exists():
            raise KeyFileError(f"{path}: the private key is not there. {_CEREMONY}")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return create_key(path)

    def _find_roots(self) -> tuple[VerifierKey, ...]:
        """Give the root beside the key. A key that nobody vouches for is its own, by whatever name it signs now."""
        own = self.key.verifier(self.scope)
        there = load_vkeys(root_of(self.path)) if root_of(self.path).exists() else ()
        if self.delegations or any(root.public != own.public for root in there):
            return there
        if self._epoch_s is not None and there != (own,):
            save_root(self.path, own)
        return (own,)

    def _judge(self) -> Delegation | None:
        """Follow the chain to the living key, and give what was delegated to it; None for a root."""
        try:
            chain: list[Link] = list(links(roots=self.roots, delegations=self.delegations))
        except NoteError as error:
            raise KeyFileError(f"{delegations_of(self.path)}: {error}. {_CEREMONY}") from None
        if not chain:
            if any(root.public == self.key.public and covers(root.name, self.scope) for root in self.roots):
                return None
            roots = ", ".join(name_issuer(root) for root in self.roots)
            raise KeyFileError(f"{self.path}: {roots} has not delegated to this key. {_CEREMONY}")
        given = chain[-1].delegation
        if not covers(given.scope, self.scope):
            raise KeyFileError(f"{self.path}: the key may sign {given.scope}, and not {self.scope}. {_CEREMONY}")
        return given

    def _check_window(self, now_s: float) -> None:
        if self._by is None:
            return
        if now_s < self._by.from_s:
            raise KeyFileError(
                f"{self.path}: the key may sign from {format_time(self._by.from_s)}, and it is "
                f"{format_time(int(now_s))}. Mend: wait, or set the clock right"
            )
        if now_s >= self._by.until_s:
            raise KeyFileError(f"{self.path}: the key's time was over at {format_time(self._by.until_s)}. {_CEREMONY}")
