"""A check: a small function that looks at one thing, with its id, its level and its reason.

The reason is the function's docstring, so that it stands beside what is checked and `--explain` cannot drift from it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import cleandoc
from typing import TypeAlias

from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.strict_yaml import Place


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a check found, before it bears the check's id and level."""

    place: Place
    message: str
    mend: str


Look: TypeAlias = Callable[[Matter], Iterator[Found]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. `title` is one line, `why` says why it matters."""

    id: str
    level: Level
    title: str
    why: str
    look: Look


def check(id_: str, level: Level, title: str) -> Callable[[Look], Check]:
    """Make a check of a function; its docstring says why."""

    def make(look: Look) -> Check:
        return Check(id=id_, level=level, title=title, why=cleandoc(look.__doc__ or ""), look=look)

    return make
