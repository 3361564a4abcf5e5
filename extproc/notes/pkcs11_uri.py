"""Where a key lies in a hardware module: `pkcs11:token=…;object=…?module-path=…`.

Owns the text, strictly, and where the PIN comes from: a file that nobody else may read, an environment variable, or
somebody at the keyboard. Never the URI itself, which ends up in process lists and shell histories.

SPEC: RFC 7512. Of its attributes those that name one token and one key; what else it knows, and what it does not, is
refused, because a condition that is not looked at is not one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from extproc.notes.errors import KeyModuleError, MalformedError
from extproc.notes.keys import read_private_file

SCHEME: Final = "pkcs11:"
PIN_VARIABLE: Final = "SITUS_PKCS11_PIN"
_PATH: Final = ("token", "serial", "object", "id", "type")
_QUERY: Final = ("module-path", "pin-source")
# SPEC: pk11-pchar: unreserved, some delimiters, or percent and two digits; a query may also hold a slash and a mark.
_VALUE: Final = re.compile(r"(?:[A-Za-z0-9._~:\[\]@!$'()*+,=&/?|-]|%[0-9A-Fa-f]{2})*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pkcs11Uri:
    """A key by its token and its own label or id, and the library that speaks to the token."""

    module: Path
    token: str | None = None
    serial: bytes | None = None
    object: str | None = None
    id: bytes | None = None
    pin_source: Path | None = None

    def __str__(self) -> str:
        """Write it as a URI."""
        path = [
            f"{name}={quote(value, safe='')}"
            for name, value in (
                ("token", self.token),
                ("serial", self.serial),
                ("object", self.object),
                ("id", self.id),
            )
            if value is not None
        ]
        query = [f"module-path={quote(str(self.module))}"]
        if self.pin_source is not None:
            query.append(f"pin-source={quote(str(self.pin_source))}")
        return f"{SCHEME}{';'.join(path)}?{'&'.join(query)}"


def parse_pkcs11_uri(text: str) -> Pkcs11Uri:
    """Read a URI that names one key. Raises MalformedError, which never repeats a PIN."""
    if not text.startswith(SCHEME):
        raise MalformedError(f"expected {SCHEME}token=…;object=…?module-path=…")
    path, _, query = text.removeprefix(SCHEME).partition("?")
    if "pin-value" in query:
        raise MalformedError(
            f"a PIN in a URI can be read by everybody who sees the process list. Mend: name a file by "
            f"pin-source=FILE, or set {PIN_VARIABLE}"
        )
    where = _attributes(path, ";", _PATH)
    how = _attributes(query, "&", _QUERY)
    if where.get("type", b"private") != b"private":
        raise MalformedError("expected type=private, or no type")
    if "token" not in where and "serial" not in where:
        raise MalformedError("expected token=LABEL or serial=NUMBER, so that one token is meant")
    if "object" not in where and "id" not in where:
        raise MalformedError("expected object=LABEL or id=BYTES, so that one key is meant")
    module = _text(how.get("module-path"), "module-path")
    if module is None:
        raise MalformedError("expected ?module-path=/path/of/the/library.so, as its vendor says")
    source = _text(how.get("pin-source"), "pin-source")
    return Pkcs11Uri(
        module=Path(module),
        token=_text(where.get("token"), "token"),
        serial=where.get("serial"),
        object=_text(where.get("object"), "object"),
        id=where.get("id"),
        pin_source=None if source is None else Path(source.removeprefix("file://").removeprefix("file:")),
    )


def find_pin(uri: Pkcs11Uri, *, environ: Mapping[str, str], ask: Callable[[str], str] | None) -> str:
    """Give the token's PIN: of the file that the URI names, else of `SITUS_PKCS11_PIN`, else what `ask` is told.

    Raises KeyFileError for a file that others may read, and KeyModuleError where there is none of the three.
    """
    if uri.pin_source is not None:
        return read_private_file(uri.pin_source).decode("utf-8", "replace").rstrip("\r\n")
    if PIN_VARIABLE in environ:
        return environ[PIN_VARIABLE]
    if ask is None:
        raise KeyModuleError(
            f"{uri}: no PIN. Mend: name a file by pin-source=FILE in the URI, set {PIN_VARIABLE}, or run this at a "
            f"terminal"
        )
    return ask(f"PIN for {uri}: ")


def _attributes(text: str, separator: str, known: tuple[str, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if not equals or name not in known:
            raise MalformedError(f"attribute {name!r}: expected one of {', '.join(known)}")
        if name in found:
            raise MalformedError(f"attribute {name!r}: given twice")
        if _VALUE.fullmatch(value) is None:
            raise MalformedError(f"attribute {name!r}: expected other characters as percent and two digits")
        found[name] = unquote_to_bytes(value)
    return found


def _text(value: bytes | None, name: str) -> str | None:
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise MalformedError(f"attribute {name!r}: not UTF-8") from None
    if not text:
        raise MalformedError(f"attribute {name!r}: expected not nothing")
    return text
