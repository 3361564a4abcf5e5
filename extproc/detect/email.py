"""E-mail addresses, by their form."""

from typing import Final

import re2

_ADDRESS: Final = re2.compile(
    # SPEC: RFC 5321 section 4.1.2 without quoted local parts and address literals, with the letters of RFC 6531. What
    # stands before the last character of the local part changes nothing: one is enough.
    r"[\pL\pN!#$%&'*+/=?^_`{|}~-]@(?:[\pL\pN-]+\.)+\pL{2}"
)


def has_email(text: bytes) -> bool:
    """Tell whether the text holds an e-mail address."""
    return b"@" in text and _ADDRESS.search(text) is not None
