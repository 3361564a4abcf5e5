"""A policy from a file to tables: the one place of this package that touches the disk."""

import re
from pathlib import Path
from typing import Final

from extproc.policy.compile import CompiledPolicy, compile_policy
from extproc.policy.parse import parse_policy
from extproc.strict_yaml.document import read_bytes

_SIGNATURES: Final = re.compile("(?:— [^ \n]+ [A-Za-z0-9+/]{6,}={0,2}\n)+".encode())
"""SPEC: https://c2sp.org/signed-note: an em dash, a space, a name, a space, and base64 of more than 4 bytes."""


def load_policy(path: Path) -> CompiledPolicy:
    """Read, check and compile the policy at `path`, or the one in a bundle there, whoever signed it.

    It is for people who review a policy. A sidecar takes none this way: :func:`without_signatures` verifies nothing.
    Raises DocumentError with every fault that was found, each with its place and its mend.
    """
    return compile_policy(parse_policy(without_signatures(read_bytes(path)), file=str(path)))


def without_signatures(data: bytes) -> bytes:
    """Give the text of a bundle, and anything else as it is.

    Verifies nothing: the block after the last empty line is cut off by its form alone. `situs serve` never uses this;
    it takes bundles by :mod:`extproc.bundle.accept`.
    """
    text, blank, tail = data.rpartition(b"\n\n")
    return text + b"\n" if blank and _SIGNATURES.fullmatch(tail) else data
