"""`evidence:`: how decisions are recorded."""

from typing import Final

from extproc.core.evidence import ReleaseMode, SealedField
from extproc.policy.document import DurabilityRules, EvidenceEntry
from extproc.policy.schema import names
from extproc.policy.schema.manual import manual_of
from extproc.policy.schema.shapes import Schema, described, entries, list_of, one_of, table

_LASTING: Final[Schema] = {"enum": [mode.value for mode in ReleaseMode if mode is not ReleaseMode.OBSERVE]}


def evidence() -> Schema:
    """Shape `evidence:`."""

    def said(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(EvidenceEntry, field))

    claim = table("Whose pseudonym.", {"claim": described(names.CLAIM, manual_of(EvidenceEntry, "subject"))})
    sealed = list_of(one_of(SealedField), minimum=1)
    shape = table(
        manual_of(EvidenceEntry),
        optional={
            "durability": said("durability", _durability()),
            "subject": said("subject", claim),
            "sealed": said("sealed", sealed),
        },
    )
    # Nobody's name can be sealed where no claim says it.
    seals = {"properties": {"sealed": {"contains": {"const": SealedField.SUBJECT.value}}}, "required": ["sealed"]}
    return {**shape, "if": seals, "then": {"required": ["subject"]}}


def _durability() -> Schema:
    def by(field: str, key: Schema, mode: Schema) -> Schema:
        return entries(manual_of(DurabilityRules, field), key, mode, minProperties=1)

    return table(
        manual_of(DurabilityRules),
        optional={
            "default": described(_LASTING, manual_of(DurabilityRules, "default")),
            "classes": by("classes", names.ID, one_of(ReleaseMode)),
            "models": by("models", names.MODEL, _LASTING),
        },
    )
