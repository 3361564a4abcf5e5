"""Values as a consumer sees them: asked for by type, and reporting their own faults.

A fault never stops the reading of what stands beside it. `Value.refuse` notes the problem and leaves the nearest
enclosing field, list item or entry, so that nothing is ever built from a faulty part.
"""

import difflib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic, NoReturn, TypeVar

from extproc.strict_yaml.nodes import Kind, Mapping, Node, Scalar, Sequence, quoted
from extproc.strict_yaml.problems import Place, Problem, printable

T = TypeVar("T")
D = TypeVar("D")
T_co = TypeVar("T_co", covariant=True)


class _Refused(Exception):  # noqa: N818 - never leaves this package: a jump to the enclosing part
    """A part is faulty and was reported."""


class Value:
    """One value of a document. `Reader` functions turn it into what a field means."""

    __slots__ = ("_node", "_problems")

    def __init__(self, node: Node, problems: list[Problem]) -> None:
        self._node = node
        self._problems = problems

    @property
    def place(self) -> Place:
        """Where the value starts."""
        return self._node.place

    @property
    def kind(self) -> Kind:
        """What the value is, for a field that takes one of several."""
        match self._node:
            case Scalar(kind=kind):
                return kind
            case Sequence():
                return Kind.LIST
            case Mapping():
                return Kind.TABLE

    def complain(self, message: str, mend: str) -> None:
        """Note a problem at this place and go on: the document will be refused, after all of it was read."""
        self._problems.append(Problem(self.place, printable(message), printable(mend)))

    def refuse(self, message: str, mend: str) -> NoReturn:
        """Note a problem at this place and stop reading the part that holds it."""
        self.complain(message, mend)
        raise _Refused

    def scalar(self, expected: Kind, *also: Kind) -> str:
        """Give the written form of a value of one of the expected kinds; refuse any other."""
        node = self._node
        if isinstance(node, Scalar) and node.kind in (expected, *also):
            return node.text
        raise self._unfit(expected.value)

    def items(self) -> "tuple[Value, ...]":
        """Give the items of a list; refuse what is none."""
        if isinstance(self._node, Sequence):
            return tuple(Value(item, self._problems) for item in self._node.items)
        raise self._unfit(Kind.LIST.value)

    def entries(self) -> "tuple[tuple[Value, Value], ...]":
        """Give the keys and values of a table; refuse what is none."""
        if isinstance(self._node, Mapping):
            return tuple((Value(key, self._problems), Value(node, self._problems)) for key, node in self._node.entries)
        raise self._unfit(Kind.TABLE.value)

    def attempt(self, read: Callable[["Value"], T]) -> "Field[T]":
        """Read this value, keeping a refusal inside the field that is returned."""
        try:
            return Field((read(self),))
        except _Refused:
            return Field(())

    def _unfit(self, expected: str) -> _Refused:
        """Note that this is not what was expected, unless it was reported when it was parsed."""
        node = self._node
        if not isinstance(node, Scalar):
            self.complain(f"expected {expected}, not {self.kind.value}", f"write {expected}")
        elif node.kind is Kind.EMPTY:
            self.complain(f"expected {expected}, and the value is empty", f"write {expected}, or remove the field")
        elif node.kind is not Kind.FAULTY and expected == Kind.TEXT.value:
            self.complain(f"expected text, and {node.text} is {node.kind.value}", f'write it in quotes: "{node.text}"')
        elif node.kind is not Kind.FAULTY:
            self.complain(f"expected {expected}, not {quoted(node.text)}", f"write {expected}")
        return _Refused()


class Field(Generic[T_co]):
    """What asking for a field gave: its value, or the knowledge that the field was reported as faulty."""

    __slots__ = ("_values",)

    def __init__(self, values: tuple[T_co, ...]) -> None:
        self._values = values

    @classmethod
    def of(cls, read: Callable[[], T_co]) -> "Field[T_co]":
        """Call `read`, and keep what it gives or that it was refused."""
        try:
            return cls((read(),))
        except _Refused:
            return cls(())

    @property
    def is_sound(self) -> bool:
        """Tell whether there is a value to take."""
        return bool(self._values)

    @property
    def value(self) -> T_co:
        """The value. Taking that of a faulty field leaves the part that holds it: ask for every field before."""
        if not self._values:
            raise _Refused
        return self._values[0]


class Table:
    """A table whose fields are asked for by name. A field that nobody asks for is a fault.

    Ask for every field before the value of any is taken: what follows a faulty field's value is not reached, and a
    field that was not asked for by then is reported as unknown.
    """

    __slots__ = ("_known", "_unread", "value")

    def __init__(self, value: Value) -> None:
        self.value = value
        self._unread = {key.scalar(Kind.TEXT): (key, node) for key, node in value.entries()}
        self._known: list[str] = []

    def required(self, name: str, read: Callable[[Value], T]) -> Field[T]:
        """Ask for a field that must be there."""
        self._known.append(name)
        if name not in self._unread:
            return Field.of(lambda: self.value.refuse(f"the field '{name}' is missing", f"add '{name}:' here"))
        return self._unread.pop(name)[1].attempt(read)

    def optional(self, name: str, read: Callable[[Value], T], *, default: D) -> Field[T | D]:
        """Ask for a field that may be left out; `default` is what it is then."""
        self._known.append(name)
        if name not in self._unread:
            return Field((default,))
        return self._unread.pop(name)[1].attempt(read)

    def given(self, read: Callable[[str, Value], T]) -> tuple[Field[T], ...]:
        """Ask for all fields that are left, whatever their names: `read` gets the name and the value."""
        left, self._unread = self._unread, {}
        return tuple(Field.of(partial(read, name, value)) for name, (_, value) in left.items())

    def close(self) -> None:
        """Report every field that nobody asked for."""
        for name, (key, _) in self._unread.items():
            known = f"the fields here are {', '.join(self._known)}" if self._known else "no field is known here"
            guess = nearest(name, self._known)
            mend = f"did you mean '{guess}'? {known}" if guess else f"remove it; {known}"
            key.complain(f"unknown field {quoted(name)}", mend)
        self._unread = {}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that `name` most likely was meant to be, if any is near. The case of letters is ignored."""
    folded = {option.lower(): option for option in sorted(known)}
    found = difflib.get_close_matches(name.lower(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None
