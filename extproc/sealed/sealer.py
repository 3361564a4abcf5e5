"""From who asked to what a record may hold of it: what the sidecar calls for each decision."""

import os
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from extproc.core.evidence import Evidence, Private, SealedField
from extproc.ledger import entry_pb2 as pb
from extproc.sealed.derive import request_hash
from extproc.sealed.keys import Keys

NONCE_BYTES: Final = 12
"""Random for each block. SPEC: NIST SP 800-38D section 8.3 has at most 2**32 of those under one key; here a key is of
one subject and day, or of one tenant and day."""


class Sealer:
    """Makes what of a record points to a person, as one policy tells. Replaced with the policy; the keys stay."""

    def __init__(self, keys: Keys, evidence: Evidence) -> None:
        self._keys = keys
        self._names = evidence.subject_claim is not None
        self._subject = SealedField.SUBJECT in evidence.sealed
        self._request_id = SealedField.REQUEST_ID in evidence.sealed
        self._address = SealedField.ADDRESS in evidence.sealed

    def private(  # noqa: PLR0913 - what is known of who asked, each by name
        self,
        *,
        tenant: str | None,
        decision_id: bytes,
        now_s: float,
        subject: str | None,
        request_id: str | None,
        address: str | None,
    ) -> Private | None:
        """Give what the record of a decision may hold; None where that is nothing.

        `decision_id` are the 16 bytes of the decision's id, `now_s` Unix seconds. A request that is bound to no tenant
        counts to the tenant "". Raises KeyStoreError: then nothing may be released, because the record would lack what
        the policy asks for.
        """
        subject = subject if self._names else None
        request_id = request_id if self._request_id else None
        address = address if self._address else None
        if subject is None and request_id is None and address is None:
            return None
        day = self._keys.of_day(tenant or "", now_s)
        person = None if subject is None else self._keys.of_subject(day, subject)
        sealed_subject = subject if self._subject else None
        sealed = b""
        if not (sealed_subject is None and request_id is None and address is None):
            block = pb.SealedBlock(subject=sealed_subject or "", request_id=request_id or "", address=address or "")
            sealed = seal(day.cipher if person is None else person.cipher, decision_id, block)
        return Private(
            day=day.day,
            pseudonym=b"" if person is None else person.pseudonym,
            request=b"" if request_id is None else request_hash(day.key, request_id),
            sealed=sealed,
        )


def seal(cipher: AESGCM, decision_id: bytes, block: pb.SealedBlock) -> bytes:
    """Encrypt a block for one decision: a nonce, then what it encrypts."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, block.SerializeToString(), decision_id)
