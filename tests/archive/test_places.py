"""From what a person writes to an archive, and what is refused on the way."""

import os
from pathlib import Path

import pytest

from extproc.archive import ArchiveError, open_archive
from extproc.archive.bucket import BucketArchive


def test_what_is_no_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no folder and no file is there"):
        open_archive(str(tmp_path / "nowhere"))
    (tmp_path / "text").write_text("text")
    with pytest.raises(ArchiveError, match="no folder and no zip file"):
        open_archive(str(tmp_path / "text"))


@pytest.mark.parametrize(
    ("address", "bucket", "prefix", "location"),
    [
        ("s3://evidence", "evidence", "", "s3://evidence"),
        ("s3://evidence/", "evidence", "", "s3://evidence"),
        ("s3://evidence/a/b/", "evidence", "a/b", "s3://evidence/a/b"),
    ],
)
def test_addresses_of_stores(
    monkeypatch: pytest.MonkeyPatch, address: str, bucket: str, prefix: str, location: str
) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    archive = open_archive(address)
    assert archive == BucketArchive(bucket=bucket, prefix=prefix)
    assert archive.location == location


@pytest.mark.parametrize(
    "address", ["s3://", "s3://A/b", "s3://evidence/a//b", "s3://evidence/../b", "s3://evidence/a?x"]
)
def test_addresses_that_name_no_place_are_refused(address: str) -> None:
    with pytest.raises(ArchiveError, match="write s3://BUCKET/PREFIX"):
        open_archive(address)


@pytest.mark.parametrize("endpoint", ["http://10.0.0.1", "http://store.example:9000", "ftp://127.0.0.1", "127.0.0.1"])
def test_plain_http_is_for_loopback_alone(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    with pytest.raises(ArchiveError, match=r"no HTTPS endpoint.*loopback alone"):
        open_archive("s3://evidence/a")


def test_credentials_in_an_endpoint_are_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://me:pa55word@store.example")
    with pytest.raises(ArchiveError, match="holds a password") as caught:
        open_archive("s3://evidence/a")
    assert "pa55word" not in str(caught.value)


@pytest.mark.slow
def test_a_store_that_refuses_or_has_no_such_bucket_says_so(aws: str) -> None:
    assert os.environ["AWS_ENDPOINT_URL_S3"] == aws
    missing = open_archive("s3://nothing-there/a")
    with pytest.raises(ArchiveError, match=r"s3://nothing-there/a: .*Mend: "):
        list(missing.names())
    with pytest.raises(FileNotFoundError):
        missing.read("checkpoint")


@pytest.mark.slow
def test_a_store_that_is_not_there_says_so(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert aws
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    archive = open_archive("s3://evidence/a")
    for ask in (lambda: list(archive.names()), lambda: archive.exists("b"), lambda: archive.read("b")):
        with pytest.raises(ArchiveError, match=r"no answer .*Mend: check the endpoint") as caught:
            ask()
        assert "secret-of-the-tests" not in str(caught.value)
