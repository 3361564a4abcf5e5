"""Which logs a witness knows, and by which keys they may sign.

A key that the operator named vouches for the log of its own name and for every log below that name at a slash, as an
auditor's keys do. It may also delegate: the delegation notes that clients hand in are kept when they follow from such a
key, and the keys that they name sign for their scopes in their windows.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from extproc.notes.errors import MalformedError, NoteError, UnknownSignerError
from extproc.notes.keys import load_vkeys
from extproc.notes.note import VerifierKey
from extproc.trust.chain import links
from extproc.trust.delegation import Delegation, covers, parse_delegations
from extproc.trust.tlog_policy import load_tlog_policy
from extproc.witness.errors import RequestError, UnknownLogError, UntrustedError
from extproc.witness.state import State

EARLY_S: Final = 300
"""A key is taken so long before its window: clocks differ."""
LATE_S: Final = 3600
"""A key is taken so long after its window: its last checkpoint may reach us late."""


class KnownLogs:
    """The keys that the operator named, and what follows from them. May be used from any thread."""

    def __init__(self, roots: Sequence[VerifierKey], state: State) -> None:
        """Take up what `state` keeps of delegations, as far as it follows from `roots`: an operator may remove keys."""
        self._roots = tuple(roots)
        self._state = state
        self._lock = threading.Lock()
        self._notes: dict[str, bytes] = {}
        self._delegations: dict[str, tuple[Delegation, ...]] = {}
        for scope, notes in state.delegations().items():
            try:
                self._delegations[scope] = self._check(notes)
            except (RequestError, UntrustedError):
                continue
            self._notes[scope] = notes

    def keys_for(self, origin: str, *, at_s: float) -> tuple[VerifierKey, ...]:
        """Give the keys that may sign the log at a time, under its name. Raises UnknownLogError for a log of nobody's.

        None is given for a log that is known while no key of it may sign at that time.
        """
        roots = [root for root in self._roots if covers(root.name, origin)]
        if not roots:
            raise UnknownLogError(f"{origin}: no key for this log; the witness's operator adds it with --log")
        with self._lock:
            delegations = [each for file in self._delegations.values() for each in file]
        keys = {VerifierKey(name=origin, public=root.public, type=root.type) for root in roots} | {
            VerifierKey(name=origin, public=each.key.public)
            for each in delegations
            if covers(each.scope, origin) and each.from_s - EARLY_S <= at_s < each.until_s + LATE_S
        }
        return tuple(keys)

    def add_delegations(self, notes: bytes) -> str:
        """Keep a file of delegations durably, and give its scope: that of the last one.

        Of two files for one scope that is kept whose last key signs for longer. Raises RequestError for a file in the
        wrong form, and UntrustedError for one that does not follow from a key that the operator named.
        """
        with self._lock:
            # Whoever sends again what is kept, or its beginning, costs nothing.
            known = (
                next((scope for scope, kept in self._notes.items() if kept.startswith(notes)), None) if notes else None
            )
        if known is not None:
            return known
        delegations = self._check(notes)
        last = delegations[-1]
        with self._state.transaction() as transaction:
            kept = transaction.put_delegations(last.scope, notes, until_s=last.until_s)
        if kept:
            with self._lock:
                self._notes[last.scope] = notes
                self._delegations[last.scope] = delegations
        return last.scope

    def _check(self, data: bytes) -> tuple[Delegation, ...]:
        try:
            delegations = tuple(
                link.delegation for link in links(roots=self._roots, delegations=parse_delegations(data))
            )
        except MalformedError as error:
            raise RequestError(str(error)) from None
        except UnknownSignerError as error:
            raise UntrustedError(f"{error}; the witness's operator adds the first key with --log") from None
        except NoteError as error:
            raise UntrustedError(str(error)) from None
        if not delegations:
            raise RequestError("delegations: expected at least one note")
        return delegations


def load_roots(paths: Sequence[Path]) -> tuple[VerifierKey, ...]:
    """Read the keys of logs from `.vkey` files and from tlog-policies, whose log lines count.

    Raises MalformedError and OSError, which name the file.
    """
    roots: dict[VerifierKey, None] = {}
    for path in paths:
        keys = load_tlog_policy(path).logs if _is_policy(path) else load_vkeys(path)
        if not keys:
            raise MalformedError(f"{path}: names no log; add a line such as `log VKEY`")
        roots.update(dict.fromkeys(keys))
    return tuple(roots)


def _is_policy(path: Path) -> bool:
    """Tell a policy, which has a quorum line at least, from verifier keys, which have no space in them."""
    return any(len(line.split()) > 1 for line in path.read_bytes().splitlines())
