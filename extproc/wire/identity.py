"""Who asked: what of a request points to a person, as far as the policy has it kept.

None of it is ever among the facts that a decision reads. It goes from here to :mod:`extproc.sealed` alone, which makes
pseudonyms and sealed blocks of it; nothing else may record, log or answer with it.
"""

from dataclasses import dataclass
from typing import Final

from extproc.core.evidence import SealedField
from extproc.core.reading import REQUEST_ID, Reading
from extproc.wire.request import Received, was_forwarded

LONGEST_SUBJECT: Final = 512
"""Characters. A longer one is none, because a record has to hold it. SPEC: OpenID Connect Core section 2 allows 255."""
_LONGEST_REQUEST_ID: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What points to a person. Each is None where the policy does not have it kept, or the request has none."""

    subject: str | None = None
    request_id: str | None = None
    address: str | None = None

    def __repr__(self) -> str:
        """Show nothing: a log line or a traceback would."""
        return "Identity(...)"


_NOBODY: Final = Identity()


def identity(received: Received | None, reading: Reading) -> Identity:
    """Read who asked, as `reading` tells. Never raises, whatever is in the request."""
    evidence = reading.evidence
    if received is None or not evidence.is_private:
        return _NOBODY
    sealed = evidence.sealed
    return Identity(
        subject=None if evidence.subject_claim is None else _claimed(received, evidence.subject_claim),
        request_id=_request_id(received) if SealedField.REQUEST_ID in sealed else None,
        address=_address(received.address, reading.trusted_hops) if SealedField.ADDRESS in sealed else None,
    )


def _claimed(received: Received, claim: str) -> str | None:
    """Give the subject that the verified token names; a claim that is no text, or too long, names nobody."""
    if received.claims is None or claim not in received.claims:
        return None
    subject: str = received.claims[claim].string_value
    return subject if 0 < len(subject) <= LONGEST_SUBJECT else None


def _request_id(received: Received) -> str | None:
    value = received.headers.get(REQUEST_ID, b"")[:_LONGEST_REQUEST_ID]
    return value.decode("latin-1") or None


def _address(address: str, trusted_hops: int) -> str | None:
    """Give the client's address without its port; None where it is that of a proxy of the operator's own."""
    if not was_forwarded(address, trusted_hops):
        return None
    host, colon, port = address.rpartition(":")
    bare = host if colon and port.isdigit() and (host.endswith("]") or ":" not in host) else address
    return bare.strip("[]") or None
