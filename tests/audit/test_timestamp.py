"""Time-stamps by a small authority: openssl behind a server on loopback."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ledger.world import NOW_S, open_log, small_log
from support.needs import missing

from extproc.archive import open_archive
from extproc.audit.published import find_published
from extproc.audit.timestamp import TimestampError, check_timestamp, load_roots, request_timestamp, stamped_text
from extproc.cli.main import main
from extproc.ledger.entries import gap_to_entry

pytestmark = pytest.mark.slow  # keys are made, and openssl is started for each time-stamp

_CONFIG = """\
[tsa]
default_tsa = authority
[authority]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
[extensions]
extendedKeyUsage = critical,timeStamping
"""


def _openssl(folder: Path, *arguments: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        missing("openssl is not installed here")
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Authority:
    """Answers time-stamp requests; `broken` makes it answer something else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broken: bytes | None = None
        (folder / "tsa.cnf").write_text(_CONFIG)
        (folder / "serial").write_text("01\n")
        for name in ("root", "other"):
            subject = ("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
            _openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", *subject)
        _openssl(
            folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tsa", "-keyout", "tsa.key", "-out", "tsa.csr"
        )
        issued = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "30", "-out", "tsa.pem")
        extensions = ("-extfile", "tsa.cnf", "-extensions", "extensions")
        _openssl(folder, "x509", "-req", "-in", "tsa.csr", *issued, *extensions)
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = self.rfile.read(int(self.headers["content-length"]))
                data = authority.answer(request)
                self.send_response(200 if data else 503)
                self.send_header("content-type", "application/timestamp-reply")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/tsr"

    def answer(self, request: bytes) -> bytes:
        if self.broken is not None:
            return self.broken
        (self.folder / "request.tsq").write_bytes(request)
        query = ("-queryfile", "request.tsq", "-out", "reply.tsr")
        _openssl(self.folder, "ts", "-reply", "-config", "tsa.cnf", *query)
        return (self.folder / "reply.tsr").read_bytes()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    made = Authority(tmp_path_factory.mktemp("tsa"))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _mended(authority: Authority) -> None:
    authority.broken = None


def test_a_time_stamp_holds_for_its_text_and_below_its_root(authority: Authority) -> None:
    data = request_timestamp(b"text\n", authority.url)
    roots = load_roots((authority.folder / "root.pem").read_bytes())
    at = check_timestamp(data, b"text\n", roots)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    with pytest.raises(TimestampError, match="does not hold"):
        check_timestamp(data, b"another\n", roots)
    with pytest.raises(TimestampError, match="does not hold"):
        check_timestamp(data, b"text\n", load_roots((authority.folder / "other.pem").read_bytes()))
    with pytest.raises(TimestampError, match="does not hold"):
        check_timestamp(data, b"text\n", [])
    flipped = bytearray(data)
    flipped[-20] ^= 1
    with pytest.raises(TimestampError):
        check_timestamp(bytes(flipped), b"text\n", roots)
    # openssl says so too.
    (authority.folder / "text").write_bytes(b"text\n")
    (authority.folder / "kept.tsr").write_bytes(data)
    _openssl(authority.folder, "ts", "-verify", "-data", "text", "-in", "kept.tsr", "-CAfile", "root.pem")


def test_an_answer_to_something_else_is_refused(authority: Authority) -> None:
    earlier = request_timestamp(b"text\n", authority.url)
    for broken, why in (
        (earlier, "answered another request"),
        (b"nonsense", "no time-stamp response"),
        (b"", "cannot be asked"),
        (bytes.fromhex("30053003020102"), "no time-stamp|refused"),
    ):
        authority.broken = broken
        with pytest.raises(TimestampError, match=why):
            request_timestamp(b"text\n", authority.url)
    authority.broken = b"x" * ((1 << 20) + 1)
    with pytest.raises(TimestampError, match="more than"):
        request_timestamp(b"text\n", authority.url)
    with pytest.raises(TimestampError, match="cannot be asked"):
        request_timestamp(b"text\n", "http://127.0.0.1:1/")
    with pytest.raises(TimestampError, match="no certificate"):
        load_roots(b"nonsense")


def test_logs_are_stamped_and_grow_on(authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = open_log(tmp_path)
    writer.append([gap_to_entry(at_s=NOW_S, entries=1, first_at_s=1, last_at_s=2)] * 9)
    writer.publish()
    root = ("--tsa-ca", str(authority.folder / "root.pem"))
    stamp = ["audit", "timestamp", str(tmp_path), "--tsa", authority.url, *root]
    check = ["audit", "timestamp", str(tmp_path), "--check", *root]
    assert main(check) == 3
    assert main(stamp) == 0
    assert (writer.directory / "timestamps/10.tsr").is_file()
    assert main(stamp) == 0
    assert "stamped already" in capsys.readouterr().err
    writer.append([gap_to_entry(at_s=NOW_S, entries=1, first_at_s=1, last_at_s=2)] * 300)
    writer.publish()
    assert main(stamp) == 0
    assert main(check) == 0
    out = capsys.readouterr().out
    assert "10 entries existed at" in out
    assert "310 entries existed at" in out
    assert "RESULT 2 time-stamps, 0 do not hold" in out
    # In an export they are there, and hold.
    assert main(["audit", "export", str(tmp_path), "--output", str(tmp_path / "e.zip"), "--engine", "serial"]) == 0
    assert main([*check[:2], str(tmp_path / "e.zip"), *check[3:]]) == 0
    # A stamp over another tree does not hold.
    kept = writer.directory / "timestamps"
    (kept / "9.tsr").write_bytes((kept / "10.tsr").read_bytes())
    (kept / "999.tsr").write_bytes((kept / "10.tsr").read_bytes())
    (kept / "x.tsr").write_bytes((kept / "10.tsr").read_bytes())
    assert main(check) == 2
    out = capsys.readouterr().out
    assert "RESULT 5 time-stamps, 3 do not hold" in out
    writer.abandon()


def test_what_cannot_be_done_is_said(authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = small_log(tmp_path / "logs")
    other = str(authority.folder / "other.pem")
    place = str(tmp_path / "logs")
    for arguments, code, words in (
        ((place,), 1, "expected --tsa URL"),
        ((place, "--check"), 1, "expected --tsa URL"),
        ((place, "--check", "--tsa", "x", "--tsa-ca", other), 1, "expected --tsa URL"),
        ((str(tmp_path / "none"), "--tsa", authority.url), 1, "no folder"),
        ((str(authority.folder), "--tsa", authority.url), 1, "no published log"),
        ((place, "--check", "--tsa-ca", str(tmp_path / "none")), 1, "none"),
        ((place, "--tsa", authority.url, "--tsa-ca", other), 2, "does not hold"),
    ):
        assert main(["audit", "timestamp", *arguments]) == code
        assert words in capsys.readouterr().err
    assert not (log / "timestamps").exists()
    archive = open_archive(place)
    (published,) = find_published(archive)
    with pytest.raises(TimestampError, match="only 8 are published"):
        stamped_text(archive, published, 9)
