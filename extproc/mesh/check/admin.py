"""What a running proxy has in force, asked at its admin port. Reads and changes nothing.

ENVOY: `/config_dump?include_eds`; Istio's proxies have the same at localhost:15000.
"""

import time
from typing import Final

import httpx

from extproc.mesh.check.read import Source
from extproc.mesh.check.reading.documents import MOST_BYTES, refuse

_PATH: Final = "/config_dump"
_QUERY: Final = b"include_eds"
_WITHIN_S: Final = 20.0
_LIKE: Final = "write it like http://127.0.0.1:9901, or http://localhost:15000 beside a proxy of Istio"


def fetch_dump(url: str) -> Source:
    """Ask the admin port at `url` for all that is in force. Raises DocumentError.

    The path may be left out. No proxy of the environment is used, and no redirect is followed: the answer must be that
    Envoy's own.
    """
    asked = _asked(url)
    # What follows the port is no part of where it came from.
    origin = str(asked.copy_with(path="/", query=None)).rstrip("/")
    ends = time.monotonic() + _WITHIN_S
    data = bytearray()
    try:
        with (
            httpx.Client(trust_env=False, timeout=_WITHIN_S / 4) as client,
            client.stream("GET", asked) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                refuse(origin, f"the answer to {_PATH} was {answer.status_code}", f"name Envoy's admin port; {_LIKE}")
            for piece in answer.iter_bytes():
                data += piece
                if len(data) > MOST_BYTES:
                    refuse(origin, f"the dump is larger than {MOST_BYTES >> 20} MiB", "ask a proxy that serves less")
                if time.monotonic() > ends:
                    refuse(origin, f"the dump did not come within {_WITHIN_S:.0f} s", "ask from a nearer host")
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        refuse(origin, f"the admin port cannot be asked ({reason})", f"check that the proxy runs, and {_LIKE}")
    return Source(origin=origin, data=bytes(data))


def _asked(written: str) -> httpx.URL:
    try:
        url = httpx.URL(written)
        host, _ = url.host, url.port
    except (httpx.InvalidURL, ValueError) as error:
        refuse(written[:100], f"this is no URL ({error})", _LIKE)
    if url.scheme not in ("http", "https") or not host:
        refuse(written[:100], "this is no URL of an admin port", _LIKE)
    if url.path not in ("", "/", _PATH):
        refuse(written[:100], f"the path {url.path} is not that of a whole configuration", f"leave it out; {_LIKE}")
    if url.userinfo:
        refuse(written.rpartition("@")[2][:100], "the URL has credentials in it", "leave them out")
    return url.copy_with(path=_PATH, query=_QUERY, fragment=None)
