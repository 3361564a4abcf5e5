"""Whose signatures make a policy: names that only policy keys bear, and how many of them are needed.

A policy key is named `ORG/policy/SIGNER`, in exactly three parts. The key of a log has five
(`org/env/region/node/worker`) and an origin six, so none of them can be listed as a policy key.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extproc.bundle.errors import TrustError
from extproc.notes.errors import NoteError
from extproc.notes.keys import load_vkeys
from extproc.notes.note import VerifierKey

_WORD: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_NAME: Final = re.compile(f"{_WORD}/policy/{_WORD}", re.ASCII)
EXAMPLE_NAME: Final = "acme/policy/a-counsel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The keys that may sign policies, and how many different signers a bundle needs. Raises TrustError."""

    keys: tuple[VerifierKey, ...]
    needed: int = 1

    def __post_init__(self) -> None:
        check_trust(self.keys, self.needed)


def check_name(name: str) -> None:
    """Refuse what is no name of a policy key. Raises TrustError."""
    if _NAME.fullmatch(name) is None:
        raise TrustError(
            f"{name!r} is no name of a policy key. Mend: name it ORG/policy/SIGNER, like {EXAMPLE_NAME}; "
            "the key of a log may not sign policies"
        )


def check_trust(keys: Iterable[VerifierKey], needed: int) -> None:
    """Refuse keys that are no policy keys, one key under two names, and a number that the keys cannot reach.

    One person must not count as two: one key has one name, and several keys of one name (while a key is replaced)
    count once. Raises TrustError.
    """
    names: dict[bytes, str] = {}
    for key in keys:
        check_name(key.name)
        if names.setdefault(key.public, key.name) != key.name:
            twice = f"{names[key.public]} and {key.name}"
            raise TrustError(f"{twice} are one key, and one key is one signer. Mend: remove one of the two")
    signers = len(set(names.values()))
    if needed < 1:
        raise TrustError(f"{needed} signatures needed: none would be checked. Mend: ask for 1 or more")
    if needed > signers:
        raise TrustError(
            f"{needed} signatures needed, but the keys are of {signers} signer{'s' if signers != 1 else ''}. "
            "Mend: list more keys, or ask for fewer"
        )


def load_trust(paths: Sequence[Path], *, needed: int = 1) -> Trust:
    """Read `.vkey` files, one key per line. Raises TrustError, naming file and line where it can."""
    keys: list[VerifierKey] = []
    for path in paths:
        try:
            keys += load_vkeys(path)
        except NoteError as error:
            raise TrustError(f"{error}. Mend: list keys as `situs policy keygen` writes them") from None
        except OSError as error:
            raise TrustError(f"{path}: cannot be read ({error.strerror}). Mend: check the path") from None
        except UnicodeDecodeError:
            raise TrustError(f"{path}: not text. Mend: name a .vkey file") from None
    return Trust(keys=tuple(dict.fromkeys(keys)), needed=needed)
