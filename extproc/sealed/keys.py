"""The keys of a running process: kept in memory, made when they are first needed, dropped when they are destroyed.

A thread looks twice a second whether keys were destroyed, and makes new ones durable. So a destroyed key is used for
half a second longer at most, and a power loss takes the keys of half a second at most.
"""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from extproc.sealed.derive import pseudonym_of, sealing_key, subject_row
from extproc.sealed.errors import KeyStoreError
from extproc.sealed.store import KeyStore

LOOK_S: Final = 0.5
_SUBJECTS_KEPT: Final = 65_536
"""Most subjects of a tenant's day whose keys are kept in memory; then all are dropped and read again."""
_DAYS_KEPT: Final = 4096
"""Most days of tenants that are kept."""
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectKeys:
    """What is made with one subject's key of one day."""

    pseudonym: bytes
    cipher: AESGCM = field(repr=False)


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
        """Begin to watch the store, which is closed with this."""
        self._store = store
        self._look_s = look_s
        self._days: dict[tuple[str, str], DayKeys] = {}
        self._failure: KeyStoreError | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(store.generation(),), name="keys", daemon=True)
        self._thread.start()

    def of_day(self, tenant: str, now_s: float) -> DayKeys:
        """Give the keys of a tenant's day. Raises KeyStoreError, also where the store could not be watched."""
        if self._failure is not None:
            raise self._failure
        # Taken before the store is asked: what is put into a dictionary that was dropped meanwhile is gone with it.
        days = self._days
        day = day_of(now_s)
        known = days.get((tenant, day))
        if known is None:
            key = self._store.day_key(tenant, day)
            if len(days) >= _DAYS_KEPT:
                days.clear()
            known = DayKeys(tenant=tenant, day=day, key=key, cipher=AESGCM(sealing_key(key)))
            days[tenant, day] = known
        return known

    def of_subject(self, day: DayKeys, subject: str) -> SubjectKeys:
        """Give the keys of a subject on that day. Raises KeyStoreError."""
        known = day.subjects.get(subject)
        if known is None:
            key = self._store.subject_key(day.tenant, day.day, subject_row(day.key, subject))
            if len(day.subjects) >= _SUBJECTS_KEPT:
                day.subjects.clear()
            known = SubjectKeys(pseudonym=pseudonym_of(key), cipher=AESGCM(sealing_key(key)))
            day.subjects[subject] = known
        return known

    def close(self) -> None:
        """Make everything durable, and let the store go."""
        self._closing.set()
        self._thread.join()
        self._store.close()

    def _watch(self, generation: int) -> None:
        try:
            store = self._store.again()
        except KeyStoreError as error:
            self._failure = error
            return
        version = None
        try:
            while not (closing := self._closing.wait(self._look_s)) or version is not None:
                if (found := store.version()) != version:
                    version = found
                    if (now := store.generation()) != generation:
                        generation = now
                        self._days = {}
                    store.flush()
                if closing:
                    break
        except KeyStoreError as error:
            self._failure = error
            self._days = {}
        finally:
            store.close()


def day_of(now_s: float) -> str:
    """Give the UTC day of a time in Unix seconds: "2026-11-21"."""
    return _format_day(int(now_s // _DAY_S))


@lru_cache(maxsize=64)
def _format_day(number: int) -> str:
    return datetime.fromtimestamp(number * _DAY_S, UTC).date().isoformat()
