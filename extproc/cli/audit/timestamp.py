"""`situs audit timestamp`: have the heads of logs stamped by an authority, and check such stamps."""

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from extproc.archive import Archive, ArchiveError, open_archive
from extproc.audit.published import PublishedLog, find_published
from extproc.audit.timestamp import (
    SUFFIX,
    TIMESTAMPS,
    Stamped,
    TimestampError,
    check_timestamp,
    load_roots,
    request_timestamp,
    stamped_text,
)
from extproc.cli.audit.terminal import words
from extproc.cli.audit.usage import usage
from extproc.ledger.errors import LedgerError
from extproc.notes.errors import NoteError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from cryptography.x509 import Certificate

_SIZE: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_INTEGRITY: Final = 2
_MISSING: Final = 3
_TIMESTAMP: Final = """\
Ask an authority for a time-stamp (RFC 3161) over the head of each log, and keep it as timestamps/SIZE.tsr beside the
log. It says, by the authority's clock and key, that the log had these entries by then.

With --check, check the time-stamps that are there against the certificates that you trust."""

_TIMESTAMP_END: Final = """\
exit status:
  0  done, or every time-stamp holds
  1  usage: no log there, or no certificate
  2  a time-stamp does not hold, or the authority did not answer as it should
  3  with --check: there is no time-stamp

examples:
  situs audit timestamp /var/lib/situs/log --tsa https://tsa.example.org/tsr --tsa-ca tsa-root.pem
  situs audit timestamp --check evidence.zip --tsa-ca tsa-root.pem"""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "timestamp",
        help="have the heads of logs stamped by an authority",
        description=_TIMESTAMP,
        epilog=_TIMESTAMP_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("place", metavar="PLACE", help="a folder; with --check also a zip file or s3://BUCKET/PREFIX")
    parser.add_argument("--tsa", metavar="URL", help="the authority")
    parser.add_argument("--check", action="store_true", help="check the time-stamps that are there")
    parser.add_argument("--tsa-ca", metavar="FILE", type=Path, help="certificates in PEM that you trust")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit timestamp`."""
    from extproc.extra import MissingExtraError

    if args.check == (args.tsa is not None) or (args.check and args.tsa_ca is None):
        return usage("timestamp", "expected --tsa URL, or --check with --tsa-ca FILE")
    if args.tsa is not None and not Path(args.place).is_dir():
        return usage("timestamp", f"{args.place}: no folder. Mend: name the folder in which time-stamps are to be kept")
    try:
        archive = open_archive(args.place)
        logs = find_published(archive)
        if not logs:
            return usage("timestamp", f"{args.place}: no published log. Mend: name the folder that holds the logs")
        roots = [] if args.tsa_ca is None else load_roots(args.tsa_ca.read_bytes())
        if args.check:
            return _check(archive, logs, roots)
        for log in logs:
            _stamp(archive, log, args.tsa, Path(args.place), roots)
    except TimestampError as error:
        return _fail(str(error))
    except (ArchiveError, MissingExtraError, OSError) as error:
        return usage("timestamp", str(error))
    except (LedgerError, NoteError) as error:
        return _fail(str(error))
    return 0


def _stamp(archive: Archive, log: PublishedLog, url: str, folder: Path, roots: "list[Certificate]") -> None:
    """Have one log stamped, unless it is at this size."""
    path = folder / log.path(TIMESTAMPS, f"{log.size}{SUFFIX}")
    if path.exists():
        _say(f"{log.origin}: {log.size:,} entries are stamped already")
        return
    text = stamped_text(archive, log, log.size)
    data = request_timestamp(text, url)
    if roots:
        check_timestamp(data, text, roots)
    path.parent.mkdir(exist_ok=True)
    scratch = path.with_name(f".{path.name}")
    with scratch.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    _say(f"{log.origin}: {log.size:,} entries stamped: {path}")


def _check(archive: Archive, logs: tuple[PublishedLog, ...], roots: "list[Certificate]") -> int:
    """Check every time-stamp that is there."""
    failed, found = 0, 0
    for log in logs:
        for name in archive.names(log.path(TIMESTAMPS)):
            digits = name.rpartition("/")[2].removesuffix(SUFFIX)
            found += 1
            try:
                if _SIZE.fullmatch(digits) is None:
                    raise TimestampError("not named by a size")  # noqa: TRY301 - said like the others
                at = check_timestamp(archive.read(name), stamped_text(archive, log, int(digits)), roots)
                _print(Stamped(origin=log.origin, size=int(digits), at=at))
            except TimestampError as error:
                failed += 1
                Console().print(words(f"{name}: {error}", style="bold red"), soft_wrap=True)
    if not found:
        Console().print(words("RESULT no time-stamp is here"))
        return _MISSING
    Console().print(words(f"RESULT {found} time-stamps, {failed} do not hold"))
    return _INTEGRITY if failed else 0


def _print(stamped: Stamped) -> None:
    said = f"{stamped.origin}: {stamped.size:,} entries existed at {stamped.at.isoformat()}"
    Console().print(words(said), soft_wrap=True)


def _say(text: str) -> None:
    Console(stderr=True).print(words(text), soft_wrap=True)


def _fail(message: str) -> int:
    _say(f"situs audit timestamp: {message}")
    return _INTEGRITY
