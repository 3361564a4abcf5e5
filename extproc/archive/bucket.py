"""Evidence in an S3-compatible object store, read straight from there.

Credentials are found as every S3 client finds them (AWS_ACCESS_KEY_ID and its like, a web identity, the instance), by
obstore, in each process that reads; they are not part of the archive. Plain HTTP is for a store on loopback alone,
whatever the environment says.
"""

import ipaddress
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from extproc.archive.archive import LARGEST_FILE, ArchiveError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

_ADDRESS: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[^?#]*))?", re.ASCII)
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
"""In the order in which they win."""
_SECRETS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_TIMEOUT: Final = timedelta(seconds=60)
_RETRIES: Final = 3
_LONGEST_REASON: Final = 200
_CODE: Final = re.compile(r"<Code>(?P<code>\w+)</Code>")


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketArchive:
    """The objects of `bucket` below `prefix` (no slash at its ends). `endpoint` is None for AWS itself."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None

    @property
    def location(self) -> str:
        """The address, `s3://BUCKET/PREFIX`."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def names(self, below: str = "") -> Iterator[str]:
        """List what is there, sorted; see :class:`extproc.archive.archive.Archive`."""
        folder = self._key(below.rstrip("/"))
        cut = len(self.prefix) + 1 if self.prefix else 0
        names: list[str] = []
        try:
            for page in obstore.list(self._store(), folder or None):
                for meta in page:
                    name = meta["path"][cut:]
                    if not any(part.startswith(".") for part in name.split("/")):
                        names.append(name)
        except FileNotFoundError:
            raise ArchiveError(f"{self.location}: no such bucket. Mend: check the name and the endpoint") from None
        except (BaseError, OSError) as error:
            raise self._refused(below, error, "s3:ListBucket") from None
        return iter(sorted(names))

    def exists(self, name: str) -> bool:
        """Tell whether there is such an object."""
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        """Give the length of an object."""
        try:
            return int(obstore.head(self._store(), self._key(name))["size"])
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.location}/{name}") from None
        except (BaseError, OSError) as error:
            raise self._refused(name, error, "s3:GetObject") from None

    def read(self, name: str) -> bytes:
        """Give the whole of an object."""
        try:
            found = obstore.get(self._store(), self._key(name))
            size = int(found.meta["size"])
            if size > LARGEST_FILE:
                raise ArchiveError(
                    f"{self.location}/{name}: {size} bytes, more than {LARGEST_FILE}: not read. "
                    "Mend: no file of evidence is so large; ask where it comes from"
                )
            return bytes(found.bytes())
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.location}/{name}") from None
        except (BaseError, OSError) as error:
            raise self._refused(name, error, "s3:GetObject") from None

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}".strip("/")

    def _store(self) -> S3Store:
        try:
            return _open(self.bucket, self.endpoint)
        except (BaseError, ValueError) as error:
            raise ArchiveError(f"{self.location}: {_reason(error)}. Mend: check the AWS_ settings") from None

    def _refused(self, name: str, error: Exception, action: str) -> ArchiveError:
        where = f"{self.location}/{name}".rstrip("/")
        if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
            code = _CODE.search(str(error))
            said = "" if code is None else f" ({code['code']})"
            return ArchiveError(
                f"{where}: the store refuses access{said}. Mend: check the credentials, and allow them {action}"
            )
        return ArchiveError(f"{where}: no answer ({_reason(error)}). Mend: check the endpoint and the way to it")


def open_bucket(address: str) -> BucketArchive:
    """Read `s3://BUCKET` or `s3://BUCKET/PREFIX`; nothing is asked yet. Raises ArchiveError."""
    match = _ADDRESS.fullmatch(address)
    prefix = "" if match is None else (match["prefix"] or "").rstrip("/")
    # Some clients drop empty segments and dots, and would read another place than was named.
    if match is None or (prefix and {"", ".", ".."} & set(prefix.split("/"))):
        raise ArchiveError(f"{address.partition('?')[0]}: no place in a store. Mend: write s3://BUCKET/PREFIX")
    endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS)), None)
    if endpoint is not None:
        _is_plain(endpoint)
    return BucketArchive(bucket=match["bucket"], prefix=prefix, endpoint=endpoint)


@lru_cache(maxsize=8)
def _open(bucket: str, endpoint: str | None) -> S3Store:
    # Said in so many words: the environment could allow both.
    client: ClientConfig = {"allow_http": False, "allow_invalid_certificates": False, "timeout": _TIMEOUT}
    config: S3Config = {}
    if endpoint is not None:
        config["aws_endpoint_url_s3"] = endpoint
        client["allow_http"] = _is_plain(endpoint)
    return S3Store(bucket, config=config, client_options=client, retry_config={"max_retries": _RETRIES})


def _is_plain(endpoint: str) -> bool:
    """Tell plain HTTP, which is refused but on loopback, from HTTPS. Raises ArchiveError."""
    parts = urlsplit(endpoint)
    where = f"{parts.scheme}://{parts.hostname}"
    if parts.username or parts.password:
        raise ArchiveError(f"{where}: the endpoint holds a password. Mend: set AWS_ACCESS_KEY_ID and its like instead")
    if parts.scheme == "https" and parts.hostname:
        return False
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return True
    raise ArchiveError(f"{where}: no HTTPS endpoint. Mend: write https://HOST; plain http is for loopback alone")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(error: Exception) -> str:
    """Give the first line of an error, without what gives access."""
    words = str(error).partition("\n")[0]
    for secret in filter(None, map(os.environ.get, _SECRETS)):
        words = words.replace(secret, "…")
    return words[:_LONGEST_REASON]
