"""Exit codes that all commands share, and how a command says that its configuration cannot be used."""

import contextlib
import sys
from typing import Final

OK: Final = 0
USAGE: Final = 1
FINDINGS: Final = 6
"""A review found something: a test that fails, a rule that is due. What was reviewed can be used all the same."""
LOG: Final = 74
"""sysexits' EX_IOERR: the log cannot be written. Starting anew begins a new incarnation."""
SOFTWARE: Final = 70
"""sysexits' EX_SOFTWARE: a fault of the program's own. Start anew, and report it."""
NOT_YET: Final = 75
"""sysexits' EX_TEMPFAIL: what was asked is done and has no effect yet, which should be a matter of moments."""
CONFIGURATION: Final = 78
"""sysexits' EX_CONFIG."""
PIPE: Final = 141
"""Whoever read the output closed it; what a shell says of a program that SIGPIPE ended."""


def refuse(error: Exception | str, code: int = CONFIGURATION) -> int:
    """Print an error for a person and give the exit code, which must come through even if the words cannot."""
    with contextlib.suppress(OSError):
        print(f"situs: {error}", file=sys.stderr)
    return code
