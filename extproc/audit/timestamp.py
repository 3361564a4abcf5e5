"""Time-stamps by an authority over the heads of logs: that a tree existed at a time, by somebody else's clock and key.

Owns what is stamped: the text of a checkpoint, which anybody can make again from the tiles for every size. So a
time-stamp needs nothing beside it, and goes on to count when the log has grown.

SPEC: RFC 3161; RFC 5816
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx
from cryptography.x509 import Certificate, load_pem_x509_certificates

from extproc.archive import Archive
from extproc.audit.published import PublishedLog, tree_of
from extproc.extra import load_extra
from extproc.ledger.checkpoint import Checkpoint, format_checkpoint
from extproc.ledger.errors import LedgerError

TIMESTAMPS: Final = "timestamps"
SUFFIX: Final = ".tsr"
_TIMEOUT_S: Final = 30.0
_LARGEST: Final = 1 << 20
"""Far above any response with its certificates, in bytes."""


class TimestampError(LedgerError):
    """An authority that did not stamp, or a time-stamp that does not hold; the message has the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """A time-stamp that holds: the tree of the first `size` entries existed at `at`."""

    origin: str
    size: int
    at: datetime


def stamped_text(archive: Archive, log: PublishedLog, size: int) -> bytes:
    """Give the text that is stamped: the checkpoint of the first `size` entries.

    Raises TimestampError for more entries than are published, and as :class:`extproc.ledger.proofs.TileTree`.
    """
    if size > log.size:
        raise TimestampError(f"{log.name}: a time-stamp over {size} entries, and only {log.size} are published")
    root = log.root if size == log.size else tree_of(archive, log).root(size)
    return format_checkpoint(Checkpoint(origin=log.origin, size=size, root=root)).encode()


def request_timestamp(text: bytes, url: str, *, post: Callable[[str, bytes], bytes] | None = None) -> bytes:
    """Ask an authority for a time-stamp over `text`, and give its response, which is about this text and this request.

    Whose it is, is not checked: that is :func:`check_timestamp`'s. Raises TimestampError and MissingExtraError.
    """
    tsp = load_extra("rfc3161_client")
    request = tsp.TimestampRequestBuilder().data(text).hash_algorithm(tsp.HashAlgorithm.SHA256).build()
    data = (post or _post)(url, request.as_bytes())
    response = _decode(data, url)
    info = response.tst_info
    if info.nonce != request.nonce or info.message_imprint.message != request.message_imprint.message:
        raise TimestampError(f"{url}: answered another request. Mend: ask again, or another authority")
    return data


def check_timestamp(data: bytes, text: bytes, roots: Sequence[Certificate]) -> datetime:
    """Check that an authority below one of `roots` has stamped `text`, and give the time.

    Raises TimestampError and MissingExtraError.
    """
    tsp = load_extra("rfc3161_client")
    response = _decode(data, "time-stamp")
    verifier = tsp.VerifierBuilder()
    for root in roots:
        verifier = verifier.add_root_certificate(root)
    try:
        verifier.build().verify_message(response, text)
    except (tsp.VerificationError, ValueError) as error:
        raise TimestampError(f"time-stamp: does not hold: {error}") from None
    at: datetime = response.tst_info.gen_time
    return at


def load_roots(pem: bytes) -> list[Certificate]:
    """Read the certificates of authorities. Raises TimestampError."""
    try:
        return load_pem_x509_certificates(pem)
    except ValueError as error:
        raise TimestampError(f"no certificate in PEM: {error}") from None


def _decode(data: bytes, what: str) -> Any:  # noqa: ANN401 - a class of rfc3161-client
    tsp = load_extra("rfc3161_client")
    try:
        response = tsp.decode_timestamp_response(data)
        granted = tsp.PKIStatus(response.status) in (tsp.PKIStatus.GRANTED, tsp.PKIStatus.GRANTED_WITH_MODS)
    except ValueError as error:
        raise TimestampError(f"{what}: no time-stamp response: {error}") from None
    if not granted:
        raise TimestampError(f"{what}: refused: {' '.join(response.status_string) or response.status}")
    return response


def _post(url: str, request: bytes) -> bytes:
    """SPEC: RFC 3161 3.4: time-stamps over HTTP."""
    headers = {"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"}
    try:
        with httpx.stream("POST", url, content=request, headers=headers, timeout=_TIMEOUT_S) as response:
            response.raise_for_status()
            data = bytearray()
            for piece in response.iter_bytes():
                data += piece
                if len(data) > _LARGEST:
                    raise TimestampError(f"{url}: a response of more than {_LARGEST} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TimestampError(f"{url}: cannot be asked: {error!r}. Mend: check the address") from None
    return bytes(data)
