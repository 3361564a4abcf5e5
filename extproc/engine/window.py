"""The one loop that engines over futures share: work handed out a little ahead of what is taken."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")
_Result_co = TypeVar("_Result_co", covariant=True)


class Future(Protocol[_Result_co]):
    """A result that is being made elsewhere."""

    def result(self) -> _Result_co:
        """Wait for it. Raises what the work raised."""
        ...


def in_order(
    submit: Callable[[_Item], Future[_Result_co]], items: Sequence[_Item], *, ahead: int
) -> Iterator[_Result_co]:
    """Give the results in the order of `items`, with at most `ahead` of them handed out and not yet taken.

    So neither the results that nobody took yet nor the items that wait fill the memory.
    """
    waiting: deque[Future[_Result_co]] = deque()
    for item in items:
        waiting.append(submit(item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
