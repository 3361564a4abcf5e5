"""By which of its conditions a regime governs, as sentences."""

from collections.abc import Iterator

from extproc.core.ids import Jurisdiction
from extproc.policy.compile.day import RulesOfDay, Situation
from extproc.policy.document import (
    AllOf,
    AnyOf,
    ClassIn,
    ClassNot,
    Condition,
    ExporterIn,
    SubjectIn,
    TenantHas,
    TenantHasNot,
    Territory,
)
from extproc.review.words import joined, place_in_words, territory_in_words


def reasons_of(condition: Condition, situation: Situation, rules: RulesOfDay) -> Iterator[str]:
    """Say by which parts a condition holds; those that do not are left out."""
    if not rules.holds(condition, situation):
        return
    match condition:
        case SubjectIn():
            yield f"the request is claimed for {_place_within(situation.subject, condition.subject_in, rules)}"
        case ExporterIn():
            place = _place_within(Jurisdiction(situation.exporter), condition.exporter_in, rules)
            yield f"the exporter is established in {place}"
        case ClassIn():
            yield f"the data is of the class {situation.data_class}"
        case ClassNot():
            yield f"the data is of the class {situation.data_class} (not {joined(condition.class_not, last='or')})"
        case TenantHas():
            held = sorted(situation.attributes & set(condition.tenant_has))
            yield f"the tenant has the attribute {joined(held)}"
        case TenantHasNot():
            yield f"the tenant has not the attribute {joined(condition.tenant_has_not, last='or')}"
        case AnyOf(any=parts) | AllOf(all=parts):
            # Whose data it is comes before what data it is, however the policy orders them.
            for part in sorted(parts, key=lambda each: isinstance(each, ClassIn | ClassNot)):
                yield from reasons_of(part, situation, rules)


def _place_within(place: Jurisdiction, territory: Territory, rules: RulesOfDay) -> str:
    """Name a place, and the zones of a territory that hold it where the territory does not name it itself."""
    if place in territory or place[:2] in territory:
        return place_in_words(place)
    holding = tuple(name for name in territory if rules.contains((name,), place))
    return f"{place_in_words(place)} ({territory_in_words(holding, rules.document, last='and')})"
