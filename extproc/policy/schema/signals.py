"""`signals:`: what is read of a request."""

from extproc.core.facts import Source, Tier
from extproc.core.payload import Detector
from extproc.policy.document import (
    GeoipSignal,
    HeaderSignal,
    JwtSignal,
    PayloadSignal,
    Signals,
    TenantSignal,
)
from extproc.policy.parse.payload import MAX_LIMIT_KIB
from extproc.policy.parse.signals import MAX_AGE_DAYS
from extproc.policy.schema import names
from extproc.policy.schema.manual import manual_of
from extproc.policy.schema.shapes import Schema, described, entries, list_of, only, refused, table, text, whole

_REFUSED = "Only a verified signal may replace another, so this is refused."


def signals() -> Schema:
    """Shape `signals:`."""
    return table(
        manual_of(Signals),
        optional={
            "tenant": described(_tenant(), manual_of(TenantSignal)),
            "jwt": described(_jwt(), manual_of(JwtSignal)),
            "geoip": described(_geoip(), manual_of(GeoipSignal)),
            "header": described(_header(), manual_of(HeaderSignal)),
            "class": _class(),
        },
    )


def _tier(tier: Tier) -> Schema:
    return described(only(tier.value), "How far it is trusted: fixed, and written for the reader.")


def _may_replace(own: Source) -> Schema:
    return list_of({"enum": [each.value for each in (Source.JWT, Source.GEOIP, Source.HEADER) if each is not own]})


def _tenant() -> Schema:
    return table(
        manual_of(TenantSignal),
        optional={
            "tier": _tier(Tier.TENANT_BINDING),
            "may_replace": described(_may_replace(Source.TENANT), manual_of(TenantSignal, "may_replace")),
        },
    )


def _jwt() -> Schema:
    return table(
        manual_of(JwtSignal),
        {"claim": described(names.CLAIM, manual_of(JwtSignal, "claim"))},
        {
            "tier": _tier(Tier.VERIFIED_CLAIM),
            "may_replace": described(_may_replace(Source.JWT), manual_of(JwtSignal, "may_replace")),
        },
    )


def _geoip() -> Schema:
    def said(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(GeoipSignal, field))

    places = described(list_of(names.JURISDICTION, minimum=1), "All of them govern.")
    assumed = table("What an unknown address counts as.", {"assume": places})
    also: Schema = {"enum": ["registered", "represented"]}
    besides = f"{manual_of(GeoipSignal, 'registered')} {manual_of(GeoipSignal, 'represented')}"
    return table(
        manual_of(GeoipSignal),
        optional={
            "tier": _tier(Tier.TRUSTED_EDGE),
            "unknown": said("assume", {"anyOf": [only("deny"), assumed]}),
            "anonymous": said("locate_anonymous", {"enum": ["unknown", "locate"]}),
            "also": described(list_of(also, minimum=1), besides),
            "max_age_days": said("max_age_days", whole(1, MAX_AGE_DAYS)),
            "may_replace": refused(_REFUSED),
        },
    )


def _header() -> Schema:
    return table(
        manual_of(HeaderSignal),
        {"name": described(names.HEADER, manual_of(HeaderSignal, "name"))},
        {"tier": _tier(Tier.UNAUTHENTICATED), "may_replace": refused(_REFUSED)},
    )


def _class() -> Schema:
    return table(
        "What tells the class of a request beside its tenant's own.",
        optional={
            "header": described(names.HEADER, manual_of(Signals, "class_header")),
            "body": described(_body(), manual_of(Signals, "payload")),
        },
        minProperties=1,
    )


def _body() -> Schema:
    def said(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(PayloadSignal, field))

    path: Schema = {
        "type": "string",
        "pattern": r"^[^.]+(?:\.[^.]+)*$",
        "description": "Names with dots, from the top; * for any name or item.",
    }
    data_class = described(names.ID, "The class of such a payload.")
    rules: dict[str, Schema] = {
        "fields": said(
            "fields", list_of(table("A field whose presence tells.", {"path": path, "class": data_class}), minimum=1)
        ),
        "values": said(
            "fields",
            list_of(
                table(
                    "A field whose value tells.",
                    {"path": path, "equals": described(text(), "The value."), "class": data_class},
                ),
                minimum=1,
            ),
        ),
        "detectors": entries(
            manual_of(PayloadSignal, "detectors"),
            {"enum": [detector.value for detector in Detector]},
            data_class,
            minProperties=1,
        ),
        "patterns": said(
            "patterns",
            list_of(
                table(
                    "A pattern that tells wherever it matches.",
                    {
                        "id": described(names.ID, "Stands in records."),
                        "regex": described(text(), "In the syntax of RE2."),
                        "class": data_class,
                    },
                ),
                minimum=1,
            ),
        ),
    }
    return table(
        manual_of(PayloadSignal),
        {
            "limit_kib": said("limit_kib", whole(1, MAX_LIMIT_KIB)),
            "unreadable": said("unreadable", names.ID),
        },
        rules,
        anyOf=[{"required": [name]} for name in rules],
    )
