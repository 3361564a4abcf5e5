"""What is put into a proxy's pod, as it is written in the mesh file.

This module is the manual of the parts `istio.sidecar`, `gateway_api.sidecar` and of the files of either's proxy.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from extproc.mesh.scalars import parse_absolute, parse_name
from extproc.strict_yaml import Table, UnfitError, Value, entries_of, list_of, parsed, table_of, text

_IMAGE: Final = re.compile(r"[a-z0-9][A-Za-z0-9._/-]*(?::[0-9]+/[A-Za-z0-9._/-]+)?(?::(?!latest\Z)[A-Za-z0-9._-]+)?")
_DIGEST: Final = re.compile(r"@sha256:[0-9a-f]{64}")
NO_FILES: Final[Mapping[str, "FileSource"]] = {}
GIVEN_ARGUMENTS: Final = ("--listen", "--workers", "--log", "--key", "--admin", "--node")
"""Options of `situs serve` that the rendering gives itself."""


class SourceKind(StrEnum):
    """What files come from."""

    SECRET = "secret"  # noqa: S105 - a kind, not a secret
    CONFIG_MAP = "config_map"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """A folder's content, by exactly one of: `secret`, `config_map`, `claim` (a PersistentVolumeClaim, read only)."""

    kind: SourceKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarPod:
    """The sidecar's container, in the proxy's pod.

    `image`: of Situs, with a digest, or at least a tag other than latest. `arguments`: of `situs serve`, `--policy` and
    `--geo-db` among them; the rendering adds where it listens, logs and is asked how it is. `files`: folders that the
    sidecar sees, by path.

    `log_claim`: a PersistentVolumeClaim that all pods can write to (ReadWriteMany), in which each has a folder of its
    own. Left out, the log lies in the pod and goes with it, and then `--ship` must be among the arguments.
    """

    image: str
    arguments: tuple[str, ...]
    files: Mapping[str, FileSource] = field(default_factory=dict)
    log_claim: str | None = None


def read_sidecar(table: Table) -> SidecarPod:
    """Read the part."""
    image = table.required("image", parsed(parse_image))
    arguments = table.required("arguments", list_of(text, minimum=1))
    files = table.optional("files", read_files, default=NO_FILES)
    claim = table.optional("log_claim", parsed(parse_name), default=None)
    if arguments.is_sound and claim.is_sound:
        _check_arguments(table.value, arguments.value, claim.value)
    return SidecarPod(image=image.value, arguments=arguments.value, files=files.value, log_claim=claim.value)


def read_files(value: Value) -> Mapping[str, FileSource]:
    """Read folders and where their content comes from."""
    return entries_of(_parse_folder, lambda _path, each: table_of(_file_source)(each))(value)


def parse_image(written: str) -> str:
    """Parse the name of an image that stays the same. Raises UnfitError."""
    name, digest = written, ""
    if "@" in written:
        name, digest = written[: written.index("@")], written[written.index("@") :]
    is_pinned = bool(_DIGEST.fullmatch(digest)) if digest else ":" in name.rpartition("/")[2]
    if not _IMAGE.fullmatch(name) or not is_pinned:
        raise UnfitError(
            f"'{written}' is no image that stays the same",
            "write it with a digest (images.example/situs@sha256:…), or at least a tag other than latest",
        )
    return written


def _check_arguments(value: Value, arguments: tuple[str, ...], claim: str | None) -> None:
    options = {argument.partition("=")[0] for argument in arguments}
    for option in GIVEN_ARGUMENTS:
        if option in options:
            value.complain(f"the rendering gives {option} itself", "remove it from 'arguments'")
    if "--policy" not in options:
        value.complain("the sidecar is given no policy", "add '--policy' and its place to 'arguments'")
    if claim is None and "--ship" not in options:
        value.complain(
            "the decision log would go with its pod", "add 'log_claim', or '--ship' and its file to 'arguments'"
        )


def _parse_folder(written: str) -> str:
    path = parse_absolute(written)
    if len(path) < 2 or path.endswith("/") or ":" in path or {".", "..", ""} & set(path[1:].split("/")):  # noqa: PLR2004 - more than "/"
        raise UnfitError(f"'{written}' is no folder that can be mounted", "write it like /etc/situs/policy")
    return path


def _file_source(table: Table) -> FileSource:
    named = {kind: table.optional(kind.value, parsed(parse_name), default=None) for kind in SourceKind}
    given = {kind: found.value for kind, found in named.items() if found.value is not None}
    if len(given) != 1:
        table.value.refuse("files come from one place", "write one of secret, config_map and claim")
    kind, name = next(iter(given.items()))
    return FileSource(kind=kind, name=name)
