"""The two ways in: a file, and a text that is at hand."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from extproc.strict_yaml.nodes import MAX_SIZE, parse_nodes
from extproc.strict_yaml.problems import DocumentError, Place, Problem
from extproc.strict_yaml.readers import Reader
from extproc.strict_yaml.values import Value

T = TypeVar("T")


def read_document(path: Path, read: Reader[T]) -> T:
    """Read the file at `path`.

    Raises DocumentError with everything that is wrong with it, which includes that it cannot be opened.
    """
    return read_text(read_bytes(path), read, file=str(path))


def read_text(data: bytes | str, read: Reader[T], *, file: str = "<text>") -> T:
    """Read a document that is at hand; `file` is what its places are called by. Raises DocumentError."""
    # "surrogatepass" keeps a lone surrogate for the decoder, which refuses it with its place.
    encoded = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    with _nothing_collected():
        root, problems = parse_nodes(encoded, file)
        result = Value(root, problems).attempt(read)
    if problems:
        raise DocumentError(problems)
    return result.value


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Keep the garbage collector away.

    Reading makes millions of objects that stay and no cycles; walking over them again and again was half of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_bytes(path: Path) -> bytes:
    """Read a file that is to be a document, at most a byte more than one may have. Raises DocumentError."""
    where = Place(str(path), 1, 1)
    try:
        with path.open("rb") as file:
            # One byte more than allowed is enough to be refused.
            return file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        problem = Problem(where, "the file does not exist", "check the path")
    except IsADirectoryError:
        problem = Problem(where, "this is a directory", "name a file in it")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = Problem(where, f"the file cannot be read ({reason})", "check the path and who may read it")
    raise DocumentError([problem])
