"""Exit codes that all commands share, and how a command says that its configuration cannot be used."""

import sys
from typing import Final

OK: Final = 0
USAGE: Final = 1
CONFIGURATION: Final = 78
"""sysexits' EX_CONFIG."""


def refuse(error: Exception | str, code: int = CONFIGURATION) -> int:
    """Print an error for a person and give the exit code."""
    print(f"situs: {error}", file=sys.stderr)
    return code
