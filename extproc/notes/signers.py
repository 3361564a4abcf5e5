"""The key that signs, wherever it lies: a file, or a hardware module by a `pkcs11:` URI."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from extproc.notes.errors import KeyModuleError
from extproc.notes.keys import Signer, load_key
from extproc.notes.pkcs11_uri import SCHEME, find_pin, parse_pkcs11_uri


@contextmanager
def open_signer(place: str, *, ask: Callable[[str], str] | None = None) -> Iterator[Signer]:
    """Give the key at `place`, for as long as the context lasts.

    `ask` asks a person for a PIN, after the question that it gets; None where there is nobody. Raises NoteError.
    """
    if not place.startswith(SCHEME):
        yield load_key(Path(place))
        return
    uri = parse_pkcs11_uri(place)
    try:
        from extproc.notes.pkcs11 import ModuleKey  # noqa: PLC0415 - few need it, and it is an extra
    except ImportError:
        raise KeyModuleError(f"{uri}: needs python-pkcs11. Mend: pip install 'situs[hsm]'") from None
    key = ModuleKey(uri, find_pin(uri, environ=os.environ, ask=ask))
    try:
        yield key
    finally:
        key.close()
