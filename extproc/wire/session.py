"""The session of a request, as far as tier 2 needs it: equal for equal sessions, and nothing that can be read back.

SPEC: RFC 7693 (BLAKE2).
"""

from hashlib import blake2b
from typing import Final

from extproc.core.reading import Reading
from extproc.wire.request import Received

_KEY_BYTES: Final = 16


def session_key(received: Received | None, reading: Reading) -> bytes | None:
    """Give the key of the session that a header names; None where the policy reads none, or the request has none.

    A client chooses it, which can only choose among permitted regions that are as good as one another.
    """
    if received is None or reading.session_header is None:
        return None
    named = received.headers.get(reading.session_header)
    return blake2b(named, digest_size=_KEY_BYTES).digest() if named else None
