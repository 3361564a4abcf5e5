"""What decides and could not be read: the linter is not silent about what it has not seen."""

from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node
from extproc.mesh.check.rules.scope import Scope

UNREAD: Final = Rule(
    id="unread",
    severity=Severity.LEAK,
    title="All that decides where a request goes can be read",
    why="A part that was not seen may hold any of the faults that the other rules name.",
)
RULES: Final = (UNREAD,)

_MEND: Final = "check a running proxy through its admin port, or write this part into the file"


def unread(node: Node, reason: str, scope: Scope) -> Finding:
    """Make the finding for one part."""
    return scope.found(UNREAD, node, reason, _MEND)
