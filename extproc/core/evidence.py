"""What the policy says of evidence: what a release waits for, and what of a person a record holds under erasable keys.

Pure values and one rule. The keys are of :mod:`extproc.sealed`, the waiting is of :mod:`extproc.ledger.commit`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from extproc.core.ids import DataClass, ModelId
from extproc.core.jurisdiction import Verdict


class ReleaseMode(StrEnum):
    """What the release of a decision waits for, weakest last. The words stand in policies and in records."""

    FSYNC = "fsync"
    """The disk has its record."""

    PAGE = "page"
    """The kernel has its record, which survives the end of the process and not of the power."""

    OBSERVE = "observe"
    """Nothing. A record that finds no room is counted in a Gap."""

    @property
    def strictness(self) -> int:
        """Higher waits for more."""
        return _STRICTNESS[self]


_STRICTNESS: Final[Mapping[ReleaseMode, int]] = {
    ReleaseMode.OBSERVE: 0,
    ReleaseMode.PAGE: 1,
    ReleaseMode.FSYNC: 2,
}


class SealedField(StrEnum):
    """What a sealed block may hold."""

    SUBJECT = "subject"
    REQUEST_ID = "request_id"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The section `evidence:` of one policy, compiled.

    `default` is None where the policy leaves it to `situs serve --durability`. `unregulated` are the classes whose own
    entry may wait for less than the default. `subject_claim` is the verified claim that names the person; None where
    records hold no pseudonym.
    """

    default: ReleaseMode | None = None
    by_class: Mapping[DataClass, ReleaseMode] = field(default_factory=dict)
    by_model: Mapping[ModelId, ReleaseMode] = field(default_factory=dict)
    unregulated: frozenset[DataClass] = frozenset()
    subject_claim: str | None = None
    sealed: frozenset[SealedField] = frozenset()

    @property
    def has_modes(self) -> bool:
        """Tell whether the policy says what releases wait for; otherwise all wait for the same."""
        return self.default is not None or bool(self.by_class) or bool(self.by_model)

    @property
    def is_private(self) -> bool:
        """Tell whether records hold anything that points to a person, so that a key store is needed."""
        return self.subject_claim is not None or bool(self.sealed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Private:
    """What of a record points to the person concerned; noise without the keys of `day` ("2026-11-21", UTC).

    `pseudonym` and `request` are 16 bytes, `sealed` is a nonce and what it encrypts; each is empty where there is none.
    """

    day: str
    pseudonym: bytes = b""
    request: bytes = b""
    sealed: bytes = b""


def durability_of(
    evidence: Evidence, verdict: Verdict | None, model: ModelId | None, *, served: ReleaseMode
) -> ReleaseMode:
    """Give what the release of one decision waits for: the strictest of all that applies to its request.

    `served` is what `situs serve --durability` says; it counts where the policy has no default. The default applies to
    every class but an unregulated one with an entry of its own, so entries make a request with a regulated class wait
    for more, never for less. A request without a verdict has no known class: its default applies.
    """
    default = served if evidence.default is None else evidence.default
    if verdict is None:
        return default
    found = [_of_class(evidence, each, default) for each in verdict.classes] or [default]
    if model is not None and model in evidence.by_model:
        found.append(evidence.by_model[model])
    return max(found, key=_STRICTNESS.__getitem__)


def _of_class(evidence: Evidence, data_class: DataClass, default: ReleaseMode) -> ReleaseMode:
    own = evidence.by_class.get(data_class)
    if own is None:
        return default
    if data_class in evidence.unregulated:
        return own
    return max(own, default, key=_STRICTNESS.__getitem__)
