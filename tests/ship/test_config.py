"""The configuration: what is taken, and what is said of what is not."""

from pathlib import Path

import pytest

from extproc.ship.config import BucketPlace, FolderPlace, KafkaPlace, RegionShipping, Shipping, load_shipping
from extproc.ship.errors import DestinationRefusedError
from extproc.ship.opening import open_destinations
from extproc.strict_yaml import DocumentError

_HEAD = "apiVersion: situs/v1\nregions:\n"
_GOOD = """\
apiVersion: situs/v1
regions:
  eu-fra: {to: "s3://acme-evidence-fra/situs", endpoint: "https://s3.example:9000", location: eu-central-1}
  us-iad: {to: "s3://acme-evidence-iad", endpoint: "http://127.0.0.1:9000/", location: us-east-1, lock_days: 200}
  me-dxb: {to: "/mnt/evidence", every_s: 60}
kafka:
  eu-fra: {bootstrap: "a.example:9093,b.example:9093", topic: situs-decisions, settings: /etc/situs/kafka}
"""


def _load(tmp_path: Path, text: str) -> Shipping:
    path = tmp_path / "shipping.yaml"
    path.write_text(text)
    return load_shipping(path)


def test_all_of_it(tmp_path: Path) -> None:
    assert _load(tmp_path, _GOOD) == Shipping(
        regions={
            "eu-fra": RegionShipping(
                place=BucketPlace(
                    bucket="acme-evidence-fra",
                    prefix="situs",
                    endpoint="https://s3.example:9000",
                    location="eu-central-1",
                    lock_days=400,
                ),
                every_s=10,
            ),
            "us-iad": RegionShipping(
                place=BucketPlace(
                    bucket="acme-evidence-iad",
                    prefix="",
                    endpoint="http://127.0.0.1:9000",
                    location="us-east-1",
                    lock_days=200,
                )
            ),
            "me-dxb": RegionShipping(place=FolderPlace(path=Path("/mnt/evidence")), every_s=60),
        },
        kafka={
            "eu-fra": KafkaPlace(
                bootstrap="a.example:9093,b.example:9093", topic="situs-decisions", settings=Path("/etc/situs/kafka")
            )
        },
    )


@pytest.mark.parametrize(
    ("entry", "message", "mend"),
    [
        ('{to: "s3://bucket"}', "pinned by its endpoint and its location", "add 'endpoint:' and 'location:'"),
        ('{to: "s3://Bucket", endpoint: "https://e"}', "neither a bucket nor", ""),
        ('{to: "s3://bucket", endpoint: "https://e"}', "pinned by its endpoint", ""),
        ('{to: "s3://bucket/../x", endpoint: "https://e", location: l}', "neither a bucket nor an absolute path", ""),
        ("{to: evidence}", "neither a bucket nor an absolute path", "write s3://BUCKET/PREFIX"),
        ("{to: /mnt, lock_days: 3}", "a folder has no endpoint, location or lock_days", "remove them"),
        ('{to: "s3://bucket", endpoint: "http://e.example", location: l}', "is no HTTPS endpoint", "loopback alone"),
        ('{to: "s3://bucket", endpoint: "https://u:p@e", location: l}', "holds a password", "AWS_ACCESS_KEY_ID"),
        ('{to: "s3://bucket", endpoint: "https://e/path", location: l}', "is no endpoint", ""),
        ('{to: "s3://bucket", endpoint: "https://e:x", location: l}', "is no URL", ""),
        ('{to: "s3://bucket", endpoint: "https://e", location: EU West}', "is no region of a store", ""),
        ('{to: "s3://bucket", endpoint: "https://e", location: l, lock_days: 0}', "0 is less than 1", ""),
        ("{to: /mnt, every_s: 0.01}", "0.01 is less than 0.1", ""),
        ("{to: /mnt, bucket: x}", "unknown field 'bucket'", ""),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_mend(tmp_path: Path, entry: str, message: str, mend: str) -> None:
    with pytest.raises(DocumentError) as caught:
        _load(tmp_path, f"{_HEAD}  eu-fra: {entry}\n")
    (problem,) = caught.value.problems
    assert problem.place.line == 3
    assert message in problem.message
    assert mend in problem.mend


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apiVersion: situs/v2\nregions: {eu: {to: /mnt}}\n", "the version 'situs/v2' is not known"),
        ("apiVersion: situs/v1\nregions: {}\n", "needs 1"),
        ("apiVersion: situs/v1\nregions: {eu/fra: {to: /mnt}}\n", "'eu/fra' is no region"),
        (_HEAD + "  eu: {to: /mnt}\nkafka: {us: {bootstrap: 'a:1', topic: t}}\n", "'us' is copied and not shipped"),
        (_HEAD + "  eu: {to: /mnt}\nkafka: {eu: {bootstrap: 'a', topic: t}}\n", "'a' is no broker"),
        (_HEAD + "  eu: {to: /mnt}\nkafka: {eu: {bootstrap: 'a:1', topic: 't t'}}\n", "'t t' is no topic"),
        (
            _HEAD + "  eu: {to: /mnt}\nkafka: {eu: {bootstrap: 'a:1', topic: t, settings: s}}\n",
            "'s' is not absolute",
        ),
    ],
)
def test_the_rest_of_what_can_be_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        _load(tmp_path, text)
    assert message in str(caught.value)


def test_evidence_is_not_shipped_into_its_own_folder(tmp_path: Path) -> None:
    inside = tmp_path / "root/evidence"
    shipping = Shipping(regions={"eu": RegionShipping(place=FolderPlace(path=inside))})
    with pytest.raises(DestinationRefusedError, match="lies in the logs' own folder"):
        open_destinations(shipping, root=tmp_path / "root")


@pytest.mark.parametrize(
    ("settings", "mode", "message"),
    [
        ("sasl.username=a\n", 0o644, "others may read it"),
        ("nothing\n", 0o600, "settings:1: no setting that may stand here"),
        ("# a comment\n\nacks=1\n", 0o600, "settings:3: no setting"),
    ],
)
def test_settings_of_kafka(tmp_path: Path, settings: str, mode: int, message: str) -> None:
    path = tmp_path / "settings"
    path.write_text(settings)
    path.chmod(mode)
    place = KafkaPlace(bootstrap="127.0.0.1:9092", topic="t", settings=path)
    destinations = open_destinations(Shipping(regions={}, kafka={"eu": place}), root=tmp_path)
    with pytest.raises(DestinationRefusedError, match=message):
        destinations.copies["eu"]("acme/test/eu/node-1")
