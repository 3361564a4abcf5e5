"""An object in an S3-compatible store.

Credentials are found as every S3 client finds them (AWS_ACCESS_KEY_ID and its like, a web identity, the instance), by
obstore, and never pass through here. Plain HTTP is for a store on loopback alone, whatever the environment says.
"""

import asyncio
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotModifiedError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from extproc.bundle.errors import SourceError
from extproc.bundle.source import LARGEST, Fetched, NotModified, SourceOptions, is_loopback

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, S3Config

_ADDRESS: Final = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>[^/?#]+(?:/[^/?#]+)*)", re.ASCII
)
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
"""In the order in which they win."""
_SECRETS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_CHUNK: Final = 1 << 16
_LONGEST_REASON: Final = 200
_CODE: Final = re.compile(r"<Code>(?P<code>\w+)</Code>")


class S3Source:
    """An `s3://BUCKET/KEY`."""

    def __init__(self, url: str, options: SourceOptions) -> None:
        """Check the address and the endpoint; nothing is asked yet. Raises SourceError."""
        match = _ADDRESS.fullmatch(url)
        # Some clients drop empty segments and dots, and would ask for another object than was named.
        if match is None or {".", ".."} & set(match["key"].split("/")):
            raise SourceError(url.partition("?")[0], "no object of a store", "write s3://BUCKET/KEY")
        self.name = url
        self._key = match["key"]
        self._timeout_s = options.timeout_s
        try:
            self._store = self._open(match["bucket"], options)
        except (BaseError, ValueError) as error:
            raise SourceError(self.name, _reason(error), "check the AWS_ settings") from None

    async def fetch(self, etag: str | None) -> Fetched | NotModified:
        """Ask once. Raises SourceError."""
        asked: GetOptions = {} if etag is None else {"if_none_match": etag}
        try:
            async with asyncio.timeout(self._timeout_s):
                result = await obstore.get_async(self._store, self._key, options=asked)
                if result.meta["size"] > LARGEST:
                    raise SourceError(self.name, f"the object is larger than {LARGEST} bytes", "name the right object")
                data = bytearray()
                async for chunk in result.stream(_CHUNK):
                    data += chunk
        except NotModifiedError:
            return NotModified()
        except TimeoutError:
            mend = "check the endpoint, the credentials and the way to it"
            raise SourceError(self.name, f"no whole answer within {self._timeout_s:g} s", mend) from None
        except FileNotFoundError:
            raise SourceError(self.name, "no such object or bucket", "check the name and the endpoint") from None
        except (PermissionDeniedError, UnauthenticatedError) as error:
            mend = "check the credentials, and allow them s3:GetObject"
            raise SourceError(self.name, f"the store refuses access{_code(error)}", mend) from None
        except (BaseError, OSError) as error:
            mend = "check the endpoint and the way to it"
            raise SourceError(self.name, f"no whole answer ({_reason(error)})", mend) from None
        return Fetched(data=bytes(data), etag=result.meta["e_tag"])

    def _open(self, bucket: str, options: SourceOptions) -> S3Store:
        endpoint = options.s3_endpoint or next(filter(None, map(os.environ.get, _ENDPOINTS)), None)
        # Said in so many words: the environment could allow both. The time of the whole is bounded in fetch.
        client: ClientConfig = {
            "allow_http": False,
            "allow_invalid_certificates": False,
            "timeout": timedelta(seconds=2 * self._timeout_s),
        }
        config: S3Config = {}
        if endpoint is not None:
            config["aws_endpoint_url_s3"] = endpoint
            client["allow_http"] = _is_plain(endpoint)
        if options.s3_region is not None:
            config["region"] = options.s3_region
        if options.ca is not None:
            try:
                client["root_certificate"] = options.ca.read_bytes()
            except OSError as error:
                mend = "name a file of certificates in PEM"
                raise SourceError(str(options.ca), f"no CA file ({error.strerror})", mend) from None
        # Whoever polls tries again, and knows how long to wait; the store need not.
        return S3Store(bucket, config=config, client_options=client, retry_config={"max_retries": 0})


def _is_plain(endpoint: str) -> bool:
    """Tell plain HTTP, which is refused but on loopback, from HTTPS. Raises SourceError."""
    parts = urlsplit(endpoint)
    where = f"{parts.scheme}://{parts.hostname}"
    if parts.username or parts.password:
        raise SourceError(where, "the endpoint holds a password", "set AWS_ACCESS_KEY_ID and its like instead")
    if parts.scheme == "https" and parts.hostname:
        return False
    if parts.scheme == "http" and is_loopback(parts.hostname or ""):
        return True
    raise SourceError(where, "no HTTPS endpoint", "write https://HOST; plain http is for loopback alone")


def _reason(error: Exception) -> str:
    """Give the first line of an error, without what gives access."""
    words = str(error).partition("\n")[0]
    for secret in filter(None, map(os.environ.get, _SECRETS)):
        words = words.replace(secret, "…")
    return words[:_LONGEST_REASON]


def _code(error: Exception) -> str:
    match = _CODE.search(str(error))
    return "" if match is None else f" ({match['code']})"
