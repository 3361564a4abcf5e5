"""The names of places that rules write."""

from collections.abc import Iterator

from extproc.policy.document import AllOf, AnyOf, Condition, Destination, ExporterIn, SubjectIn


def named_by(condition: Condition) -> Iterator[str]:
    """List the names that a condition holds subjects or exporters against."""
    match condition:
        case SubjectIn(subject_in=names) | ExporterIn(exporter_in=names):
            yield from names
        case AnyOf(any=parts) | AllOf(all=parts):
            for part in parts:
                yield from named_by(part)
        case _:
            pass


def named_in(to: Destination) -> Iterator[str]:
    """List the names that a destination writes, for places and for operators."""
    for territory in (*to.within, to.not_in, to.operator_in or (), to.operator_not_in):
        yield from territory
