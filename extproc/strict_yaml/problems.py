"""What can be wrong with a document: a place, a message, and the mend that makes it right."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Place(NamedTuple):  # every node has one: see there
    """A position in a file. Lines and columns count from 1, columns in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault. `message` says what is wrong, `mend` what to write instead; neither ends with a full stop."""

    place: Place
    message: str
    mend: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}. Mend: {self.mend}"


class DocumentError(Exception):
    """A document that cannot be used. `problems` holds every fault found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        if not self.problems:
            raise ValueError("a DocumentError needs at least one problem")
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type["DocumentError"], tuple[tuple[Problem, ...]]]:
        """Be handed from one process to another whole; by default an exception is made anew from its text."""
        return type(self), (self.problems,)


class UnfitError(Exception):
    """A text that is not what its field takes. Raised by the parse functions of a consumer, which know no place."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(f"{message}. Mend: {mend}")
        self.message = message
        self.mend = mend


def printable(text: str) -> str:
    """Write a text on one line: what a report must not print stands as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
