"""A bucket with object lock as a store: nobody can remove what was shipped before its day, not even its owner.

The client speaks to the pinned endpoint and to no other host, whatever a store's redirect or the environment says, and
the bucket must be where the configuration says. Credentials are found as boto3 finds them and never pass through here.

Writing once rests on conditional writes (`If-None-Match: *`), replacing on `If-Match`: a store without them is refused
when it says so.
"""

from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    HTTPClientError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from extproc.ship.config import BucketPlace
from extproc.ship.destination import Stored
from extproc.ship.errors import (
    DestinationRefusedError,
    ForeignObjectError,
    ShipError,
    StoreAwayError,
    StoreChangedError,
)

T = TypeVar("T")

CONNECTIONS: Final = 16
_CONNECT_S: Final = 10
_READ_S: Final = 60
_FAILED: Final = "PreconditionFailed"
_CONFLICT: Final = "ConditionalRequestConflict"
_ABSENT: Final = frozenset({"NoSuchKey", "404"})
# S3: buckets of the oldest region have no location, and some of the next oldest are called EU.
_OLD_NAMES: Final = {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}


class S3Destination:
    """One bucket and prefix."""

    def __init__(self, place: BucketPlace) -> None:
        """Make the client; nothing is asked yet."""
        self._place = place
        self._host = urlsplit(place.endpoint).netloc
        self.location = f"s3://{place.bucket}/{place.prefix}".rstrip("/")
        # A client of one's own session: the default session is shared by everything in the process.
        self._client: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=place.endpoint,
            region_name=place.location,
            config=Config(
                # The bucket in the path, so that there is one host, which can be pinned.
                s3={"addressing_style": "path"},
                signature_version="s3v4",
                connect_timeout=_CONNECT_S,
                read_timeout=_READ_S,
                max_pool_connections=CONNECTIONS,
                # Whoever ships waits and tries again, and knows how long.
                retries={"total_max_attempts": 1, "mode": "standard"},
            ),
        )
        self._client.meta.events.register("before-send.s3", self._pin)

    def check(self) -> None:
        """Ask where the bucket is, and whether it keeps versions and locks them."""
        place = self._place
        answer = self._ask(lambda: self._client.get_bucket_location(Bucket=place.bucket))
        found = answer.get("LocationConstraint")
        found = _OLD_NAMES.get(found, found)
        if found != place.location:
            raise DestinationRefusedError(
                f"{self.location}: the bucket is in {found} and not in {place.location}. Mend: name a bucket of the "
                "region whose evidence goes there; evidence does not leave its region"
            )
        versioning = self._ask(lambda: self._client.get_bucket_versioning(Bucket=place.bucket)).get("Status")
        try:
            answer = self._ask(lambda: self._client.get_object_lock_configuration(Bucket=place.bucket))
            lock = answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled")
        except _NoLockError:
            lock = None
        if versioning != "Enabled" or lock != "Enabled":
            raise DestinationRefusedError(
                f"{self.location}: the bucket has no object lock (versioning {versioning or 'off'}, lock "
                f"{lock or 'off'}), so evidence could be removed. Mend: aws s3api put-bucket-versioning --bucket "
                f"{place.bucket} --versioning-configuration Status=Enabled, then aws s3api "
                f"put-object-lock-configuration --bucket {place.bucket} --object-lock-configuration "
                "ObjectLockEnabled=Enabled; or make the bucket with --object-lock-enabled-for-bucket"
            )

    def read(self, name: str) -> Stored | None:
        """Give a file; see :class:`extproc.ship.destination.Destination`."""
        try:
            answer = self._client.get_object(Bucket=self._place.bucket, Key=self._key(name))
            # The client holds the bytes against the store's checksum while it reads them.
            return Stored(data=answer["Body"].read(), tag=answer["ETag"])
        except ClientError as error:
            if _code(error) in _ABSENT:
                return None
            raise self._away(name, error) from None
        except BotoCoreError as error:
            raise self._away(name, error) from None

    def put_immutable(self, name: str, data: bytes) -> bool:
        """Write an object once, locked."""
        try:
            self._put(name, data, IfNoneMatch="*")
        except ClientError as error:
            if _code(error) != _FAILED:
                raise self._away(name, error) from None
        except BotoCoreError as error:
            raise self._away(name, error) from None
        else:
            return True
        # It is there: by us in an earlier life, by another shipper, or by a stranger.
        found, ours = self._checksum(name), _checksum_of(data)
        if found != ours:
            raise ForeignObjectError(
                f"{self.location}/{name}: holds other bytes (SHA-256 {found}, ours {ours}). "
                "Mend: find out who else writes there; nothing was overwritten"
            )
        return False

    def put_mutable(self, name: str, data: bytes, *, over: str | None) -> str:
        """Write a version of an object over a known one, locked as well."""
        condition = {"IfNoneMatch": "*"} if over is None else {"IfMatch": over}
        try:
            tag: str = self._put(name, data, **condition)["ETag"]
        except ClientError as error:
            if _code(error) in {_FAILED, _CONFLICT, *_ABSENT}:
                raise StoreChangedError(f"{self.location}/{name}: was changed meanwhile") from None
            raise self._away(name, error) from None
        except BotoCoreError as error:
            raise self._away(name, error) from None
        return tag

    def _put(self, name: str, data: bytes, **condition: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.put_object(
            Bucket=self._place.bucket,
            Key=self._key(name),
            Body=data,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=_checksum_of(data),
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(days=self._place.lock_days),
            **condition,
        )
        return answer

    def _checksum(self, name: str) -> str:
        """Give the SHA-256 of an object in base64, from the store where it keeps it, else from the bytes."""
        with suppress(ClientError, BotoCoreError):
            head = self._client.head_object(Bucket=self._place.bucket, Key=self._key(name), ChecksumMode="ENABLED")
            if head.get("ChecksumSHA256") and head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
                return str(head["ChecksumSHA256"])
        stored = self.read(name)
        if stored is None:
            raise StoreAwayError(f"{self.location}/{name}: was there and is not. Mend: it is tried again")
        return _checksum_of(stored.data)

    def _key(self, name: str) -> str:
        return f"{self._place.prefix}/{name}" if self._place.prefix else name

    def _pin(self, request: Any, **_: object) -> None:  # noqa: ANN401 - botocore has no types
        """Let no request out that goes to another host than the pinned one."""
        host = urlsplit(request.url).netloc
        if host != self._host:
            raise DestinationRefusedError(
                f"{self.location}: the store leads to {host}, and the endpoint is {self._place.endpoint}. "
                "Mend: name the endpoint of the bucket's own region"
            )

    def _ask(self, ask: Callable[[], T]) -> T:
        """Ask something about the bucket. What only a person can mend is refused, what may pass is not."""
        try:
            return ask()
        except ClientError as error:
            if _code(error) == "ObjectLockConfigurationNotFoundError":
                raise _NoLockError from None
            if _status(error) in range(400, 500) and _status(error) not in {408, 429}:
                raise DestinationRefusedError(
                    f"{self.location}: the store refuses ({_code(error)}). Mend: check bucket, endpoint and "
                    "credentials, and allow s3:GetBucketLocation, s3:GetBucketVersioning and "
                    "s3:GetBucketObjectLockConfiguration"
                ) from None
            raise self._away("", error) from None
        except (HTTPClientError, NoConnectionError) as error:
            raise self._away("", error) from None
        except BotoCoreError as error:
            raise DestinationRefusedError(
                f"{self.location}: {error}. Mend: give credentials as boto3 finds them (AWS_ACCESS_KEY_ID, a profile, "
                "a web identity, the instance)"
            ) from None

    def _away(self, name: str, error: Exception) -> ShipError:
        where = f"{self.location}/{name}".rstrip("/")
        if isinstance(error, ClientError):
            if _code(error) == "NotImplemented":
                return DestinationRefusedError(
                    f"{where}: the store cannot write conditionally. Mend: take one that knows If-None-Match, If-Match "
                    "and object lock"
                )
            return StoreAwayError(f"{where}: the store answered {_code(error)} ({_status(error)})")
        # The class and not the text: a text may quote a request.
        return StoreAwayError(f"{where}: no whole answer ({type(error).__name__}). Mend: check the way to the store")


class _NoLockError(Exception):
    """The bucket was made without object lock."""


def _checksum_of(data: bytes) -> str:
    return b64encode(sha256(data).digest()).decode()


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
