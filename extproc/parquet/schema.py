"""The tables and their columns: what each holds, in which type, and where it comes from. The manual of the layout.

Owns names, types and meanings, without any library. A column never changes its meaning within one version; a new
meaning takes a new name, and :data:`SCHEMA_VERSION` counts up when a column goes or changes its type.

Every table begins with the same columns (:data:`PLACE`), which tell where the record stands, and every table has the
column `date` by its folder: the day of `made_at` in UTC. Nothing is here that is not in the records.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

SCHEMA_VERSION: Final = 1


class Kind(StrEnum):
    """The type of a value."""

    TEXT = "text"
    INT = "bigint"
    FLOAT = "double"
    BOOL = "boolean"
    TIME = "timestamp"
    """To the microsecond, in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. With `many` it is a list of values; with `fields`, a list of structs of these."""

    name: str
    kind: Kind
    meaning: str
    many: bool = False
    fields: tuple["Column", ...] = ()

    @property
    def type(self) -> str:
        """The type as SQL writes it."""
        if self.fields:
            inner = ", ".join(f"{each.name} {each.type}" for each in self.fields)
            return f"struct({inner})[]"
        return f"{self.kind}[]" if self.many else str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: `columns` after those of :data:`PLACE`."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Every column but `date`, which is a folder's name."""
        return (*PLACE, *self.columns)


def _text(name: str, meaning: str) -> Column:
    return Column(name=name, kind=Kind.TEXT, meaning=meaning)


def _texts(name: str, meaning: str) -> Column:
    return Column(name=name, kind=Kind.TEXT, meaning=meaning, many=True)


def _int(name: str, meaning: str) -> Column:
    return Column(name=name, kind=Kind.INT, meaning=meaning)


def _float(name: str, meaning: str) -> Column:
    return Column(name=name, kind=Kind.FLOAT, meaning=meaning)


def _bool(name: str, meaning: str) -> Column:
    return Column(name=name, kind=Kind.BOOL, meaning=meaning)


def _time(name: str, meaning: str) -> Column:
    return Column(name=name, kind=Kind.TIME, meaning=meaning)


def _structs(name: str, meaning: str, *fields: Column) -> Column:
    return Column(name=name, kind=Kind.TEXT, meaning=meaning, many=True, fields=fields)


PLACE: Final = (
    _text("log", "folder of the log in the archive: <node>/<worker>/<incarnation>"),
    _text("origin", "name of the log, as in its checkpoints"),
    _int("index", "index of the entry in its log, from 0; with log it names the record"),
    _time("made_at", "when the entry was made, by the writer's clock; of a decision: when it was decided"),
    _text("leaf", "the entry's leaf hash in hex: SHA-256 of a zero byte and the stored bytes"),
)

DECISION_OWN: Final = (
    _text("decision", "id of the decision, a UUID"),
    _int("sequence", "counts the decisions of this log from 1, without holes"),
    _text("pseudonym", "tells which requests of a day are of one person, and not who; hex, null where none is kept"),
    _text("pseudonym_day", "the tenant's day whose keys were used"),
    _text("request", "keyed hash of Envoy's request id; hex"),
    _bool("sealed", "whether the record holds a sealed block"),
    _structs(
        "estimates",
        "what tier 2 believed of the permitted regions",
        _text("region", "region"),
        _text("state", "up, unknown or down"),
        _float("latency_s", "seconds; null where nothing was measured or declared"),
        _float("age_s", "seconds since it was seen; null where it never was"),
    ),
)
"""Columns of a decision that differ from one to the next; the others repeat, which the building makes use of."""

