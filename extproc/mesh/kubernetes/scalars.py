"""The small values of the section `kubernetes`: images, networks and places in a store, each with its mend."""

import re
from ipaddress import ip_network
from typing import Final

from extproc.strict_yaml import UnfitError

_IMAGE: Final = re.compile(
    r"(?P<name>[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::[0-9]{1,5}(?=/))?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_STORE: Final = re.compile(r"(?:pvc|s3|gs|hf|https)://[A-Za-z0-9][A-Za-z0-9._/-]*")
_LABEL_VALUE: Final = re.compile(r"(?=.{1,63}\Z)[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def parse_image(written: str) -> str:
    """Parse an image that stays the same: with a digest, or at least a tag other than `latest`. Raises UnfitError."""
    found = _IMAGE.fullmatch(written)
    if found is None:
        raise UnfitError(f"'{written}' is no image", 'write it like "images.example/situs@sha256:…"')
    if found["digest"] is None and found["tag"] in (None, "latest"):
        raise UnfitError(
            f"'{written}' is another image tomorrow, and what ran could not be told from the record",
            "add the digest (@sha256:…), or at least a tag other than latest",
        )
    return written


def parse_network(written: str) -> str:
    """Parse a network (CIDR) that is not the whole of an address family. Raises UnfitError."""
    try:
        network = ip_network(written)
    except ValueError as error:
        raise UnfitError(f"'{written}' is no network ({error})", 'write it like "203.0.113.0/24"') from None
    if network.prefixlen == 0:
        raise UnfitError(f"'{written}' is everywhere", "name the networks that are meant")
    return str(network)


def parse_store(written: str) -> str:
    """Parse where KServe finds models. Raises UnfitError."""
    if not _STORE.fullmatch(written):
        raise UnfitError(
            f"'{written}' is no place of models", 'write it like "s3://bucket/models" or "pvc://claim/models"'
        )
    return written


def parse_label_value(written: str) -> str:
    """Parse the value of a label. Raises UnfitError. SPEC: Kubernetes, labels and selectors."""
    if not _LABEL_VALUE.fullmatch(written):
        raise UnfitError(f"'{written}' is no label's value", "write up to 63 letters, digits, '-', '_' and '.'")
    return written


def parse_file_name(written: str) -> str:
    """Parse the name of a file in a folder. Raises UnfitError."""
    if "/" in written or written in (".", ".."):
        raise UnfitError(f"'{written}' is a path", "write the file's name in the volume alone")
    return written
