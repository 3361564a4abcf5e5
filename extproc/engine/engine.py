"""What every engine can do."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class EngineError(Exception):
    """An engine that cannot work; the message names it and the mend. What the work itself raises is not wrapped."""


class Engine(Protocol):
    """Runs one function over many items. Function, items and results must be picklable."""

    @property
    def workers(self) -> int:
        """How many items are worked on at once: more parts than that gain nothing."""
        ...

    def run(self, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
        """Give the results in the order of the items, each as soon as it and all before it are there.

        What `work` raises is raised here, and what was not begun is not begun any more. Raises EngineError. Whatever
        the engine started for this run has ended when the iterator has: close it where it is left early.
        """
        ...


class SerialEngine:
    """One item after the other, here."""

    workers = 1

    def run(self, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
        """Give the results in order."""
        return (work(item) for item in items)
