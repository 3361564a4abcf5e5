"""A key store and who asks, for the tests of sealed evidence and of its keeper."""

from pathlib import Path
from typing import Final

from extproc.core.evidence import Evidence, Private, SealedField
from extproc.sealed.destroy import Grounds
from extproc.sealed.keys import Keys
from extproc.sealed.sealer import Sealer
from extproc.sealed.store import KeyStore, open_store

NOW_S: Final = 1_763_725_440.0
TODAY: Final = "2025-11-21"
DAY_S: Final = 86_400.0
EVERYTHING: Final = Evidence(subject_claim="sub", sealed=frozenset(SealedField))
GROUNDS: Final = Grounds(reason="ticket 17", at_s=NOW_S, approved_by=("A. Officer",))
ID: Final = bytes(range(16))


def new_store(folder: Path) -> KeyStore:
    return open_store(folder / "keys" / "keys.db", create=True)


def ask(
    keys: Keys, subject: str | None = "ada", *, tenant: str = "shop", now_s: float = NOW_S, at: bytes = ID
) -> Private:
    """What a record holds of one request."""
    made = Sealer(keys, EVERYTHING).private(
        tenant=tenant, decision_id=at, now_s=now_s, subject=subject, request_id="5d3f-1", address="31.0.0.7"
    )
    assert made is not None
    return made
