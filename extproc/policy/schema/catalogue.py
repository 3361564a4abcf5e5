"""`zones:`, `regions:`, `models:`, `policy:`, `ingress:`, `classes:` and `deployment:`."""

from extproc.core.tables import OnMismatch, Pattern, Profile
from extproc.policy.document import (
    Deployment,
    Identity,
    Ingress,
    ModelEntry,
    Need,
    Operator,
    PolicyDocument,
    RecoveryTarget,
    RegionEntry,
    ServedModel,
    Shard,
    Zone,
    ZoneMember,
)
from extproc.policy.parse.catalogue import MAX_RTT_MS
from extproc.policy.parse.deployment import MAX_WEIGHT
from extproc.policy.parse.identity import MAX_TRUSTED_HOPS
from extproc.policy.parse.service import (
    MAX_AGE_S,
    MAX_IN_FLIGHT,
    MAX_LATENCY_MS,
    MAX_RPO_RECORDS,
    MAX_RTO_S,
    MIN_AGE_S,
    MIN_LATENCY_MS,
    MIN_RTO_S,
)
from extproc.policy.schema import names
from extproc.policy.schema.manual import manual_of
from extproc.policy.schema.shapes import (
    Schema,
    described,
    entries,
    list_of,
    one_of,
    only,
    refused,
    table,
    text,
    whole,
)


def identity() -> Schema:
    """Shape `policy:`."""
    shapes = {
        "id": names.ID,
        "version": whole(1),
        "as_of": names.DAY,
        "review_by": names.DAY,
        "profile": one_of(Profile),
    }
    return table(manual_of(Identity), {name: described(of, manual_of(Identity, name)) for name, of in shapes.items()})


def ingress() -> Schema:
    """Shape `ingress:`."""
    hops = table(
        "Proxies of your own stand in front.", {"trusted_hops": described(whole(1, MAX_TRUSTED_HOPS), "How many.")}
    )
    hosts = manual_of(Ingress, "redirect_hosts")
    return table(
        manual_of(Ingress),
        {
            "region": described(names.REGION, manual_of(Ingress, "region")),
            "edge": {"anyOf": [only("direct"), hops], "description": manual_of(Ingress, "trusted_hops")},
        },
        {
            "on_mismatch": described(one_of(OnMismatch), manual_of(Ingress, "on_mismatch")),
            "redirect_hosts": entries(hosts, names.PLACE, names.HOST, minProperties=1),
        },
    )


def classes() -> Schema:
    """Shape `classes:`, a list or a table."""
    marked: Schema = {"type": "boolean", "description": manual_of(PolicyDocument, "unregulated")}
    entry = table("What holds for the class.", optional={"unregulated": marked})
    return {
        "anyOf": [
            {**list_of(names.ID, minimum=1), "uniqueItems": True},
            entries("Classes with what holds for each.", names.ID, entry, minProperties=1),
        ],
        "description": manual_of(PolicyDocument, "classes"),
    }


def zones() -> Schema:
    """Shape `zones:`."""
    optional = {
        "country": described(names.COUNTRY, manual_of(ZoneMember, "code")),
        "subdivision": described(names.SUBDIVISION, manual_of(ZoneMember, "code")),
        "cite": described(text(), manual_of(ZoneMember, "cite")),
        "valid_from": described(names.DAY, manual_of(ZoneMember, "valid_from")),
        "valid_until": described(names.DAY, manual_of(ZoneMember, "valid_until")),
    }
    either = [{"required": ["country"]}, {"required": ["subdivision"]}]
    member = table(manual_of(ZoneMember), optional=optional, oneOf=either)
    members = list_of({"anyOf": [names.JURISDICTION, member]}, minimum=1)
    zone: Schema = {"anyOf": [described(only("builtin"), manual_of(Zone, "members")), members]}
    return entries(manual_of(Zone), names.ZONE, described(zone, manual_of(Zone)))


