"""A signing key that never leaves its hardware module, spoken to by PKCS#11.

Whatever speaks PKCS#11 with Ed25519 will do, on a desk, in a rack, or in a cloud through the library that its provider
gives out. They differ in how they spell the public half; nothing else here knows about any of them. Not all have that
mechanism: SECURITY.md says which do.

SPEC: PKCS #11 3.0 (Edwards-curve mechanisms), RFC 8032 (Ed25519).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, Session, SignMixin, lib

from extproc.notes.errors import KeyModuleError
from extproc.notes.note import VerifierKey
from extproc.notes.pkcs11_uri import Pkcs11Uri

_KEY_BYTES: Final = 32
_OID: Final = bytes.fromhex("06032b6570")
"""DER of the object identifier of Ed25519, 1.3.101.112."""
_WRAPPINGS: Final = (b"", b"\x04\x20", b"\x03\x21\x00")
"""What modules put before the 32 bytes: nothing, the head of a DER octet string, or that of a DER bit string."""


class ModuleKey:
    """A private key in a module, with a session that is logged in: close it. A Signer, as a key in a file is one."""

    def __init__(self, uri: Pkcs11Uri, pin: str) -> None:
        """Log in and find the key. Raises KeyModuleError, which never repeats the PIN."""
        self._uri = uri
        with _naming(uri):
            self._session = _open(uri, pin, rw=False)
            try:
                self._private, self.public = _find(self._session, uri)
            except BaseException:
                self._session.close()
                raise

    def __repr__(self) -> str:
        return f"ModuleKey(public={self.public.hex()})"

    def sign(self, message: bytes) -> bytes:
        """Give the 64 bytes of the signature, which was held against the public half. Raises KeyModuleError."""
        with _naming(self._uri):
            signature = bytes(self._private.sign(message, mechanism=Mechanism.EDDSA))
        # The module is another program, on another machine perhaps: what it gives is checked before it is used.
        if not self.verifier("module").verifies_bytes(message, signature):
            raise KeyModuleError(f"{self._uri}: the module gave a signature that is not its key's over the message")
        return signature

    def verifier(self, name: str) -> VerifierKey:
        """Give the public half under the name by which it signs."""
        return VerifierKey(name=name, public=self.public)

    def close(self) -> None:
        """Log out."""
        with _naming(self._uri):
            self._session.close()


def create_module_key(uri: Pkcs11Uri, pin: str) -> None:
    """Make a key in the module under the URI's label and id; it cannot be read out. Raises KeyModuleError."""
    with _naming(uri), _open(uri, pin, rw=True) as session:
        if list(session.get_objects(_template(uri, private=True))):
            raise KeyModuleError(f"{uri}: there is such a key, and a key is never overwritten")
        parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _OID}, local=True)
        parameters.generate_keypair(
            mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
            store=True,
            label=uri.object,
            id=uri.id,
            private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
        )


def _open(uri: Pkcs11Uri, pin: str, *, rw: bool) -> Session:
    # What loads no library raises RuntimeError, of which PKCS11Error is one: `_naming` sees to both.
    token = lib(str(uri.module)).get_token(token_label=uri.token, token_serial=uri.serial)
    return token.open(user_pin=pin, rw=rw)


def _template(uri: Pkcs11Uri, *, private: bool) -> dict[Attribute, object]:
    template: dict[Attribute, object] = {
        Attribute.CLASS: ObjectClass.PRIVATE_KEY if private else ObjectClass.PUBLIC_KEY,
        Attribute.KEY_TYPE: KeyType.EC_EDWARDS,
    }
    if uri.object is not None:
        template[Attribute.LABEL] = uri.object
    if uri.id is not None:
        template[Attribute.ID] = uri.id
    return template


def _find(session: Session, uri: Pkcs11Uri) -> tuple[SignMixin, bytes]:
    found = {each: list(session.get_objects(_template(uri, private=each))) for each in (True, False)}
    for private, objects in found.items():
        if len(objects) != 1:
            half = "private" if private else "public"
            raise KeyModuleError(f"{uri}: expected one {half} Ed25519 key of that name, found {len(objects)}")
    key = found[True][0]
    point = bytes(found[False][0][Attribute.EC_POINT])
    if point[:-_KEY_BYTES] not in _WRAPPINGS or len(point) < _KEY_BYTES or not isinstance(key, SignMixin):
        raise KeyModuleError(f"{uri}: expected an Ed25519 key, found one with a public half of {len(point)} bytes")
    return key, point[-_KEY_BYTES:]


@contextmanager
def _naming(uri: Pkcs11Uri) -> Iterator[None]:
    """Say what went wrong as one error that names the key."""
    try:
        yield
    except RuntimeError as error:
        said = type(error).__name__ if not str(error) else f"{type(error).__name__}: {error}"
        raise KeyModuleError(f"{uri}: {said}. {_MENDS.get(type(error).__name__, _ANY_MEND)}") from None


_ANY_MEND: Final = "Mend: look at the library's path, its own configuration and its log"
_MENDS: Final = {
    "NoSuchToken": "Mend: check token= and serial= (pkcs11-tool --list-slots shows them)",
    "MultipleTokensReturned": "Mend: name one token by serial=",
    "PinIncorrect": "Mend: check the PIN; a few wrong ones lock the token",
    "PinLocked": "Mend: its security officer has to set a new PIN",
    "UserAlreadyLoggedIn": "Mend: this process uses the token already; close that key first",
    "PinLenRange": "Mend: check the PIN; its length is not one that the token takes",
    "MechanismInvalid": "Mend: the module does not sign with Ed25519; use one that does",
}
