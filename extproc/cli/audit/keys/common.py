"""What the commands of `situs audit keys` share: their parsers, their errors, and how they ask a person."""

import argparse
import getpass
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extproc.cli.exits import USAGE, refuse
from extproc.notes.errors import NoteError
from extproc.notes.keys import load_vkeys
from extproc.notes.note import VerifierKey
from extproc.trust.delegation import check_scope

if TYPE_CHECKING:
    from argparse import _SubParsersAction

EXIT_CODES: Final = "exit codes: 0 done, 1 wrong usage, 78 a key, a request or a delegation that cannot be used"
_SPAN: Final = re.compile(r"([1-9][0-9]{0,6})([mhd])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def raw(
    commands: "_SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, description: str, epilog: str
) -> argparse.ArgumentParser:
    """Add a command whose texts are printed as they are."""
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def unusable(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Say what cannot be used, for a person, and exit with 78."""

    def guarded(args: argparse.Namespace) -> int:
        try:
            return run(args)
        except NoteError as error:
            return refuse(error)
        except OSError as error:
            return refuse(f"{error.filename}: {error.strerror}. Mend: check the path and who may read and write there")

    return guarded


def scope(text: str) -> str:
    """Read the name of a key or the scope of a delegation, for argparse."""
    try:
        check_scope(text)
    except NoteError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def span(text: str) -> timedelta:
    """Read a time span such as 25h, for argparse."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected a span such as 90m, 25h or 400d, found {text!r}")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def ask_pin() -> Callable[[str], str] | None:
    """Give what asks a person for a PIN without showing it; None where nobody sits."""
    return getpass.getpass if sys.stdin.isatty() else None


def read_roots(paths: list[Path]) -> tuple[VerifierKey, ...]:
    """Read the public keys of organisations. Raises MalformedError and OSError."""
    return tuple(key for path in paths for key in load_vkeys(path))


def write_new(path: Path, data: bytes, *, force: bool = False) -> int:
    """Write a file that is not there yet; give 0, or say why not and give the exit code."""
    if path.exists() and not force:
        return refuse(f"{path}: exists. Mend: name another --output, or give --force to replace it", USAGE)
    path.write_bytes(data)
    return 0
