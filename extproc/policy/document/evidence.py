"""`evidence:`: what the release of a decision waits for, and what of a person its record holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from extproc.core.evidence import ReleaseMode, SealedField
from extproc.core.ids import DataClass, ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class DurabilityRules:
    """`durability:` what the release of a decision waits for; the strictest of all that applies to a request counts.

    `fsync`: its record is on the disk, under a signed head. `page`: the kernel has the record, which survives the end
    of the process and not of the power. `observe`: nothing; a record that finds no room is counted in a Gap.
    """

    default: ReleaseMode | None = None
    """`fsync` or `page`, for every class without an entry of its own. It is a floor for regulated classes: their
    entries, and those of models, only make a request wait for more. Default: what `situs serve --durability` says."""

    classes: Mapping[DataClass, ReleaseMode] = field(default_factory=dict)
    """By data class. Only a class that is marked `unregulated` may wait for less than the default, and only such a one
    may be `observe`. Default: no class has an entry."""

    models: Mapping[ModelId, ReleaseMode] = field(default_factory=dict)
    """By model, `fsync` or `page`: the least that every request to it waits for. Default: no model has an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceEntry:
    """`evidence:` how decisions are recorded."""

    durability: DurabilityRules = field(default_factory=DurabilityRules)
    """Default: every decision waits for what `situs serve --durability` says."""

    subject: str | None = None
    """`subject: {claim: NAME}`: the verified token's claim that names the person, such as `sub`. Records then bear a
    pseudonym that is another each day and that `situs audit erase` makes noise. Default: none, and records point to
    nobody."""

    sealed: tuple[SealedField, ...] = ()
    """What a sealed block beside the decision holds, sorted: `subject`, `request_id` (Envoy's `x-request-id`),
    `address`. It is encrypted under a key that is kept apart from the log and that `situs audit erase` destroys. With
    `request_id` the record can also be found by that id. Default: nothing is sealed."""
