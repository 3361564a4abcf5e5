"""Parsing `evidence:`: what a release waits for, and what of a person a record holds."""

from extproc.core.evidence import ReleaseMode, SealedField
from extproc.core.ids import DataClass
from extproc.policy.document import DurabilityRules, EvidenceEntry
from extproc.policy.parse.identity import Classes
from extproc.policy.parse.scalars import parse_claim
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.strict_yaml import Field, Reader, Table, Value, choice, entries_of, list_of, parsed, table_of


def evidence(vocabulary: Vocabulary, listed: Field[Classes]) -> Reader[EvidenceEntry]:
    """Make the reader of `evidence:`. It comes after `classes:`, which says which of them are unregulated."""

    def read(table: Table) -> EvidenceEntry:
        durability = table.optional("durability", _durability(vocabulary, listed), default=DurabilityRules())
        subject = table.optional("subject", table_of(_claim), default=None)
        sealed = table.optional("sealed", list_of(_sealed(subject), minimum=1), default=())
        return EvidenceEntry(
            durability=durability.value, subject=subject.value, sealed=tuple(sorted(set(sealed.value)))
        )

    return table_of(read)


def _durability(vocabulary: Vocabulary, listed: Field[Classes]) -> Reader[DurabilityRules]:
    # Where the classes are faulty, they are given the benefit of the doubt: one fault brings no report of another.
    free = frozenset(listed.value.unregulated if listed.is_sound else vocabulary.classes)

    def read(table: Table) -> DurabilityRules:
        default = table.optional("default", _lasting, default=None)

        def of_class(name: DataClass, value: Value) -> ReleaseMode:
            mode = choice(ReleaseMode)(value)
            if name in free:
                return mode
            if mode is ReleaseMode.OBSERVE:
                value.refuse(
                    f"the class '{name}' is regulated, and observe may lose its records",
                    "write page or fsync, or mark the class 'unregulated: true'",
                )
            floor = default.value if default.is_sound else None
            if floor is not None and mode.strictness < floor.strictness:
                value.refuse(
                    f"the class '{name}' is regulated, so the default {floor.value} counts for it all the same",
                    "remove this entry, or mark the class 'unregulated: true'",
                )
            return mode

        classes = table.optional("classes", entries_of(vocabulary.data_class, of_class, minimum=1), default=None)
        models = table.optional(
            "models", entries_of(vocabulary.model, lambda _, value: _lasting(value), minimum=1), default=None
        )
        return DurabilityRules(default=default.value, classes=classes.value or {}, models=models.value or {})

    return table_of(read)


def _lasting(value: Value) -> ReleaseMode:
    """Read a mode that loses nothing: what is not about one unregulated class holds for regulated ones too."""
    mode = choice(ReleaseMode)(value)
    if mode is ReleaseMode.OBSERVE:
        value.refuse(
            "observe may lose records, so only an unregulated class can have it",
            "write page or fsync here, and observe under 'classes:' for a class with 'unregulated: true'",
        )
    return mode


def _claim(table: Table) -> str:
    return table.required("claim", parsed(parse_claim)).value


def _sealed(subject: Field[str | None]) -> Reader[SealedField]:
    def read(value: Value) -> SealedField:
        field = choice(SealedField)(value)
        if field is SealedField.SUBJECT and subject.is_sound and subject.value is None:
            value.refuse("no claim says who the subject is", "add 'subject: {claim: sub}', or remove this")
        return field

    return read
