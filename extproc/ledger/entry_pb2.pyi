from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Entry(_message.Message):
    __slots__ = ("at_s", "genesis", "config", "decision", "delivery", "override", "gap", "recovered", "close", "heartbeat", "rotation", "erasure", "prune", "hold", "drill", "head", "acknowledgement")
    AT_S_FIELD_NUMBER: _ClassVar[int]
    GENESIS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ROTATION_FIELD_NUMBER: _ClassVar[int]
    ERASURE_FIELD_NUMBER: _ClassVar[int]
    PRUNE_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    DRILL_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    at_s: float
    genesis: Genesis
    config: ConfigSnapshot
    decision: Decision
    delivery: Delivery
    override: Override
    gap: Gap
    recovered: Recovered
    close: Close
    heartbeat: Heartbeat
    rotation: KeyRotation
    erasure: Erasure
    prune: Prune
    hold: Hold
    drill: Drill
    head: Head
    acknowledgement: Acknowledgement
    def __init__(self, at_s: _Optional[float] = ..., genesis: _Optional[_Union[Genesis, _Mapping]] = ..., config: _Optional[_Union[ConfigSnapshot, _Mapping]] = ..., decision: _Optional[_Union[Decision, _Mapping]] = ..., delivery: _Optional[_Union[Delivery, _Mapping]] = ..., override: _Optional[_Union[Override, _Mapping]] = ..., gap: _Optional[_Union[Gap, _Mapping]] = ..., recovered: _Optional[_Union[Recovered, _Mapping]] = ..., close: _Optional[_Union[Close, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., rotation: _Optional[_Union[KeyRotation, _Mapping]] = ..., erasure: _Optional[_Union[Erasure, _Mapping]] = ..., prune: _Optional[_Union[Prune, _Mapping]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ..., drill: _Optional[_Union[Drill, _Mapping]] = ..., head: _Optional[_Union[Head, _Mapping]] = ..., acknowledgement: _Optional[_Union[Acknowledgement, _Mapping]] = ...) -> None: ...

class Genesis(_message.Message):
    __slots__ = ("origin", "durability", "program", "previous")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    origin: str
    durability: str
    program: str
    previous: Previous
    def __init__(self, origin: _Optional[str] = ..., durability: _Optional[str] = ..., program: _Optional[str] = ..., previous: _Optional[_Union[Previous, _Mapping]] = ...) -> None: ...

class Previous(_message.Message):
    __slots__ = ("origin", "size", "root", "state", "reason")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    origin: str
    size: int
    root: bytes
    state: str
    reason: str
    def __init__(self, origin: _Optional[str] = ..., size: _Optional[int] = ..., root: _Optional[bytes] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ConfigSnapshot(_message.Message):
    __slots__ = ("revision", "policy", "shadow", "program", "geo", "anonymity", "regions", "ingress_region")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    GEO_FIELD_NUMBER: _ClassVar[int]
    ANONYMITY_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    INGRESS_REGION_FIELD_NUMBER: _ClassVar[int]
    revision: str
    policy: Policy
    shadow: Policy
    program: str
    geo: GeoIdentity
    anonymity: GeoIdentity
    regions: _containers.RepeatedCompositeFieldContainer[Region]
    ingress_region: str
    def __init__(self, revision: _Optional[str] = ..., policy: _Optional[_Union[Policy, _Mapping]] = ..., shadow: _Optional[_Union[Policy, _Mapping]] = ..., program: _Optional[str] = ..., geo: _Optional[_Union[GeoIdentity, _Mapping]] = ..., anonymity: _Optional[_Union[GeoIdentity, _Mapping]] = ..., regions: _Optional[_Iterable[_Union[Region, _Mapping]]] = ..., ingress_region: _Optional[str] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("id", "version", "revision", "stored", "profile")
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    id: str
    version: int
    revision: str
    stored: bool
    profile: str
    def __init__(self, id: _Optional[str] = ..., version: _Optional[int] = ..., revision: _Optional[str] = ..., stored: _Optional[bool] = ..., profile: _Optional[str] = ...) -> None: ...

class GeoIdentity(_message.Message):
    __slots__ = ("sha256", "build_epoch", "type")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    BUILD_EPOCH_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    sha256: bytes
    build_epoch: int
    type: str
    def __init__(self, sha256: _Optional[bytes] = ..., build_epoch: _Optional[int] = ..., type: _Optional[str] = ...) -> None: ...

class Region(_message.Message):
    __slots__ = ("id", "country", "subdivision", "cluster", "rtt_s")
    ID_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    SUBDIVISION_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    RTT_S_FIELD_NUMBER: _ClassVar[int]
    id: str
    country: str
    subdivision: str
    cluster: str
    rtt_s: float
    def __init__(self, id: _Optional[str] = ..., country: _Optional[str] = ..., subdivision: _Optional[str] = ..., cluster: _Optional[str] = ..., rtt_s: _Optional[float] = ...) -> None: ...

class Suspension(_message.Message):
    __slots__ = ("id", "kind", "name", "reason", "from_s", "until_s", "approved_by")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FROM_S_FIELD_NUMBER: _ClassVar[int]
    UNTIL_S_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: str
    name: str
    reason: str
    from_s: float
    until_s: float
    approved_by: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., reason: _Optional[str] = ..., from_s: _Optional[float] = ..., until_s: _Optional[float] = ..., approved_by: _Optional[_Iterable[str]] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("id", "sequence", "config", "facts", "verdict", "shadow", "choice", "steer", "deny", "transfers", "permits", "durability", "private")
    ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    STEER_FIELD_NUMBER: _ClassVar[int]
    DENY_FIELD_NUMBER: _ClassVar[int]
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    PERMITS_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    sequence: int
    config: str
    facts: Facts
    verdict: Verdict
    shadow: Shadow
    choice: Choice
    steer: Steer
    deny: Deny
    transfers: _containers.RepeatedCompositeFieldContainer[Transfer]
    permits: _containers.RepeatedCompositeFieldContainer[Permit]
    durability: str
    private: Private
    def __init__(self, id: _Optional[bytes] = ..., sequence: _Optional[int] = ..., config: _Optional[str] = ..., facts: _Optional[_Union[Facts, _Mapping]] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ..., shadow: _Optional[_Union[Shadow, _Mapping]] = ..., choice: _Optional[_Union[Choice, _Mapping]] = ..., steer: _Optional[_Union[Steer, _Mapping]] = ..., deny: _Optional[_Union[Deny, _Mapping]] = ..., transfers: _Optional[_Iterable[_Union[Transfer, _Mapping]]] = ..., permits: _Optional[_Iterable[_Union[Permit, _Mapping]]] = ..., durability: _Optional[str] = ..., private: _Optional[_Union[Private, _Mapping]] = ...) -> None: ...

class Private(_message.Message):
    __slots__ = ("pseudonym", "request", "sealed", "day")
    PSEUDONYM_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    pseudonym: bytes
    request: bytes
    sealed: bytes
    day: str
    def __init__(self, pseudonym: _Optional[bytes] = ..., request: _Optional[bytes] = ..., sealed: _Optional[bytes] = ..., day: _Optional[str] = ...) -> None: ...

class SealedBlock(_message.Message):
    __slots__ = ("subject", "request_id", "address")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    subject: str
    request_id: str
    address: str
    def __init__(self, subject: _Optional[str] = ..., request_id: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class Facts(_message.Message):
    __slots__ = ("tenant", "binding", "model", "classes", "signals", "faults")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    BINDING_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    binding: str
    model: str
    classes: _containers.RepeatedCompositeFieldContainer[ClassSignal]
    signals: _containers.RepeatedCompositeFieldContainer[Signal]
    faults: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tenant: _Optional[str] = ..., binding: _Optional[str] = ..., model: _Optional[str] = ..., classes: _Optional[_Iterable[_Union[ClassSignal, _Mapping]]] = ..., signals: _Optional[_Iterable[_Union[Signal, _Mapping]]] = ..., faults: _Optional[_Iterable[str]] = ...) -> None: ...

class ClassSignal(_message.Message):
    __slots__ = ("source", "data_class", "detail")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DATA_CLASS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    source: str
    data_class: str
    detail: str
    def __init__(self, source: _Optional[str] = ..., data_class: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Signal(_message.Message):
    __slots__ = ("source", "tier", "jurisdiction", "detail")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    source: str
    tier: int
    jurisdiction: str
    detail: str
    def __init__(self, source: _Optional[str] = ..., tier: _Optional[int] = ..., jurisdiction: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("jurisdictions", "assumed", "classes", "regimes", "obligations", "ingress", "regions", "answers")
    JURISDICTIONS_FIELD_NUMBER: _ClassVar[int]
    ASSUMED_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    REGIMES_FIELD_NUMBER: _ClassVar[int]
    OBLIGATIONS_FIELD_NUMBER: _ClassVar[int]
    INGRESS_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    jurisdictions: _containers.RepeatedScalarFieldContainer[str]
    assumed: bool
    classes: _containers.RepeatedScalarFieldContainer[str]
    regimes: _containers.RepeatedScalarFieldContainer[str]
    obligations: _containers.RepeatedScalarFieldContainer[str]
    ingress: bool
    regions: _containers.RepeatedScalarFieldContainer[str]
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    def __init__(self, jurisdictions: _Optional[_Iterable[str]] = ..., assumed: _Optional[bool] = ..., classes: _Optional[_Iterable[str]] = ..., regimes: _Optional[_Iterable[str]] = ..., obligations: _Optional[_Iterable[str]] = ..., ingress: _Optional[bool] = ..., regions: _Optional[_Iterable[str]] = ..., answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("regions", "permits", "exclusion", "excluded_by")
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    PERMITS_FIELD_NUMBER: _ClassVar[int]
    EXCLUSION_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_BY_FIELD_NUMBER: _ClassVar[int]
    regions: _containers.RepeatedScalarFieldContainer[int]
    permits: _containers.RepeatedScalarFieldContainer[int]
    exclusion: str
    excluded_by: str
    def __init__(self, regions: _Optional[_Iterable[int]] = ..., permits: _Optional[_Iterable[int]] = ..., exclusion: _Optional[str] = ..., excluded_by: _Optional[str] = ...) -> None: ...

class Shadow(_message.Message):
    __slots__ = ("policy_revision", "facts", "verdict", "refusal")
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    policy_revision: str
    facts: Facts
    verdict: Verdict
    refusal: str
    def __init__(self, policy_revision: _Optional[str] = ..., facts: _Optional[_Union[Facts, _Mapping]] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ..., refusal: _Optional[str] = ...) -> None: ...

class Permit(_message.Message):
    __slots__ = ("regime", "id", "cite", "basis", "mechanism")
    REGIME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    CITE_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    MECHANISM_FIELD_NUMBER: _ClassVar[int]
    regime: str
    id: str
    cite: str
    basis: str
    mechanism: str
    def __init__(self, regime: _Optional[str] = ..., id: _Optional[str] = ..., cite: _Optional[str] = ..., basis: _Optional[str] = ..., mechanism: _Optional[str] = ...) -> None: ...

class Choice(_message.Message):
    __slots__ = ("plan", "estimates")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    ESTIMATES_FIELD_NUMBER: _ClassVar[int]
    plan: _containers.RepeatedScalarFieldContainer[int]
    estimates: _containers.RepeatedCompositeFieldContainer[Estimate]
    def __init__(self, plan: _Optional[_Iterable[int]] = ..., estimates: _Optional[_Iterable[_Union[Estimate, _Mapping]]] = ...) -> None: ...

class Estimate(_message.Message):
    __slots__ = ("region", "state", "latency_s", "age_s", "in_flight", "budget", "preference", "missing_slo")
    REGION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LATENCY_S_FIELD_NUMBER: _ClassVar[int]
    AGE_S_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    MISSING_SLO_FIELD_NUMBER: _ClassVar[int]
    region: int
    state: str
    latency_s: float
    age_s: float
    in_flight: int
    budget: int
    preference: int
    missing_slo: bool
    def __init__(self, region: _Optional[int] = ..., state: _Optional[str] = ..., latency_s: _Optional[float] = ..., age_s: _Optional[float] = ..., in_flight: _Optional[int] = ..., budget: _Optional[int] = ..., preference: _Optional[int] = ..., missing_slo: _Optional[bool] = ...) -> None: ...

class Steer(_message.Message):
    __slots__ = ("plan", "route")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    plan: _containers.RepeatedScalarFieldContainer[str]
    route: str
    def __init__(self, plan: _Optional[_Iterable[str]] = ..., route: _Optional[str] = ...) -> None: ...

class Deny(_message.Message):
    __slots__ = ("refusal", "retry_after_s", "redirect_host")
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_HOST_FIELD_NUMBER: _ClassVar[int]
    refusal: str
    retry_after_s: int
    redirect_host: str
    def __init__(self, refusal: _Optional[str] = ..., retry_after_s: _Optional[int] = ..., redirect_host: _Optional[str] = ...) -> None: ...

class Transfer(_message.Message):
    __slots__ = ("region", "importer", "exporter", "permit", "reference")
    REGION_FIELD_NUMBER: _ClassVar[int]
    IMPORTER_FIELD_NUMBER: _ClassVar[int]
    EXPORTER_FIELD_NUMBER: _ClassVar[int]
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    region: str
    importer: str
    exporter: str
    permit: int
    reference: str
    def __init__(self, region: _Optional[str] = ..., importer: _Optional[str] = ..., exporter: _Optional[str] = ..., permit: _Optional[int] = ..., reference: _Optional[str] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("decision", "attempts", "attempts_expected", "served", "status", "began_at_s", "duration_s", "finding")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_EXPECTED_FIELD_NUMBER: _ClassVar[int]
    SERVED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BEGAN_AT_S_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    decision: bytes
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    attempts_expected: int
    served: str
    status: int
    began_at_s: float
    duration_s: float
    finding: str
    def __init__(self, decision: _Optional[bytes] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., attempts_expected: _Optional[int] = ..., served: _Optional[str] = ..., status: _Optional[int] = ..., began_at_s: _Optional[float] = ..., duration_s: _Optional[float] = ..., finding: _Optional[str] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("cluster", "region", "status", "began_at_s", "duration_s", "flags")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BEGAN_AT_S_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    cluster: str
    region: str
    status: int
    began_at_s: float
    duration_s: float
    flags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cluster: _Optional[str] = ..., region: _Optional[str] = ..., status: _Optional[int] = ..., began_at_s: _Optional[float] = ..., duration_s: _Optional[float] = ..., flags: _Optional[_Iterable[str]] = ...) -> None: ...

class Override(_message.Message):
    __slots__ = ("action", "suspension", "resumption")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SUSPENSION_FIELD_NUMBER: _ClassVar[int]
    RESUMPTION_FIELD_NUMBER: _ClassVar[int]
    action: str
    suspension: Suspension
    resumption: Resumption
    def __init__(self, action: _Optional[str] = ..., suspension: _Optional[_Union[Suspension, _Mapping]] = ..., resumption: _Optional[_Union[Resumption, _Mapping]] = ...) -> None: ...

class Resumption(_message.Message):
    __slots__ = ("reason", "approved_by", "at_s")
    REASON_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    reason: str
    approved_by: _containers.RepeatedScalarFieldContainer[str]
    at_s: float
    def __init__(self, reason: _Optional[str] = ..., approved_by: _Optional[_Iterable[str]] = ..., at_s: _Optional[float] = ...) -> None: ...

class Gap(_message.Message):
    __slots__ = ("reason", "entries", "first_at_s", "last_at_s", "released")
    REASON_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    FIRST_AT_S_FIELD_NUMBER: _ClassVar[int]
    LAST_AT_S_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    reason: str
    entries: int
    first_at_s: float
    last_at_s: float
    released: int
    def __init__(self, reason: _Optional[str] = ..., entries: _Optional[int] = ..., first_at_s: _Optional[float] = ..., last_at_s: _Optional[float] = ..., released: _Optional[int] = ...) -> None: ...

class Recovered(_message.Message):
    __slots__ = ("size", "segment", "offset", "cut")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    size: int
    segment: str
    offset: int
    cut: int
    def __init__(self, size: _Optional[int] = ..., segment: _Optional[str] = ..., offset: _Optional[int] = ..., cut: _Optional[int] = ...) -> None: ...

class Close(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("sequence", "running_s", "free_bytes")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RUNNING_S_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    running_s: float
    free_bytes: int
    def __init__(self, sequence: _Optional[int] = ..., running_s: _Optional[float] = ..., free_bytes: _Optional[int] = ...) -> None: ...

class KeyRotation(_message.Message):
    __slots__ = ("delegation", "checkpoint")
    DELEGATION_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    delegation: bytes
    checkpoint: bytes
    def __init__(self, delegation: _Optional[bytes] = ..., checkpoint: _Optional[bytes] = ...) -> None: ...

class Erasure(_message.Message):
    __slots__ = ("scope", "tenant", "days", "pseudonyms", "keys", "reason", "approved_by")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    PSEUDONYMS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    scope: str
    tenant: str
    days: _containers.RepeatedScalarFieldContainer[str]
    pseudonyms: _containers.RepeatedScalarFieldContainer[bytes]
    keys: int
    reason: str
    approved_by: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, scope: _Optional[str] = ..., tenant: _Optional[str] = ..., days: _Optional[_Iterable[str]] = ..., pseudonyms: _Optional[_Iterable[bytes]] = ..., keys: _Optional[int] = ..., reason: _Optional[str] = ..., approved_by: _Optional[_Iterable[str]] = ...) -> None: ...

class Prune(_message.Message):
    __slots__ = ("origin", "end", "size", "root", "newest_at_s", "reason", "approved_by")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    NEWEST_AT_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    origin: str
    end: int
    size: int
    root: bytes
    newest_at_s: float
    reason: str
    approved_by: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, origin: _Optional[str] = ..., end: _Optional[int] = ..., size: _Optional[int] = ..., root: _Optional[bytes] = ..., newest_at_s: _Optional[float] = ..., reason: _Optional[str] = ..., approved_by: _Optional[_Iterable[str]] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("action", "id", "origin", "from_s", "until_s", "reason", "approved_by")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    FROM_S_FIELD_NUMBER: _ClassVar[int]
    UNTIL_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    action: str
    id: str
    origin: str
    from_s: float
    until_s: float
    reason: str
    approved_by: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, action: _Optional[str] = ..., id: _Optional[str] = ..., origin: _Optional[str] = ..., from_s: _Optional[float] = ..., until_s: _Optional[float] = ..., reason: _Optional[str] = ..., approved_by: _Optional[_Iterable[str]] = ...) -> None: ...

class Drill(_message.Message):
    __slots__ = ("scenario", "region", "began_at_s", "ended_at_s", "requests", "failed", "outside_permitted", "recovery_s", "passed", "report", "rto_target_s", "records_lost", "rpo_target", "policy_revision", "mode")
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    BEGAN_AT_S_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_S_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    OUTSIDE_PERMITTED_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_S_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    RTO_TARGET_S_FIELD_NUMBER: _ClassVar[int]
    RECORDS_LOST_FIELD_NUMBER: _ClassVar[int]
    RPO_TARGET_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    scenario: str
    region: str
    began_at_s: float
    ended_at_s: float
    requests: int
    failed: int
    outside_permitted: int
    recovery_s: float
    passed: bool
    report: bytes
    rto_target_s: float
    records_lost: int
    rpo_target: int
    policy_revision: str
    mode: str
    def __init__(self, scenario: _Optional[str] = ..., region: _Optional[str] = ..., began_at_s: _Optional[float] = ..., ended_at_s: _Optional[float] = ..., requests: _Optional[int] = ..., failed: _Optional[int] = ..., outside_permitted: _Optional[int] = ..., recovery_s: _Optional[float] = ..., passed: _Optional[bool] = ..., report: _Optional[bytes] = ..., rto_target_s: _Optional[float] = ..., records_lost: _Optional[int] = ..., rpo_target: _Optional[int] = ..., policy_revision: _Optional[str] = ..., mode: _Optional[str] = ...) -> None: ...

class Acknowledgement(_message.Message):
    __slots__ = ("decision", "origin", "index", "finding", "reason", "approved_by")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    decision: bytes
    origin: str
    index: int
    finding: str
    reason: str
    approved_by: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, decision: _Optional[bytes] = ..., origin: _Optional[str] = ..., index: _Optional[int] = ..., finding: _Optional[str] = ..., reason: _Optional[str] = ..., approved_by: _Optional[_Iterable[str]] = ...) -> None: ...

class Head(_message.Message):
    __slots__ = ("checkpoint",)
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    checkpoint: bytes
    def __init__(self, checkpoint: _Optional[bytes] = ...) -> None: ...
