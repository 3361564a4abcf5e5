"""A bucket, by a real client against a real server process: what we ask of it, and what the server really enforces."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from ship.world import LOCATION, Bucket, free_port, make_bucket

from extproc.ship.errors import DestinationRefusedError, ForeignObjectError, StoreAwayError, StoreChangedError

if TYPE_CHECKING:
    from extproc.ship.s3 import S3Destination

pytestmark = pytest.mark.slow


def test_written_once_locked_and_summed(bucket: Bucket) -> None:
    store = bucket.destination(lock_days=7)
    store.check()
    assert store.put_immutable("a/tile", b"one") is True
    assert store.put_immutable("a/tile", b"one") is False
    with pytest.raises(ForeignObjectError, match=r"a/tile: holds other bytes .* nothing was overwritten"):
        store.put_immutable("a/tile", b"two")
    ((version,),) = bucket.versions().values()
    head = bucket.client.head_object(Bucket=bucket.name, Key="situs/a/tile", ChecksumMode="ENABLED")
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert abs(head["ObjectLockRetainUntilDate"] - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)
    assert head["ChecksumSHA256"] == b64encode(sha256(b"one").digest()).decode()
    assert version["Size"] == 3


def test_every_version_of_what_changes_is_kept_and_locked(bucket: Bucket) -> None:
    store = bucket.destination()
    assert store.read("checkpoint") is None
    first = store.put_mutable("checkpoint", b"1", over=None)
    second = store.put_mutable("checkpoint", b"2", over=first)
    for over in (None, first, '"nonsense"'):
        with pytest.raises(StoreChangedError):
            store.put_mutable("checkpoint", b"3", over=over)
    stored = store.read("checkpoint")
    assert stored is not None
    assert (stored.data, stored.tag) == (b"2", second)
    (versions,) = bucket.versions().values()
    assert len(versions) == 2
    for version in versions:
        head = bucket.client.head_object(Bucket=bucket.name, Key="situs/checkpoint", VersionId=version["VersionId"])
        assert head["ObjectLockMode"] == "COMPLIANCE"


def test_what_was_there_is_not_written_over_where_nothing_may_be(bucket: Bucket) -> None:
    with pytest.raises(StoreChangedError):
        bucket.destination().put_mutable("checkpoint", b"3", over='"5d41402abc4b2a76b9719d911017c592"')
    assert bucket.versions() == {}


def test_what_moto_enforces_and_what_it_does_not(bucket: Bucket) -> None:
    """Facts about the server of these tests, so that nobody takes it for more than it is."""
    bucket.destination().put_immutable("a", b"one")
    ((version,),) = bucket.versions().values()
    named: dict[str, Any] = {"Bucket": bucket.name, "Key": "situs/a", "VersionId": version["VersionId"]}
    # Enforced: nobody removes a locked version, not even past governance.
    for bypass in ({}, {"BypassGovernanceRetention": True}):
        with pytest.raises(ClientError, match="AccessDenied"):
            bucket.client.delete_object(**named, **bypass)
    # Not enforced, and refused by AWS: the retention of a COMPLIANCE lock can be shortened.
    past = datetime.now(UTC) - timedelta(days=1)
    bucket.client.put_object_retention(**named, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": past})
    bucket.client.delete_object(**named)
    assert bucket.versions() == {}
    # Not enforced: the sum that a client states of what it sends. AWS answers BadDigest.
    wrong = b64encode(sha256(b"two").digest()).decode()
    bucket.client.put_object(
        Bucket=bucket.name, Key="situs/b", Body=b"one", ChecksumAlgorithm="SHA256", ChecksumSHA256=wrong
    )
    # Not enforced: credentials. Any are taken.


def test_a_bucket_elsewhere_is_refused(s3_server: str, aws: None) -> None:
    del aws
    elsewhere = make_bucket(s3_server, "elsewhere", location="us-west-2")
    with pytest.raises(DestinationRefusedError, match=f"is in us-west-2 and not in {LOCATION}. Mend: "):
        elsewhere.destination().check()
    elsewhere.destination(location="us-west-2").check()


def test_a_bucket_without_lock_is_refused(s3_server: str, aws: None) -> None:
    del aws
    open_one = make_bucket(s3_server, "unlocked", lock=False)
    with pytest.raises(DestinationRefusedError, match=r"no object lock \(versioning off, lock off\).*Mend: aws s3api"):
        open_one.destination().check()
    open_one.client.put_bucket_versioning(Bucket="unlocked", VersioningConfiguration={"Status": "Enabled"})
    with pytest.raises(DestinationRefusedError, match=r"versioning Enabled, lock off"):
        open_one.destination().check()


def test_no_such_bucket(s3_server: str, aws: None) -> None:
    del aws
    nothing = Bucket(endpoint=s3_server, name="nothing-here", client=None)
    with pytest.raises(DestinationRefusedError, match=r"refuses \(NoSuchBucket\)"):
        nothing.destination().check()


def test_no_credentials(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(DestinationRefusedError, match="give credentials as boto3 finds them"):
        bucket.destination().check()


def test_the_environment_leads_nowhere_else(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    bucket.destination().check()


def test_a_request_to_another_host_is_not_sent(bucket: Bucket) -> None:
    store = bucket.destination()

    def lead_away(params: dict[str, Any], **_: object) -> None:
        params["url"] = params["url"].replace("127.0.0.1", "localhost")

    store._client.meta.events.register("before-call.s3", lead_away)
    with pytest.raises(DestinationRefusedError, match=r"leads to localhost:\d+, and the endpoint is http://127"):
        store.check()
    with pytest.raises(DestinationRefusedError, match="leads to localhost"):
        store.put_immutable("a", b"one")
    assert bucket.versions() == {}


def test_a_store_that_is_away(bucket: Bucket) -> None:
    away = bucket.destination(endpoint=f"http://127.0.0.1:{free_port()}")
    for ask in (
        away.check,
        lambda: away.read("a"),
        lambda: away.put_immutable("a", b""),
        lambda: away.put_mutable("a", b"", over=None),
    ):
        with pytest.raises(StoreAwayError, match="no whole answer"):
            ask()


def test_a_store_without_checksums_is_compared_by_its_bytes(bucket: Bucket) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key="situs/a", Body=b"one", ContentMD5="+XxgLSP94nvR0j9FBgWUtA==")
    assert "ChecksumSHA256" not in bucket.client.head_object(Bucket=bucket.name, Key="situs/a", ChecksumMode="ENABLED")
    store: S3Destination = bucket.destination()
    assert store.put_immutable("a", b"one") is False
    with pytest.raises(ForeignObjectError):
        store.put_immutable("a", b"two")
