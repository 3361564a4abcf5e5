"""Parsing `class: {body: …}`: what is looked for in payloads."""

from collections.abc import Callable
from typing import Final

import re2

from extproc.core.payload import Detector, FieldRule, PatternRule
from extproc.policy.document import PayloadSignal
from extproc.policy.parse.regimes import unique
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.strict_yaml import (
    Reader,
    Table,
    UnfitError,
    entries_of,
    integer,
    list_of,
    parsed,
    table_of,
    text,
)

MAX_LIMIT_KIB: Final = 256
"""More would let one client hold up the others: the worst text takes about a sixth of a millisecond for each KiB."""
_LONGEST_PATTERN: Final = 1000
_PATTERN_MEMORY: Final = 1 << 20
"""Bytes that one compiled pattern may take: a bounded repetition of a large class can want hundreds of MiB."""


def payload(vocabulary: Vocabulary) -> Reader[PayloadSignal]:
    """Make the reader of `body:`."""
    classed = parsed(vocabulary.data_class)

    def field(table: Table) -> FieldRule:
        path = table.required("path", parsed(_parse_path))
        data_class = table.required("class", classed)
        return FieldRule(path=path.value, data_class=data_class.value)

    def value(table: Table) -> FieldRule:
        path = table.required("path", parsed(_parse_path))
        equals = table.required("equals", text)
        data_class = table.required("class", classed)
        return FieldRule(path=path.value, data_class=data_class.value, equals=equals.value)

    def pattern(ids: set[str]) -> Callable[[Table], PatternRule]:
        def read_pattern(table: Table) -> PatternRule:
            id_ = table.required("id", parsed(unique(ids, "pattern")))
            regex = table.required("regex", parsed(parse_pattern))
            data_class = table.required("class", classed)
            return PatternRule(id=id_.value, pattern=regex.value, data_class=data_class.value)

        return read_pattern

    def read(table: Table) -> PayloadSignal:
        limit_kib = table.required("limit_kib", integer(minimum=1, maximum=MAX_LIMIT_KIB))
        unreadable = table.required("unreadable", classed)
        fields = table.optional("fields", list_of(table_of(field), minimum=1), default=())
        values = table.optional("values", list_of(table_of(value), minimum=1), default=())
        detectors = table.optional(
            "detectors", entries_of(_parse_detector, lambda _, found: classed(found), minimum=1), default=None
        )
        patterns = table.optional("patterns", list_of(table_of(pattern(set())), minimum=1), default=())
        rules = (*fields.value, *values.value)
        if not (rules or detectors.value or patterns.value):
            table.value.refuse("nothing is looked for", "add 'fields:', 'values:', 'detectors:' or 'patterns:'")
        return PayloadSignal(
            limit_kib=limit_kib.value,
            unreadable=unreadable.value,
            fields=tuple(sorted(rules, key=lambda rule: (rule.path, rule.equals or "", rule.data_class))),
            detectors=detectors.value or {},
            patterns=tuple(sorted(patterns.value, key=lambda rule: rule.id)),
        )

    return table_of(read)


def parse_pattern(written: str) -> str:
    """Parse a regular expression of RE2, which takes time in proportion to the text, whatever the text is."""
    if len(written) > _LONGEST_PATTERN:
        raise UnfitError(f"the pattern has {len(written)} characters", f"write at most {_LONGEST_PATTERN}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY
    try:
        compiled = re2.compile(written, options)
        re2.compile(
            f"(?m:{written})", options
        )  # as it is used: what is open at its end (\\Q) would swallow the bracket
    except re2.error as error:
        reason = error.args[0] if error.args else "it does not parse"
        said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise UnfitError(f"no pattern of RE2: {said}", "write it in the syntax of RE2") from None
    if compiled.search("") is not None:
        raise UnfitError("the pattern matches the empty text, so every payload", "make it ask for something")
    return written


def _parse_path(written: str) -> tuple[str, ...]:
    parts = tuple(written.split("."))
    if not all(parts):
        raise UnfitError(f"'{written[:60]}' has an empty part", "write the names of fields with dots: subject.ssn")
    return parts


def _parse_detector(written: str) -> Detector:
    try:
        return Detector(written)
    except ValueError:
        known = ", ".join(detector.value for detector in Detector)
        raise UnfitError(f"'{written[:60]}' is no detector", f"write one of {known}") from None
