"""What the commands share that prove something: whom the auditor trusts, and how long work is shown.

Owns the options `--key`, `--trust` and `--engine`.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from extproc.archive import Archive
from extproc.audit.published import PublishedLog
from extproc.audit.trust import Trust, load_trust
from extproc.ledger.log import LOG_VKEY
from extproc.notes.note import parse_vkey


def trust_for(trust: Trust, archive: Archive, log: PublishedLog) -> Trust:
    """Give the trust for one log: without any key, that in the one beside it, which proves no authorship."""
    path = log.path(LOG_VKEY)
    if trust.roots or not archive.exists(path):
        return trust
    return replace(trust, keys=tuple(parse_vkey(line) for line in archive.read(path).decode().splitlines()))


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add the options that say whom to trust."""
    parser.add_argument(
        "--key",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a .vkey file that you trust, or a folder of them; may be given again",
    )
    parser.add_argument(
        "--trust",
        metavar="FILE",
        type=Path,
        help="a C2SP tlog-policy: logs, witnesses, and how many must have cosigned",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where work is done."""
    parser.add_argument(
        "--engine",
        default="auto",
        metavar="NAME",
        help="where work is done: auto (all cores), serial, processes=N, dask or dask=ADDRESS (default: auto)",
    )


def load_trusted(args: argparse.Namespace) -> Trust:
    """Read `--key` and `--trust`. Raises MalformedError and OSError."""
    return load_trust(args.key, policy=args.trust)


def warn_untold(trust: Trust, *, quiet: bool = False) -> None:
    """Say what a proof is worth where nobody's key was given."""
    if not trust.roots and not quiet:
        Console(stderr=True).print(
            Text("note: no key was given, so the keys beside the logs were used: this shows integrity, not authorship"),
            soft_wrap=True,
        )


@contextmanager
def showing(what: str, *, total: int | None = None, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show how far work is, on a terminal; gives what is called with the entries done since the last call."""
    errors = Console(stderr=True)
    with Progress(
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.completed:,.0f} entries"),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=quiet or not errors.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda entries: bar.advance(task, entries)
