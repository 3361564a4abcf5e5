"""The one SPIFFE id that a certificate proves.

SPEC: X509-SVID section 2: exactly one URI in the subject alternative names, and that is the id. DNS names may stand
beside it, and prove nothing here.
"""

import re
from collections.abc import Sequence
from typing import Final

_ID: Final = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)+")
_LONGEST: Final = 2048
"""SPEC: SPIFFE-ID section 2.3, bytes of an id."""
_SHOWN: Final = 200
"""Characters of somebody else's word that are repeated."""


class IdentityError(ValueError):
    """A certificate that proves no identity, or another than it must; the message says which."""


def parse_spiffe(written: str) -> str:
    """Parse the id of a peer. Raises ValueError with the mend. SPEC: SPIFFE-ID section 2, with a path."""
    if len(written) > _LONGEST or not _ID.fullmatch(written):
        raise ValueError(f"'{written[:80]}' is no SPIFFE id. Mend: write it like spiffe://acme.example/envoy")
    return written


def proven_by(uris: Sequence[str]) -> str:
    """Give the identity that a certificate with these URIs proves. Raises IdentityError."""
    if not uris:
        raise IdentityError("its certificate has no URI, so it proves nobody")
    if len(uris) > 1:
        raise IdentityError(f"its certificate has {len(uris)} URIs and proves nobody: it must have one")
    if len(uris[0]) > _LONGEST or not _ID.fullmatch(uris[0]):
        raise IdentityError(f"the URI of its certificate is no SPIFFE id: {uris[0][:_SHOWN]!r}")
    return uris[0]
