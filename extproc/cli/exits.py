"""Exit codes that all commands share, and how a command says that its configuration cannot be used."""

import contextlib
import sys
from typing import Final

OK: Final = 0
USAGE: Final = 1
LOG: Final = 74
"""sysexits' EX_IOERR: the log cannot be written. Starting anew begins a new incarnation."""
SOFTWARE: Final = 70
"""sysexits' EX_SOFTWARE: a fault of the program's own. Start anew, and report it."""
CONFIGURATION: Final = 78
"""sysexits' EX_CONFIG."""


def refuse(error: Exception | str, code: int = CONFIGURATION) -> int:
    """Print an error for a person and give the exit code, which must come through even if the words cannot."""
    with contextlib.suppress(OSError):
        print(f"situs: {error}", file=sys.stderr)
    return code
