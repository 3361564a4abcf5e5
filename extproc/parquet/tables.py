"""The tables and their columns: what each holds, in which type, and where it comes from. The manual of the layout."""

from types import MappingProxyType
from typing import Final

from extproc.parquet.decision_columns import DECISION_OWN, DECISION_SHARED
from extproc.parquet.schema import (
    Table,
    bool_column,
    float_column,
    int_column,
    structs_column,
    text_column,
    texts_column,
    time_column,
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
        text_column("decision", "the decision's id; null where the request bore none"),
        structs_column(
            "attempts",
            "every attempt: a region that failed a request has received its data too",
            text_column("cluster", "Envoy cluster"),
            text_column("region", "region; null where the cluster is no region's"),
            int_column("status", "HTTP status, 0 when none came"),
            time_column("began_at", "when it began"),
            float_column("duration_s", "how long it took, in seconds"),
            texts_column("flags", "Envoy's response flags"),
        ),
        int_column("attempts_expected", "Envoy's own count of attempts"),
        text_column("served", "region that served; null when none did"),
        int_column("status", "HTTP status of the response"),
        time_column("began_at", "when the request began"),
        float_column("duration_s", "how long it took, in seconds"),
        text_column("finding", "what the sidecar found; view reconciled works it out again"),
    ),
)
_TRANSFERS = Table(
    name="transfers",
    meaning="one row for each transfer that following a decision's plan may cause",
    columns=(
        text_column("decision", "id of the decision"),
        int_column("number", "counts the transfers of the decision from 0"),
        text_column("tenant", "tenant"),
        text_column("region", "region that receives the data"),
        text_column("exporter", "jurisdiction of the exporter; null where the policy names none"),
        text_column("importer", "country of the region"),
        text_column("regime", "regime under which it is a transfer"),
        text_column("permit", "id of the permit in that regime"),
        text_column("basis", "adequacy, safeguards or derogation"),
        text_column("mechanism", "mechanism that the tenant has declared"),
        text_column("cite", "where the law says so"),
        text_column("reference", "the tenant's own reference of the mechanism"),
    ),
)
_OVERRIDES = Table(
    name="overrides",
    meaning="legal orders that were pulled or released",
    columns=(
        text_column("action", "suspended or resumed"),
        text_column("id", "id of the order"),
        text_column("kind", "what it is about: region, permit or model"),
        text_column("name", "name of that in the policy"),
        text_column("reason", "the operator's own words"),
        time_column("from_at", "from when it holds"),
        time_column("until_at", "until when; null: until somebody resumes it"),
        texts_column("approved_by", "who approved it"),
        text_column("resumed_reason", "of resumed: the operator's own words; null where the file was changed by hand"),
        time_column("resumed_at", "of resumed: when they released it"),
        texts_column("resumed_by", "of resumed: who approved that"),
    ),
)
_CONFIGS = Table(
    name="configs",
    meaning="what decisions are made by from then on",
    columns=(
        text_column("config", "revision that decisions name"),
        text_column("policy", "id of the policy"),
        int_column("policy_version", "its version"),
        text_column("policy_revision", "its revision"),
        bool_column("policy_stored", "whether its canonical form is kept beside the log"),
        text_column("profile", "how far the policy may go at all"),
        text_column("shadow_policy", "id of the policy beside it"),
        int_column("shadow_version", "its version"),
        text_column("shadow_revision", "its revision"),
        text_column("program", "version of the deciding program"),
        text_column("ingress_region", "region in which sidecar and gateway stand"),
        text_column("geo", "SHA-256 of the geolocation database, in hex"),
        time_column("geo_built_at", "when that was built"),
        structs_column(
            "regions",
            "the region catalogue",
            text_column("region", "region"),
            text_column("country", "ISO 3166-1"),
            text_column("subdivision", "ISO 3166-2"),
            text_column("cluster", "Envoy cluster"),
            float_column("rtt_s", "declared round trip in seconds"),
        ),
    ),
)
_HEARTBEATS = Table(
    name="heartbeats",
    meaning="signs of life: a silence that is not signed is a hole",
    columns=(
        int_column("sequence", "number of the latest decision"),
        float_column("running_s", "seconds since the log began, by a clock that nobody sets"),
        int_column("free_bytes", "bytes left on the disk"),
    ),
)
_GAPS = Table(
    name="gaps",
    meaning="entries that could not be recorded",
    columns=(
        text_column("reason", "overflow or full"),
        int_column("entries", "how many"),
        time_column("first_at", "when the first was made"),
        time_column("last_at", "when the last was made"),
        int_column("released", "how many of them were decisions of mode observe, which were released"),
    ),
)
_ERASURES = Table(
    name="erasures",
    meaning="keys that were destroyed",
    columns=(
        text_column("scope", "subject or day"),
        text_column("tenant", "tenant"),
        texts_column("days", "days whose keys were destroyed"),
        texts_column("pseudonyms", "pseudonyms that became noise, in hex"),
        int_column("keys", "how many keys"),
        text_column("reason", "the operator's own words"),
        texts_column("approved_by", "who approved it"),
    ),
)
_PRUNES = Table(
    name="prunes",
    meaning="entries that were removed because their time was over",
    columns=(
        text_column("pruned", "origin of the log that was pruned"),
        int_column("end", "entries before this one went"),
        int_column("size", "size of that log"),
        text_column("root", "root of that log, in hex"),
        time_column("newest_at", "when the latest entry that went was made"),
        text_column("reason", "the operator's own words"),
        texts_column("approved_by", "who approved it"),
    ),
)
_HOLDS = Table(
    name="holds",
    meaning="evidence that must not be pruned",
    columns=(
        text_column("action", "placed or released"),
        text_column("id", "name of the matter"),
        text_column("held", "logs whose origin is this or lies below it"),
        time_column("from_at", "entries made from then on; null: all"),
        time_column("until_at", "entries made before then; null: all"),
        text_column("reason", "the operator's own words"),
        texts_column("approved_by", "who approved it"),
    ),
)
_DRILLS = Table(
    name="drills",
    meaning="failovers that were rehearsed",
    columns=(
        text_column("scenario", "what was rehearsed"),
        text_column("region", "region that was made to fail"),
        time_column("began_at", "when it began"),
        time_column("ended_at", "when it ended"),
        int_column("requests", "requests in it"),
        int_column("failed", "of these, how many failed"),
        int_column("outside_permitted", "of these, how many a region outside their permitted set received"),
        float_column("recovery_s", "seconds from the first failure to service; null where nothing failed"),
        bool_column("passed", "whether it passed"),
        text_column("report", "SHA-256 of its report, in hex"),
        float_column("rto_target_s", "what recovery_s is held to, in seconds; null where the policy states none"),
        int_column("records_lost", "decisions that were released and of which no record is left"),
        int_column("rpo_target", "what records_lost is held to; null where the policy states none"),
        text_column("policy_revision", "revision of the policy in force"),
        text_column("mode", "what it ran on: live or demo; null in records that do not say"),
    ),
)
_ACKNOWLEDGEMENTS = Table(
    name="acknowledgements",
    meaning="violations that somebody has looked at, and what they say; they stay violations",
    columns=(
        text_column("decision", "id of the decision; null where the request bore none"),
        text_column("violating", "origin of the log in which the violation stands"),
        int_column("entry", "its index there"),
        text_column("finding", "what was found"),
        text_column("reason", "the operator's own words"),
        texts_column("approved_by", "who has looked"),
    ),
)
_ROTATIONS = Table(
    name="rotations",
    meaning="changes of the signing key",
    columns=(
        text_column("delegation", "the note by which the old key delegates to the new one"),
        text_column("checkpoint", "the tree before it, signed by both"),
    ),
)
_LIFECYCLE = Table(
    name="lifecycle",
    meaning="how logs begin and end",
    columns=(
        text_column("event", "genesis, recovered or close"),
        text_column("durability", "of a genesis: what a release waits for"),
        text_column("program", "of a genesis: version of the writing program"),
        text_column("previous", "of a genesis: origin of the log before; null for the first on its disk"),
        text_column("previous_state", "of a genesis: closed, recovered or quarantined"),
        int_column("size", "of a genesis: size of the log before; of a recovery: entries found good"),
        text_column("root", "of a genesis: root of the log before, in hex"),
        int_column("cut", "of a recovery: bytes of a torn write that were cut"),
        text_column("reason", "of a genesis: why the log before was set aside; of a close: shutdown or recovery"),
    ),
)
_HEADS = Table(
    name="heads",
    meaning="checkpoints of other logs that this log, which is a witness, has seen",
    columns=(
        text_column("seen", "origin of the other log"),
        int_column("size", "its size"),
        text_column("root", "its root, in hex"),
        text_column("checkpoint", "the signed note"),
    ),
)
_MALFORMED = Table(
    name="malformed",
    meaning="entries that cannot be read: `situs audit verify` says what they mean",
    columns=(text_column("reason", "what is wrong"),),
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
            _ACKNOWLEDGEMENTS,
            _ROTATIONS,
            _LIFECYCLE,
            _HEADS,
            _MALFORMED,
        )
    }
)
