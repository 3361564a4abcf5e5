"""What a drill needs of the system that it disturbs."""

from collections.abc import Sequence
from typing import Protocol

from extproc.core.ids import RegionId
from extproc.core.tables import PolicyTables
from extproc.demo.received import Received
from extproc.demo.visits import Answer
from extproc.drill.evidence import Evidence
from extproc.drill.scenarios import Scenario
from extproc.ledger.housekeeping import DrillMode


class Fault(Protocol):
    """One thing that is done to the system, and undone. `done` says what, as a report does: "eu-fra was killed"."""

    @property
    def done(self) -> str:
        """What is done."""
        ...

    def strike(self) -> float:
        """Do it, and give the moment at which it began, in seconds of the monotonic clock.

        Runs in a thread of its own. Whatever it raises, :meth:`mend` is called.
        """
        ...

    def mend(self) -> None:
        """Undo it. Called once, after :meth:`strike` has ended, perhaps while the program is being stopped."""
        ...

    async def seen(self) -> Sequence[str]:
        """Wait until the system shows that it has noticed, where it must; give what it did not do, as sentences."""
        ...

    async def settled(self) -> Sequence[str]:
        """Wait until the system is as it was before; give what it did not do, as sentences."""
        ...


class System(Protocol):
    """A system that serves requests, and writes a decision log."""

    mode: DrillMode

    @property
    def tables(self) -> PolicyTables:
        """The policy, compiled."""
        ...

    async def send(self, index: int) -> Answer:
        """Send one request and wait for its answer."""
        ...

    def fault(self, scenario: Scenario, region: RegionId) -> Fault:
        """Prepare a fault, where `region` is the one that serves. Raises CannotError."""
        ...

    async def evidence(self, since_s: float, decisions: frozenset[str]) -> Evidence:
        """Read what the log says since a time (Unix seconds), waiting a while for these decisions."""
        ...

    def received(self) -> Sequence[Received] | None:
        """Give what the cells themselves say that they received; None where that cannot be read from here."""
        ...
