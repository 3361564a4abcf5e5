"""Mutual TLS 1.3 of a cell: what it shows, whom it believes, and who may ask.

A connection ends within its handshake, before a byte of a request is read, unless its client proves by one SPIFFE id to
be one of those that may ask. That id is the only URI among the names of its certificate; DNS names prove nothing.

Replaced files are taken for new connections, whole or not at all, and connections that exist go on. Before anything is
shown to a client the cell shows it to itself: what does not hold in a handshake of its own is refused, with the last
good kept. No session is resumed, so each connection proves anew.

SPEC: X509-SVID sections 2 and 5. Python loads a key from a file only, and the files may be half replaced, so what was
read once is given to it as memory that looks like a file.
"""

import os
import re
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

from structlog.typing import FilteringBoundLogger

from inference.errors import ConfigurationError

PERIOD_S: Final = 0.25
"""How often the files are looked at. A change is taken when it has held still for one more look."""
_AGAIN_S: Final = 5.0
"""How often files that were refused are tried again without a change: a certificate's time may come."""
_SAID_EVERY_S: Final = 10.0
_LARGEST: Final = 1 << 20
_CODE: Final = 1
"""Of an error of ours; those that read one expect a number and a text."""
_ID: Final = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)+")
_LONGEST_ID: Final = 2048

Look: TypeAlias = tuple[tuple[int, ...] | None, ...]


class TlsError(ConfigurationError):
    """Files that cannot be used; the message names the file and the mend."""


def parse_spiffe(text: str) -> str:
    """Return the SPIFFE id `text`; else ValueError. SPEC: SPIFFE-ID section 2, with a path."""
    if len(text) > _LONGEST_ID or not _ID.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no SPIFFE id: write it like spiffe://acme.example/envoy")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM: `certificate` with its intermediates, its `key`, and the `authorities` whose clients are looked at."""

    certificate: Path
    key: Path
    authorities: Path

    def look(self) -> Look:
        """Return what changes when a file is replaced or written."""
        return tuple(_look(path) for path in (self.certificate, self.key, self.authorities))


def _look(path: Path) -> tuple[int, ...] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a cell shows: its `context`, the `identity` that it proves and `until` when, as OpenSSL writes it."""

    context: ssl.SSLContext
    identity: str
    until: str


def load_shown(files: TlsFiles) -> Shown:
    """Read and try the files; TlsError if they cannot be used now. Blocks for some milliseconds."""
    certificate, authorities = _read(files.certificate), _read(files.authorities)
    own = _server(files, certificate, _read(files.key))
    try:
        proven = _rehearse(own, certificate)
    except ssl.SSLError as error:
        raise TlsError(
            f"{files.certificate}: no client would take it ({_said(error)}); have it issued anew, for servers"
        ) from error
    try:
        identity = proven_by(proven)
    except ssl.SSLError as error:
        raise TlsError(
            f"{files.certificate}: {_said(error)}; have it issued with one URI, the SPIFFE id of this region's cells"
        ) from error
    try:
        own.load_verify_locations(cadata=_text(authorities))
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(f"{files.authorities}: it holds no certificate, or a broken one; write it as PEM") from error
    own.verify_mode = ssl.CERT_REQUIRED
    # The file says who is believed, and it may be an intermediate alone.
    own.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    own.sslobject_class = _Admitting
    return Shown(context=own, identity=identity, until=str(proven.get("notAfter", "")))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise TlsError(f"{path}: {error.strerror}; check the path, and who may read it") from error
    if len(content) > _LARGEST:
        raise TlsError(f"{path}: it is longer than 1 MiB; leave in it only what is needed")
    return content


def _text(pem: bytes) -> str:
    """Return PEM as Python takes it: without what is no ASCII, which is somebody's words between certificates."""
    return pem.decode("ascii", "ignore")


