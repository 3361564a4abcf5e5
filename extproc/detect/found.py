"""What a payload was found to be, and by which rule."""

from dataclasses import dataclass
from enum import StrEnum

from extproc.core.ids import DataClass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Found:
    """The payload is of this class, by a rule that the policy's own words name, or by a reason of :class:`Unreadable`.

    `by` is `field:PATH`, `value:PATH`, `detector:NAME`, `pattern:ID` or `unreadable:REASON`.
    Of one policy that is a closed set.
    """

    data_class: DataClass
    by: str


class Unreadable(StrEnum):
    """Why a payload could not be looked at as a whole."""

    PARTIAL = "partial"
    """It is longer than what the policy looks at."""

    ENCODED = "encoded"
    """It has a content coding, such as gzip."""

    NOT_JSON = "not_json"
    """It is something else than one JSON document: binary tensors, a form, text."""

    TOO_DEEP = "too_deep"
    """Its values are nested deeper than any inference request."""

    FAULT = "fault"
    """This program stumbled over it."""

    TOO_MANY = "too_many"
    """It has more values, or more that look like numbers of persons, than can be looked at in reasonable time."""