DECISION_SHARED: Final = (
    _text("config", "revision of the configuration in force (table configs)"),
    _text("policy", "id of the policy that decided; null where no record before describes the configuration"),
    _int("policy_version", "its version"),
    _text("policy_revision", "its revision: sha256: and the digest of its canonical form"),
    _text("program", "version of the deciding program"),
    _text("ingress_region", "region in which sidecar and gateway stand"),
    _text("tenant", "tenant; null where the request could be bound to none"),
    _text("binding", "by what the request was bound to its tenant: claim, spiffe, host, anonymous, none"),
    _text("model", "model; null where it is not known"),
    _texts("jurisdictions", "whose law claims the data: ISO 3166-1 or 3166-2"),
    _bool("assumed", "geolocation did not know, and the policy's assumption counts"),
    _texts("classes", "data classes under which it was judged, the tenant's own first"),
    _texts("regimes", "regimes that govern the request"),
    _texts("obligations", "duties of the exporter, each with its regime"),
    _bool("ingress", "whether the law permits the region in which the request arrived; null without a verdict"),
    _texts("permitted", "permitted regions"),
    _structs(
        "excluded",
        "excluded regions",
        _text("region", "region"),
        _text("reason", "reason code"),
        _text("by", "the regime or the override that removed it"),
    ),
    _texts("permits", "legal bases that the verdicts rest on: regime.permit"),
    _structs(
        "signals",
        "what was said of whose law claims the data",
        _text("source", "tenant, jwt, geoip, geoip_registered, geoip_represented, header"),
        _int("tier", "0 tenant binding, 1 verified claim, 2 trusted edge, 3 unauthenticated"),
        _text("jurisdiction", "null where the source was asked and does not know"),
        _text("detail", "a code that tells why"),
    ),
    _structs(
        "declared",
        "what was said of the class of the data, beside the tenant's and the model's own",
        _text("source", "header or payload"),
        _text("data_class", "class"),
        _text("detail", "the rule that told it"),
    ),
    _texts("faults", "what the edge found wrong with the request"),
    _text("outcome", "steer or deny"),
    _text("refusal", "reason code of a refusal"),
    _int("retry_after_s", "what a refused client is told to wait, in seconds"),
    _text("redirect_host", "where a refused client was sent"),
    _texts("plan", "regions in the order in which Envoy may try them"),
    _text("route", "Envoy cluster that stands for this plan"),
    _text("region", "the primary region: the first of the plan"),
    _bool("transfer", "whether following the plan may cause a transfer (table transfers)"),
    _text("shadow_policy", "revision of the policy that was evaluated beside it"),
    _text("shadow_refusal", "what that one would refuse the request for"),
    _texts("shadow_permitted", "what that one would permit; null where it defined no verdict"),
    _text("durability", "what the release waited for: fsync, page or observe"),
)