def _server(files: TlsFiles, certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    memory = os.memfd_create("situs-cell-tls", os.MFD_CLOEXEC)
    try:
        os.write(memory, key + b"\n" + certificate)
        # A key with a passphrase would be asked for at the terminal.
        context.load_cert_chain(f"/proc/self/fd/{memory}", password="")
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(
            f"{files.certificate} and {files.key}: they are not a certificate and its key without a passphrase, both "
            f"PEM ({error}); replace both, the certificate last"
        ) from error
    finally:
        os.close(memory)
    return context


def _rehearse(server: ssl.SSLContext, certificate: bytes) -> dict[str, Any]:
    """Return what a client sees that believes this very certificate; ssl.SSLError if it sees nothing that holds."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(cadata=_text(certificate))
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)
    waiting = list(ends)
    for _ in range(4):
        for end in tuple(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    if waiting:
        raise ssl.SSLError(_CODE, "the handshake does not end")
    return dict(ends[0].getpeercert() or {})


def proven_by(certificate: dict[str, Any]) -> str:
    """Return the identity that a certificate proves, as `getpeercert` shows it; ssl.SSLError if it proves nobody."""
    uris = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
    if len(uris) != 1:
        raise ssl.SSLCertVerificationError(_CODE, f"its certificate has {len(uris)} URIs and must have one")
    if len(uris[0]) > _LONGEST_ID or not _ID.fullmatch(uris[0]):
        raise ssl.SSLCertVerificationError(_CODE, f"the URI of its certificate is no SPIFFE id: {uris[0][:200]!r}")
    return str(uris[0])


def _said(error: ssl.SSLError) -> str:
    return str(getattr(error, "verify_message", None) or error.strerror or error)


class _Admitting(ssl.SSLObject):
    """One connection, whose handshake ends only with a client that may ask."""

    door: "Door"

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
            self.door.check(self.getpeercert())
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.door.tell(_said(error))
            raise


class Door(ssl.SSLContext):
    """What uvicorn is given: each connection is made by what the cell shows at that moment.

    Call `close` at the end. The files are watched by a thread of its own, because reading keys takes milliseconds.
    """

    def __new__(cls, *_arguments: object) -> Self:
        """Make one; the base class wants to know the protocol."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, files: TlsFiles, peers: Sequence[str], events: FilteringBoundLogger) -> None:
        """Admit the SPIFFE ids `peers`; TlsError if the files cannot be used."""
        self._files = files
        self._peers = frozenset(peers)
        self._events = events
        self._seen = files.look()
        self._shown = load_shown(files)
        self._next_word_s, self._untold = 0.0, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="situs-cell-tls", daemon=True)
        self._thread.start()

    @property
    def identity(self) -> str:
        """The SPIFFE id that the cell proves."""
        return self._shown.identity

    def close(self) -> None:
        """Watch no more."""
        self._ended.set()
        self._thread.join()

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - the base class's signature
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection."""
        made = self._shown.context.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        assert isinstance(made, _Admitting)  # noqa: S101 - the class that the context was given
        made.door = self
        return made

    def check(self, certificate: Any) -> None:  # noqa: ANN401 - the standard library's own picture of a certificate
        """Return if this client may ask; else ssl.SSLError."""
        proven = proven_by(certificate or {})
        if proven not in self._peers:
            raise ssl.SSLCertVerificationError(_CODE, f"it proves to be {proven}")

    def tell(self, why: str) -> None:
        """Log that a client was refused, and not each of its attempts."""
        self._untold += 1
        now_s = time.monotonic()
        if now_s >= self._next_word_s:
            self._events.warning("a client was refused in its handshake", why=why, refused=self._untold)
            self._next_word_s, self._untold = now_s + _SAID_EVERY_S, 0

    def _watch(self) -> None:
        before, refused, refused_at_s = self._seen, "", 0.0
        while not self._ended.wait(PERIOD_S):
            now = self._files.look()
            held_still, before = now == before, now
            is_due = bool(refused) and time.monotonic() - refused_at_s > _AGAIN_S
            if not held_still or (now == self._seen and not is_due):
                continue
            self._seen = now
            try:
                self._take(load_shown(self._files))
                refused = ""
            except Exception as error:  # noqa: BLE001 - whatever a file does to the library, the last good one is kept
                refused_at_s = time.monotonic()
                if str(error) != refused:
                    refused = str(error)
                    self._events.error("TLS files cannot be used; the last good ones are kept", error=refused)

    def _take(self, shown: Shown) -> None:
        if shown.identity != self._shown.identity:
            raise TlsError(
                f"{self._files.certificate}: it proves {shown.identity} and not {self._shown.identity}, as which "
                "clients know this cell; put back a certificate of the same identity, or start anew"
            )
        self._shown = shown
        self._events.info("TLS files were taken", identity=shown.identity, until=shown.until)
