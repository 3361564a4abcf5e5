"""What a policy reads of a payload to tell its data class, as plain data.

How the payload is read is for :mod:`extproc.detect`; that whatever it finds can only narrow is for tier 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from extproc.core.ids import DataClass


class Detector(StrEnum):
    """What can be told of a text by its form alone."""

    EMAIL = "email"
    """An e-mail address."""

    IBAN = "iban"
    """An international bank account number, by its check digits (ISO 13616)."""

    CARD = "card"
    """A payment card's number, by its length, issuer range and check digit (ISO/IEC 7812)."""

    NATIONAL_ID = "national_id"
    """A number by which a state identifies a person, by the form and the check digits of that state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """The payload is of the class if the JSON field is there and not null, or, with `equals`, if it has that value.

    `path` holds the names from the top of the document to the field; `*` stands for any name or item.
    """

    path: tuple[str, ...]
    data_class: DataClass
    equals: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternRule:
    """The payload is of the class if a text in it matches the operator's pattern (RE2 syntax, anywhere in the text)."""

    id: str
    pattern: str
    data_class: DataClass


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadReading:
    """What is looked for in the first `limit_bytes` of a payload.

    `unreadable` is the class of a payload of which that is not all, or which is not JSON: what cannot be looked at is
    not taken for harmless.
    """

    limit_bytes: int
    unreadable: DataClass
    fields: tuple[FieldRule, ...] = ()
    detectors: Mapping[Detector, DataClass] = field(default_factory=dict)
    patterns: tuple[PatternRule, ...] = ()
