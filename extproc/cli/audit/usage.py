"""How the commands of `situs audit` say that they cannot do what was asked: exit 1, because 2 means "integrity"."""

from rich.console import Console
from rich.text import Text

from extproc.audit.findings import EXIT_USAGE
from extproc.cli.audit.terminal import plain


def usage(command: str, message: str, *, quiet: bool = False) -> int:
    """Say why `command` was not done, and give the exit status."""
    if not quiet:
        Console(stderr=True).print(Text(plain(f"situs audit {command}: {message}")), soft_wrap=True)
    return EXIT_USAGE
