"""Writes certificates and keys, never over what is there; nobody but the owner may read a key."""

import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from extproc.mesh.certs.authority import LocalAuthority
from extproc.mesh.certs.layout import Layout

_PRIVATE: Final = 0o600
_PUBLIC: Final = 0o644
_OWNERS: Final = 0o700


class TakenError(Exception):
    """A file that would be written is there already; nothing was written."""


def write_certificates(layout: Layout, *, at: datetime, lifetime: timedelta, keep_authority: bool = False) -> None:
    """Make an authority and write all that it signs; its key is written only with `keep_authority`.

    Raises TakenError before anything is written, and OSError where a file cannot be.
    """
    files = [path for leaf in layout.leaves for path in (leaf.certificate, leaf.key)]
    _check_free([*files, *layout.authorities, layout.authority_key])
    authority = LocalAuthority.create(layout.trust_domain, at=at, lifetime=lifetime)
    for path in layout.authorities:
        _write(path, authority.certificate, _PUBLIC)
    for wanted in layout.leaves:
        leaf = authority.issue(wanted.name, identity=wanted.identity, hosts=wanted.hosts)
        _write(wanted.key, leaf.key, _PRIVATE)
        _write(wanted.certificate, leaf.certificate, _PUBLIC)
    if keep_authority:
        _write(layout.authority_key, authority.key, _PRIVATE)


def _check_free(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists() or path.is_symlink():
            raise TakenError(
                f"{path} is there, and nothing is written over. Mend: remove it, or name another directory"
            )


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(mode=_OWNERS, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