def regions() -> Schema:
    """Shape `regions:`."""

    def said(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(RegionEntry, field))

    operator = table(
        manual_of(Operator),
        {
            "name": described(text(), "Its name, for people."),
            "hq": described(names.COUNTRY, manual_of(Operator, "hq")),
        },
        {"admin_from": described(list_of(names.COUNTRY, minimum=1), manual_of(Operator, "admin_from"))},
    )
    served = table(
        manual_of(ServedModel),
        optional={
            "version": described(text(), manual_of(ServedModel, "version")),
            "digest": described(names.DIGEST, manual_of(ServedModel, "digest")),
            "slo_ms": described(_number(MIN_LATENCY_MS, MAX_LATENCY_MS), manual_of(ServedModel, "slo_ms")),
        },
    )
    region = table(
        manual_of(RegionEntry),
        {
            "country": said("country", names.COUNTRY),
            "models": entries(manual_of(RegionEntry, "models"), names.MODEL, served),
        },
        {
            "subdivision": said("subdivision", names.SUBDIVISION),
            "operator": said("operator", operator),
            "certs": said("certs", list_of(names.ID)),
            "cluster": said("cluster", names.CLUSTER),
            "rtt_ms": said("rtt_ms", _number(0, MAX_RTT_MS)),
            "capacity": said("capacity", whole(1, MAX_IN_FLIGHT)),
            "quota": said("quota", whole(1, MAX_IN_FLIGHT)),
            "slo_ms": said("slo_ms", _number(MIN_LATENCY_MS, MAX_LATENCY_MS)),
            "needs": entries(manual_of(RegionEntry, "needs"), names.ID, _need(), minProperties=1),
            "recovery": said("recovery", _recovery()),
        },
    )
    return entries(manual_of(PolicyDocument, "regions"), names.REGION, region, minProperties=1)


def _number(minimum: float, maximum: float) -> Schema:
    return {"type": "number", "minimum": minimum, "maximum": maximum}


def _need() -> Schema:
    age = described(_number(MIN_AGE_S, MAX_AGE_S), manual_of(Need, "max_age_s"))
    return table(manual_of(Need), {"max_age_s": age})


def _recovery() -> Schema:
    rpo = described(whole(0, MAX_RPO_RECORDS), manual_of(RecoveryTarget, "rpo_records"))
    rto = described(_number(MIN_RTO_S, MAX_RTO_S), manual_of(RecoveryTarget, "rto_s"))
    return table(manual_of(RecoveryTarget), {"rto_s": rto}, {"rpo_records": rpo})


def models() -> Schema:
    """Shape `models:`."""
    entry = table(
        manual_of(ModelEntry),
        optional={
            "resident_in": described(names.TERRITORY, manual_of(ModelEntry, "resident_in")),
            "cite": described(text(), manual_of(ModelEntry, "cite")),
            "class": described(names.ID, manual_of(ModelEntry, "data_class")),
        },
        dependentRequired={"resident_in": ["cite"]},
    )
    return entries(manual_of(PolicyDocument, "models"), names.MODEL, entry)


def deployment() -> Schema:
    """Shape `deployment:`."""
    shard = table(
        manual_of(Shard),
        {
            "subjects": described(names.TERRITORY, "Whose data."),
            "region": described(names.REGION, "The region that serves it."),
        },
    )
    shapes = {
        "active": list_of(names.PATTERN, minimum=1),
        "shards": list_of(shard, minimum=1),
        "hubs": list_of(names.REGION, minimum=1),
    }
    wanted = {Pattern.ACTIVE_PASSIVE: "active", Pattern.REGIONAL_SHARDING: "shards", Pattern.HUB_AND_SPOKE: "hubs"}
    asked = [
        {
            "if": {"properties": {"pattern": only(pattern.value)}},
            "then": {"required": [field], "properties": {other: {"not": {}} for other in shapes if other != field}},
        }
        for pattern, field in wanted.items()
    ]
    none = {
        "if": {"properties": {"pattern": only(Pattern.ACTIVE_ACTIVE.value)}},
        "then": {"properties": {name: refused(f"{name} means nothing to active-active") for name in shapes}},
    }
    return table(
        manual_of(Deployment),
        {"pattern": described(one_of(Pattern), manual_of(Deployment, "pattern"))},
        {
            **{name: described(shape, manual_of(Deployment, name)) for name, shape in shapes.items()},
            "drain": described(list_of(names.PATTERN, minimum=1), manual_of(Deployment, "drain")),
            "weights": entries(manual_of(Deployment, "weights"), names.REGION, whole(0, MAX_WEIGHT), minProperties=1),
        },
        allOf=[*asked, none],
    )
