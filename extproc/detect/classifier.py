"""The main path: a payload's bytes, read as the policy tells, to what it was found to be."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

from extproc.core.payload import Detector, PayloadReading
from extproc.detect.candidates import TooManyError
from extproc.detect.card import has_card
from extproc.detect.email import has_email
from extproc.detect.fields import FieldFinder
from extproc.detect.folding import fold
from extproc.detect.found import Found, Unreadable
from extproc.detect.iban import has_iban
from extproc.detect.national_id import has_national_id
from extproc.detect.patterns import PatternFinder
from extproc.detect.texts import texts_of

DETECTORS: Final[Mapping[Detector, Callable[[bytes], bool]]] = {
    Detector.EMAIL: has_email,
    Detector.IBAN: has_iban,
    Detector.CARD: has_card,
    Detector.NATIONAL_ID: has_national_id,
}
"""Each tells of UTF-8 text whether it holds such a thing."""


class Classifier:
    """Looks at payloads as one policy tells; immutable, replaced whole when the policy changes.

    Raises ValueError where a pattern of the policy is none; see :func:`extproc.detect.patterns.check_pattern`.
    """

    def __init__(self, reading: PayloadReading) -> None:
        self._limit = reading.limit_bytes
        self._unreadable = reading.unreadable
        self._fields = FieldFinder(reading.fields)
        self._patterns = PatternFinder(reading.patterns)
        self._detectors = tuple(
            (DETECTORS[detector], Found(data_class=data_class, by=f"detector:{detector.value}"))
            for detector, data_class in reading.detectors.items()
        )
        self.possible = frozenset(
            (
                *self._fields.possible,
                *self._patterns.possible,
                *(found for _, found in self._detectors),
                *map(self._cannot, Unreadable),
            )
        )
        """Everything that can be found by this policy: no other text leaves."""
        self.faults = 0
        """Payloads at which this program stumbled. Anything but 0 is a fault of its own; they count as unreadable."""

    def classify(self, body: bytes, *, complete: bool, encoded: bool) -> tuple[Found, ...]:
        """Give what the payload was found to be, sorted, each finding once; never raises.

        `complete` tells whether `body` is all of the payload, `encoded` whether it has a content coding. What cannot
        be read is found `unreadable`, and what can be told of its bytes as they are is found beside that.
        """
        try:
            return tuple(sorted(set(self._find(body, complete=complete, encoded=encoded))))
        except Exception:  # noqa: BLE001 - the request must be decided and recorded, whatever its payload does to us
            self.faults += 1
            return (self._cannot(Unreadable.FAULT),)

    def _find(self, body: bytes, *, complete: bool, encoded: bool) -> Iterator[Found]:
        # 1. What is no JSON document that is all there cannot be read.
        document, lacking = _parse(body, self._limit, complete=complete, encoded=encoded)

        # 2. The fields that the policy names.
        if document is not None:
            yield from self._fields.find(document)

        # 3. The texts in it, or the bytes as they are.
        if lacking is None:
            texts, lacking = texts_of(document)
        else:
            texts = []
        if lacking is not None:
            yield self._cannot(lacking)
            texts = [] if lacking is Unreadable.ENCODED else [body[: self._limit].decode(errors="replace")]

        # 4. What they show by their form. A text never goes on in the next one: no form crosses a line feed, but for
        #    the name of a field before its value.
        lines = "\n".join(texts)
        yield from self._patterns.find(texts, lines.encode())
        folded = fold(lines).encode()
        for has, found in self._detectors:
            try:
                if has(folded):
                    yield found
            except TooManyError:
                yield self._cannot(Unreadable.TOO_MANY)

    def _cannot(self, why: Unreadable) -> Found:
        return Found(data_class=self._unreadable, by=f"unreadable:{why.value}")


def _parse(body: bytes, limit: int, *, complete: bool, encoded: bool) -> tuple[Any, Unreadable | None]:
    """Give the document, None for nothing at all, and why there is none."""
    if encoded:
        return None, Unreadable.ENCODED
    if not complete or len(body) > limit:
        return None, Unreadable.PARTIAL
    if not body:
        return None, None
    try:
        return orjson.loads(body), None
    except orjson.JSONDecodeError as error:
        # The parser's own limit lies far beyond ours. Nothing of the error is kept: it holds the payload.
        is_deep = "depth" in error.msg or "ecursion" in error.msg  # its words, by version
        return None, Unreadable.TOO_DEEP if is_deep else Unreadable.NOT_JSON
