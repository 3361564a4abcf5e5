"""The way back: what was sealed with a decision, for whoever has the key store."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError

from extproc.core.evidence import Private
from extproc.ledger import entry_pb2 as pb
from extproc.sealed.derive import pseudonym_of, sealing_key, subject_row
from extproc.sealed.errors import ErasedError, UnsealError
from extproc.sealed.sealer import NONCE_BYTES
from extproc.sealed.store import KeyStore


def unseal(store: KeyStore, *, tenant: str, decision_id: bytes, private: Private) -> pb.SealedBlock:
    """Open the sealed block of a decision's record.

    Raises ErasedError where the key is in the store no more, UnsealError for a block that is not of that decision or
    was changed, and KeyStoreError.
    """
    key = _key_of(store, tenant, private)
    if key is None:
        whose = "subject" if private.pseudonym else "day"
        raise ErasedError(
            f"the key of this record's {whose} ({private.day}) is not in the store: it was destroyed, or the store is "
            "another one"
        )
    nonce, encrypted = private.sealed[:NONCE_BYTES], private.sealed[NONCE_BYTES:]
    try:
        return pb.SealedBlock.FromString(AESGCM(sealing_key(key)).decrypt(nonce, encrypted, decision_id))
    except (InvalidTag, ValueError, DecodeError):
        raise UnsealError("the block does not open with its key: it was changed, or is of another decision") from None


def pseudonyms_of(store: KeyStore, *, tenant: str, subject: str) -> dict[str, bytes]:
    """Give a subject's pseudonyms by day, as far as their keys are in the store: what to look for in the records."""
    found = {}
    for day in store.days(tenant):
        day_key = store.find_day_key(tenant, day)
        key = None if day_key is None else store.find_subject_key(tenant, day, subject_row(day_key, subject))
        if key is not None:
            found[day] = pseudonym_of(key)
    return found


def _key_of(store: KeyStore, tenant: str, private: Private) -> bytes | None:
    if not private.pseudonym:
        return store.find_day_key(tenant, private.day)
    # The store has no list of pseudonyms, which would be one more thing to destroy. This is a rare act: all are tried.
    return next(
        (key for key in store.subject_keys(tenant, private.day) if pseudonym_of(key) == private.pseudonym), None
    )
