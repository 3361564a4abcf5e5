"""Which keys an auditor trusts for a log.

A verifier key vouches for the log of its own name and for every log whose origin lies below that name: the key of
`acme/prod/eu/node-1/w0` for `acme/prod/eu/node-1/w0/000001-5f3a90c2`. So one key handed over once covers every
incarnation. The signature itself is always checked under the log's own full name, as C2SP signed-note says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from extproc.ledger.log import LOG_VKEY
from extproc.notes.errors import MalformedError
from extproc.notes.keys import load_vkeys
from extproc.notes.note import VerifierKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The keys that somebody handed over. Without any, a log's own `.vkey` stands in, which proves no authorship."""

    keys: Sequence[VerifierKey] = ()

    def keys_for(self, origin: str, directory: Path) -> tuple[VerifierKey, ...]:
        """Give the keys under the name of this log. Raises MalformedError for a broken `.vkey` beside the log."""
        if self.keys:
            return tuple(
                VerifierKey(name=origin, public=key.public)
                for key in self.keys
                if origin == key.name or origin.startswith(f"{key.name}/")
            )
        try:
            return tuple(key for key in load_vkeys(directory / LOG_VKEY) if key.name == origin)
        except FileNotFoundError:
            return ()


def load_trust(paths: Sequence[Path]) -> Trust:
    """Read `.vkey` files, and folders of them. Raises MalformedError and OSError."""
    files: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.vkey")) if path.is_dir() else [path]
        if not inside:
            raise MalformedError(f"{path}: holds no .vkey file")
        files += inside
    return Trust(keys=tuple(key for path in files for key in load_vkeys(path)))
