"""The keys of a running process: kept in memory, made when they are first needed, dropped when they are destroyed.

A thread looks twice a second whether keys were destroyed, and makes new ones durable. So a destroyed key is used for
half a second longer at most, and a power loss takes the keys of half a second at most.

While the thread cannot look, nothing is made with any key: another may have been destroyed. While the store takes no
new key, nothing new is made, and requests are told so at once instead of each waiting for it. Both end by themselves
when the store works again.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from extproc.sealed.derive import pseudonym_of, sealing_key, subject_row
from extproc.sealed.errors import KeyStoreError
from extproc.sealed.store import KeyStore

LOOK_S: Final = 0.5
_BUSY_S: Final = 0.25
"""Longest wait of a request for another writer of the store, because all other requests wait with it."""
_SUBJECTS_KEPT: Final = 65_536
"""Most subjects, of all tenants and days together, whose keys are kept in memory; then all are dropped and read again.
At 400 bytes each."""
_DAYS_KEPT: Final = 4096
"""Most days of tenants that are kept."""
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectKeys:
    """What is made with one subject's key of one day."""

    pseudonym: bytes
    sealing: bytes = field(repr=False)

    @property
    def cipher(self) -> AESGCM:
        """What seals: made each time, which takes a microsecond, because one that is kept takes 2.4 kB."""
        return AESGCM(self.sealing)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayKeys:
    """What is made with the key of one tenant's day."""

    tenant: str
    day: str
    key: bytes = field(repr=False)
    cipher: AESGCM = field(repr=False)
    subjects: dict[str, SubjectKeys] = field(default_factory=dict, repr=False)


class Keys:
    """The keys that records are made with. For one thread, beside which the watching one runs until closed."""

    def __init__(self, store: KeyStore, *, look_s: float = LOOK_S) -> None:
        """Begin to watch the store, which is closed with this. Raises KeyStoreError."""
        self._store = store
        self._look_s = look_s
        self._days: dict[tuple[str, str], DayKeys] = {}
        self._subjects = 0
        self._unwatched: str | None = None
        self._unwritten: str | None = None
        generation = store.generation()
        store.wait_at_most(_BUSY_S)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(generation,), name="keys", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> str | None:
        """Why nothing, or nothing new, can be made with keys now; None while all is well."""
        return self._unwatched or self._unwritten

    def of_day(self, tenant: str, now_s: float) -> DayKeys:
        """Give the keys of a tenant's day. Raises KeyStoreError, also while the store cannot be watched."""
        if self._unwatched is not None:
            # A new error for each: one that is raised again and again holds on to whoever was ever refused by it.
            raise KeyStoreError(self._unwatched)
        # Taken before the store is asked: what is put into a dictionary that was dropped meanwhile is gone with it.
        days = self._days
        day = day_of(now_s)
        known = days.get((tenant, day))
        if known is None:
            key = self._ask(lambda: self._store.day_key(tenant, day))
            if len(days) >= _DAYS_KEPT:
                days.clear()
            known = DayKeys(tenant=tenant, day=day, key=key, cipher=AESGCM(sealing_key(key)))
            days[tenant, day] = known
        return known

    def of_subject(self, day: DayKeys, subject: str) -> SubjectKeys:
        """Give the keys of a subject on that day. Raises KeyStoreError."""
        known = day.subjects.get(subject)
        if known is None:
            key = self._ask(lambda: self._store.subject_key(day.tenant, day.day, subject_row(day.key, subject)))
            known = SubjectKeys(pseudonym=pseudonym_of(key), sealing=sealing_key(key))
            if self._subjects >= _SUBJECTS_KEPT:
                self._days, self._subjects = {}, 0
            else:
                self._subjects += 1
                day.subjects[subject] = known
        return known

    def close(self) -> None:
        """Make everything durable, and let the store go."""
        self._closing.set()
        self._thread.join()
        self._store.close()

    def _ask(self, store: Callable[[], bytes]) -> bytes:
        """Have the store give a key, unless the last one that was asked for could not be had."""
        if self._unwritten is not None:
            raise KeyStoreError(self._unwritten)
        try:
            return store()
        except KeyStoreError as error:
            self._unwritten = self._reason(error)
            raise KeyStoreError(self._unwritten) from error

    def _reason(self, error: KeyStoreError) -> str:
        """Say why: a file that is not there any more explains whatever SQLite said of it."""
        try:
            self._store.check_in_place()
        except KeyStoreError as gone:
            return str(gone)
        return str(error)

    def _watch(self, generation: int) -> None:
        """Be the thread. What goes wrong is told to whoever asks for a key, and tried again at the next look."""
        store: KeyStore | None = None
        version: int | None = None
        closing = False
        while not closing:
            closing = self._closing.wait(self._look_s)
            try:
                # A file that was put in the place of ours is not where our keys are, nor where they are destroyed.
                self._store.check_in_place()
                store = store or self._store.again()
                if self._unwritten is not None:
                    store.try_writing()
                    self._unwritten = None
                if (found := store.version()) != version or self._unwatched is not None:
                    if (now := store.generation()) != generation:
                        generation = now
                        self._days = {}
                    store.flush()
                    version = found
                self._unwatched = None
            except KeyStoreError as error:
                self._unwatched, self._days = self._reason(error), {}
        if store is not None:
            store.close()


def day_of(now_s: float) -> str:
    """Give the UTC day of a time in Unix seconds: "2026-11-21"."""
    return _format_day(int(now_s // _DAY_S))


@lru_cache(maxsize=64)
def _format_day(number: int) -> str:
    return datetime.fromtimestamp(number * _DAY_S, UTC).date().isoformat()
