"""What the tests of bundles share: policies, keys, a source in memory, and an HTTP server that can misbehave."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from extproc.bundle.bundle import sign_bundle
from extproc.bundle.errors import SourceError
from extproc.bundle.source import LARGEST, Fetched, NotModified
from extproc.bundle.trust import Trust
from extproc.notes.keys import generate_key

_MINIMAL: Final = Path(__file__).parents[2] / "extproc" / "policy" / "examples" / "minimal.yaml"

COUNSEL, COUNSEL_NAME = generate_key(), "acme/policy/a-counsel"
OFFICER, OFFICER_NAME = generate_key(), "acme/policy/b-officer"
KEYS: Final = (COUNSEL.verifier(COUNSEL_NAME), OFFICER.verifier(OFFICER_NAME))
ONE: Final = Trust(keys=KEYS, needed=1)
TWO: Final = Trust(keys=KEYS, needed=2)


def policy(version: int = 1, *, name: str = "minimal", rtt_ms: int = 8) -> bytes:
    """Give a policy that can be used; another `rtt_ms` gives it another revision."""
    text = _MINIMAL.read_text(encoding="utf-8")
    for old, new in (
        ("id: minimal, version: 1,", f"id: {name}, version: {version},"),
        ("rtt_ms: 8}", f"rtt_ms: {rtt_ms}}}"),
    ):
        assert text.count(old) == 1, f"{_MINIMAL.name} has changed: {old!r}"
        text = text.replace(old, new)
    return text.encode()


def signed(data: bytes) -> bytes:
    """Give a bundle that both have signed."""
    return sign_bundle(data, OFFICER, OFFICER_NAME, also=sign_bundle(data, COUNSEL, COUNSEL_NAME))


class MemorySource:
    """A source in memory. Held by the same contract as the real ones; `away` makes it fail."""

    def __init__(self, data: bytes | None = None, name: str = "memory") -> None:
        self.name = name
        self.data = data
        self.asked: list[str | None] = []

    async def fetch(self, etag: str | None) -> Fetched | NotModified:
        self.asked.append(etag)
        if self.data is None:
            raise SourceError(self.name, "nothing there", "put something there")
        if len(self.data) > LARGEST:
            raise SourceError(self.name, f"larger than {LARGEST} bytes", "make it smaller")
        now = sha256(self.data).hexdigest()
        return NotModified() if etag == now else Fetched(data=self.data, etag=now)


class Request(BaseHTTPRequestHandler):
    """One request to a :class:`WebServer`."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(5)
            self.request.do_handshake()
        super().setup()

    def do_GET(self) -> None:
        assert isinstance(self.server, WebServer)
        self.server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.server.answer(self)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer; underscores in the names of headers become hyphens, and an empty value leaves a header out."""
        self.send_response(status)
        for name, value in ({"content_length": str(len(body))} | headers).items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


Answer: TypeAlias = Callable[[Request], None]


def serve_file(data: bytes | None) -> Answer:
    """Answer with a file as a good server does."""

    def answer(request: Request) -> None:
        if data is None:
            request.reply(404)
            return
        etag = f'"{sha256(data).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == etag:
            request.reply(304, etag=etag, content_length="")
            return
        request.reply(200, data, etag=etag, last_modified="Sat, 21 Nov 2026 09:00:00 GMT")

    return answer


class WebServer(ThreadingHTTPServer):
    """A server on loopback; `answer` may be replaced at any time."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.answer: Answer = serve_file(None)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.origin = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.server_port}"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are what the tests are about."""


@contextmanager
def web_server(tls: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    with WebServer(tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority, and a server's side of it for 127.0.0.1."""

    ca: Path
    tls: ssl.SSLContext


def make_authority(folder: Path) -> Authority:
    """Make an authority, and a server's certificate by it."""
    folder.mkdir(parents=True, exist_ok=True)
    issuer, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"authority {folder.name}")])
    authority = (
        _certificate(issuer.public_key(), subject=name, issuer=name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(issuer, hashes.SHA256())
    )
    leaf = (
        _certificate(server.public_key(), subject=x509.Name([]), issuer=name)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=True)
        .sign(issuer, hashes.SHA256())
    )
    ca, chain, private = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
    ca.write_bytes(authority.public_bytes(Encoding.PEM))
    chain.write_bytes(leaf.public_bytes(Encoding.PEM))
    private.write_bytes(server.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, private)
    return Authority(ca=ca, tls=tls)


def _certificate(
    public: ec.EllipticCurvePublicKey, *, subject: x509.Name, issuer: x509.Name
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=public,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(hours=1),
        not_valid_after=now + timedelta(days=1),
    )
