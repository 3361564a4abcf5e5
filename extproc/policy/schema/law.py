"""`regimes:` and `overrides:`."""

from extproc.core.overrides import TargetKind
from extproc.core.tables import Basis
from extproc.policy.document import (
    AllOf,
    AnyOf,
    ClassIn,
    ClassNot,
    ClassRule,
    Confidence,
    Destination,
    Effect,
    ExporterIn,
    ObligationEntry,
    OverrideEntry,
    PermitEntry,
    PolicyDocument,
    Regime,
    SubjectIn,
    TenantHas,
    TenantHasNot,
)
from extproc.policy.parse.overrides import LONGEST_NAME, LONGEST_REASON, MOST_APPROVERS
from extproc.policy.schema import names
from extproc.policy.schema.manual import manual_of
from extproc.policy.schema.shapes import Schema, described, entries, list_of, named, one_of, one_or_list_of, table, text

_MECHANISM = r"^tenant\.mechanisms\.[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"


def condition() -> Schema:
    """Shape the definition `condition`, which holds itself."""
    nested = list_of(named("condition"), minimum=1)
    ids = one_or_list_of(names.ID)
    return table(
        manual_of(Regime, "when"),
        optional={
            "subject_in": described(names.TERRITORY, manual_of(SubjectIn)),
            "exporter_in": described(names.TERRITORY, manual_of(ExporterIn)),
            "class_in": described(ids, manual_of(ClassIn)),
            "class_not": described(ids, manual_of(ClassNot)),
            "tenant_has": described(ids, manual_of(TenantHas)),
            "tenant_has_not": described(ids, manual_of(TenantHasNot)),
            "any": described(nested, manual_of(AnyOf)),
            "all": described(nested, manual_of(AllOf)),
        },
        minProperties=1,
    )


def regimes() -> Schema:
    """Shape `regimes:`."""
    rule = table(
        manual_of(ClassRule),
        {"only": described(list_of(names.ID), manual_of(ClassRule, "only"))},
        {"cite": described(text(), manual_of(ClassRule, "cite"))},
    )

    def said(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(Regime, field))

    regime = table(
        manual_of(Regime),
        {
            "id": said("id", names.ID),
            "when": said("when", named("condition")),
            "permits": said("permits", list_of(_permit())),
        },
        {
            "obligations": said("obligations", list_of(_obligation(), minimum=1)),
            "verified": said("verified", {"type": "boolean"}),
            "note": said("note", text()),
            "class": entries(manual_of(Regime, "class_rules"), names.ID, rule),
        },
    )
    return described(list_of(regime, minimum=1), manual_of(PolicyDocument, "regimes"))


def overrides() -> Schema:
    """Shape `overrides:`."""

    def said(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(OverrideEntry, field))

    bounded = {"type": "string", "pattern": r"\S", "maxLength": LONGEST_REASON}
    approver = {"type": "string", "pattern": r"\S", "maxLength": LONGEST_NAME}
    approvers = {**list_of(approver, minimum=1), "maxItems": MOST_APPROVERS, "uniqueItems": True}
    about = {"region": names.REGION, "permit": text(), "model": names.MODEL}
    entry = table(
        manual_of(OverrideEntry),
        {
            "id": said("id", names.ID),
            "effect": described(one_of(Effect), manual_of(Effect)),
            "reason": said("reason", bounded),
            "from": said("from_at", names.MOMENT),
            "approved_by": said("approved_by", approvers),
        },
        {
            **{kind.value: said("name", about[kind.value]) for kind in TargetKind},
            "until": said("until_at", names.MOMENT),
        },
        oneOf=[{"required": [kind.value]} for kind in TargetKind],
    )
    return described(list_of(entry), manual_of(PolicyDocument, "overrides"))


def _permit() -> Schema:
    def said(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(PermitEntry, field))

    return table(
        manual_of(PermitEntry),
        {
            "id": said("id", names.ID),
            "to": said("to", {"anyOf": [names.TERRITORY, _destination()]}),
            "basis": said("basis", one_of(Basis)),
            "cite": said("cite", text()),
        },
        {
            "as_of": said("as_of", names.DAY),
            "valid_from": said("valid_from", names.DAY),
            "valid_until": said("valid_until", names.DAY),
            "review_by": said("review_by", names.DAY),
            "confidence": said("confidence", one_of(Confidence)),
            "risk": said("risk", text()),
            "enabled_by": said("enabled_by", {"type": "string", "pattern": _MECHANISM}),
        },
    )


def _destination() -> Schema:
    within = manual_of(Destination, "within")
    places = {"zone": names.PLACE, "country": names.COUNTRY, "subdivision": names.SUBDIVISION, "in": names.TERRITORY}
    return table(
        manual_of(Destination),
        optional={
            **{name: described(shape, within) for name, shape in places.items()},
            "not_in": described(names.TERRITORY, manual_of(Destination, "not_in")),
            "operator_in": described(names.TERRITORY, manual_of(Destination, "operator_in")),
            "operator_not_in": described(names.TERRITORY, manual_of(Destination, "operator_not_in")),
            "cert": described(one_or_list_of(names.ID), manual_of(Destination, "certs")),
        },
        anyOf=[{"required": [name]} for name in places],
    )


def _obligation() -> Schema:
    def said(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(ObligationEntry, field))

    return table(
        manual_of(ObligationEntry),
        {
            "id": said("id", names.ID),
            "duty": said("duty", text()),
            "cite": described(text(), "The text of law it rests on."),
        },
        {"classes": said("classes", list_of(names.ID, minimum=1))},
    )