_DECISIONS = Table(
    name="decisions",
    meaning="one row for each decision, permission and refusal alike",
    columns=(*DECISION_OWN, *DECISION_SHARED),
)
_DELIVERIES = Table(
    name="deliveries",
    meaning="what Envoy really did with a request, by its own access log",
    columns=(
        _text("decision", "the decision's id; null where the request bore none"),
        _structs(
            "attempts",
            "every attempt: a region that failed a request has received its data too",
            _text("cluster", "Envoy cluster"),
            _text("region", "region; null where the cluster is no region's"),
            _int("status", "HTTP status, 0 when none came"),
            _time("began_at", "when it began"),
            _float("duration_s", "how long it took, in seconds"),
            _texts("flags", "Envoy's response flags"),
        ),
        _int("attempts_expected", "Envoy's own count of attempts"),
        _text("served", "region that served; null when none did"),
        _int("status", "HTTP status of the response"),
        _time("began_at", "when the request began"),
        _float("duration_s", "how long it took, in seconds"),
        _text("finding", "what the sidecar found; view reconciled works it out again"),
    ),
)
_TRANSFERS = Table(
    name="transfers",
    meaning="one row for each transfer that following a decision's plan may cause",
    columns=(
        _text("decision", "id of the decision"),
        _int("number", "counts the transfers of the decision from 0"),
        _text("tenant", "tenant"),
        _text("region", "region that receives the data"),
        _text("exporter", "jurisdiction of the exporter; null where the policy names none"),
        _text("importer", "country of the region"),
        _text("regime", "regime under which it is a transfer"),
        _text("permit", "id of the permit in that regime"),
        _text("basis", "adequacy, safeguards or derogation"),
        _text("mechanism", "mechanism that the tenant has declared"),
        _text("cite", "where the law says so"),
        _text("reference", "the tenant's own reference of the mechanism"),
    ),
)
_OVERRIDES = Table(
    name="overrides",
    meaning="legal orders that were pulled or released",
    columns=(
        _text("action", "suspended or resumed"),
        _text("id", "id of the order"),
        _text("kind", "what it is about: region, permit or model"),
        _text("name", "name of that in the policy"),
        _text("reason", "the operator's own words"),
        _time("from_at", "from when it holds"),
        _time("until_at", "until when; null: until somebody resumes it"),
        _texts("approved_by", "who approved it"),
    ),
)
_CONFIGS = Table(
    name="configs",
    meaning="what decisions are made by from then on",
    columns=(
        _text("config", "revision that decisions name"),
        _text("policy", "id of the policy"),
        _int("policy_version", "its version"),
        _text("policy_revision", "its revision"),
        _bool("policy_stored", "whether its canonical form is kept beside the log"),
        _text("profile", "how far the policy may go at all"),
        _text("shadow_policy", "id of the policy beside it"),
        _int("shadow_version", "its version"),
        _text("shadow_revision", "its revision"),
        _text("program", "version of the deciding program"),
        _text("ingress_region", "region in which sidecar and gateway stand"),
        _text("geo", "SHA-256 of the geolocation database, in hex"),
        _time("geo_built_at", "when that was built"),
        _structs(
            "regions",
            "the region catalogue",
            _text("region", "region"),
            _text("country", "ISO 3166-1"),
            _text("subdivision", "ISO 3166-2"),
            _text("cluster", "Envoy cluster"),
            _float("rtt_s", "declared round trip in seconds"),
        ),
    ),
)
_HEARTBEATS = Table(
    name="heartbeats",
    meaning="signs of life: a silence that is not signed is a hole",
    columns=(
        _int("sequence", "number of the latest decision"),
        _float("running_s", "seconds since the log began, by a clock that nobody sets"),
        _int("free_bytes", "bytes left on the disk"),
    ),
)
_GAPS = Table(
    name="gaps",
    meaning="entries that could not be recorded",
    columns=(
        _text("reason", "overflow or full"),
        _int("entries", "how many"),
        _time("first_at", "when the first was made"),
        _time("last_at", "when the last was made"),
        _int("released", "how many of them were decisions of mode observe, which were released"),
    ),
)
_ERASURES = Table(
    name="erasures",
    meaning="keys that were destroyed",
    columns=(
        _text("scope", "subject or day"),
        _text("tenant", "tenant"),
        _texts("days", "days whose keys were destroyed"),
        _texts("pseudonyms", "pseudonyms that became noise, in hex"),
        _int("keys", "how many keys"),
        _text("reason", "the operator's own words"),
        _texts("approved_by", "who approved it"),
    ),
)
_PRUNES = Table(
    name="prunes",
    meaning="entries that were removed because their time was over",
    columns=(
        _text("pruned", "origin of the log that was pruned"),
        _int("end", "entries before this one went"),
        _int("size", "size of that log"),
        _text("root", "root of that log, in hex"),
        _time("newest_at", "when the latest entry that went was made"),
        _text("reason", "the operator's own words"),
        _texts("approved_by", "who approved it"),
    ),
)
_HOLDS = Table(
    name="holds",
    meaning="evidence that must not be pruned",
    columns=(
        _text("action", "placed or released"),
        _text("id", "name of the matter"),
        _text("held", "logs whose origin is this or lies below it"),
        _time("from_at", "entries made from then on; null: all"),
        _time("until_at", "entries made before then; null: all"),
        _text("reason", "the operator's own words"),
        _texts("approved_by", "who approved it"),
    ),
)
_DRILLS = Table(
    name="drills",
    meaning="failovers that were rehearsed",
    columns=(
        _text("scenario", "what was rehearsed"),
        _text("region", "region that was made to fail"),
        _time("began_at", "when it began"),
        _time("ended_at", "when it ended"),
        _int("requests", "requests in it"),
        _int("failed", "of these, how many failed"),
        _int("outside_permitted", "of these, how many a region outside their permitted set received"),
        _float("recovery_s", "seconds from the first failure to service; null where nothing failed"),
        _bool("passed", "whether it passed"),
        _text("report", "SHA-256 of its report, in hex"),
    ),
)
_ROTATIONS = Table(
    name="rotations",
    meaning="changes of the signing key",
    columns=(
        _text("delegation", "the note by which the old key delegates to the new one"),
        _text("checkpoint", "the tree before it, signed by both"),
    ),
)
_LIFECYCLE = Table(
    name="lifecycle",
    meaning="how logs begin and end",
    columns=(
        _text("event", "genesis, recovered or close"),
        _text("durability", "of a genesis: what a release waits for"),
        _text("program", "of a genesis: version of the writing program"),
        _text("previous", "of a genesis: origin of the log before; null for the first on its disk"),
        _text("previous_state", "of a genesis: closed, recovered or quarantined"),
        _int("size", "of a genesis: size of the log before; of a recovery: entries found good"),
        _text("root", "of a genesis: root of the log before, in hex"),
        _int("cut", "of a recovery: bytes of a torn write that were cut"),
        _text("reason", "of a genesis: why the log before was set aside; of a close: shutdown or recovery"),
    ),
)
_HEADS = Table(
    name="heads",
    meaning="checkpoints of other logs that this log, which is a witness, has seen",
    columns=(
        _text("seen", "origin of the other log"),
        _int("size", "its size"),
        _text("root", "its root, in hex"),
        _text("checkpoint", "the signed note"),
    ),
)
_MALFORMED = Table(
    name="malformed",
    meaning="entries that cannot be read: `situs audit verify` says what they mean",
    columns=(_text("reason", "what is wrong"),),
)

TABLES: Final = MappingProxyType(
    {
        table.name: table
        for table in (
            _DECISIONS,
            _DELIVERIES,
            _TRANSFERS,
            _OVERRIDES,
            _CONFIGS,
            _HEARTBEATS,
            _GAPS,
            _ERASURES,
            _PRUNES,
            _HOLDS,
            _DRILLS,
            _ROTATIONS,
            _LIFECYCLE,
            _HEADS,
            _MALFORMED,
        )
    }
)
