"""The columns of decisions: what differs from one to the next, and what repeats."""

from typing import Final

from extproc.parquet.schema import (
    bool_column,
    float_column,
    int_column,
    structs_column,
    text_column,
    texts_column,
)

DECISION_OWN: Final = (
    text_column("decision", "id of the decision, a UUID"),
    int_column("sequence", "counts the decisions of this log from 1, without holes"),
    text_column("pseudonym", "tells which requests of a day are of one person, not who; hex, null where none is kept"),
    text_column("pseudonym_day", "the tenant's day whose keys were used"),
    text_column("request", "keyed hash of Envoy's request id; hex"),
    bool_column("sealed", "whether the record holds a sealed block"),
    structs_column(
        "estimates",
        "what tier 2 believed of the permitted regions",
        text_column("region", "region"),
        text_column("state", "up, half_open, unknown or down"),
        float_column("latency_s", "seconds; null where nothing was measured or declared"),
        float_column("age_s", "seconds since it was seen; null where it never was"),
        int_column("in_flight", "requests that were in flight there; null where they could not be counted"),
        int_column("budget", "how many may be before the next region is used; null where nothing bounds it"),
        int_column(
            "preference", "rank for the request's session, 0 first; null where latency alone orders the regions"
        ),
        bool_column("missing_slo", "it keeps missing the latency that the policy promises"),
    ),
)
"""Columns of a decision that differ from one to the next; the others repeat, which the building makes use of."""

DECISION_SHARED: Final = (
    text_column("config", "revision of the configuration in force (table configs)"),
    text_column("policy", "id of the policy that decided; null where no record before describes the configuration"),
    int_column("policy_version", "its version"),
    text_column("policy_revision", "its revision: sha256: and the digest of its canonical form"),
    text_column("program", "version of the deciding program"),
    text_column("ingress_region", "region in which sidecar and gateway stand"),
    text_column("tenant", "tenant; null where the request could be bound to none"),
    text_column("binding", "by what the request was bound to its tenant: claim, spiffe, host, anonymous, none"),
    text_column("model", "model; null where it is not known"),
    texts_column("jurisdictions", "whose law claims the data: ISO 3166-1 or 3166-2"),
    bool_column("assumed", "geolocation did not know, and the policy's assumption counts"),
    texts_column("classes", "data classes under which it was judged, the tenant's own first"),
    texts_column("regimes", "regimes that govern the request"),
    texts_column("obligations", "duties of the exporter, each with its regime"),
    bool_column("ingress", "whether the law permits the region in which the request arrived; null without a verdict"),
    texts_column("permitted", "permitted regions"),
    structs_column(
        "excluded",
        "excluded regions",
        text_column("region", "region"),
        text_column("reason", "reason code"),
        text_column("by", "the regime or the override that removed it, or the dependency that is stale there"),
    ),
    texts_column("permits", "legal bases that the verdicts rest on: regime.permit"),
    structs_column(
        "signals",
        "what was said of whose law claims the data",
        text_column("source", "tenant, jwt, geoip, geoip_registered, geoip_represented, header"),
        int_column("tier", "0 tenant binding, 1 verified claim, 2 trusted edge, 3 unauthenticated"),
        text_column("jurisdiction", "null where the source was asked and does not know"),
        text_column("detail", "a code that tells why"),
    ),
    structs_column(
        "declared",
        "what was said of the class of the data, beside the tenant's and the model's own",
        text_column("source", "header or payload"),
        text_column("data_class", "class"),
        text_column("detail", "the rule that told it"),
    ),
    texts_column("faults", "what the edge found wrong with the request"),
    text_column("outcome", "steer or deny"),
    text_column("refusal", "reason code of a refusal"),
    int_column("retry_after_s", "what a refused client is told to wait, in seconds"),
    text_column("redirect_host", "where a refused client was sent"),
    texts_column("plan", "regions in the order in which Envoy may try them"),
    text_column("route", "Envoy cluster that stands for this plan"),
    text_column("region", "the primary region: the first of the plan"),
    bool_column("transfer", "whether following the plan may cause a transfer (table transfers)"),
    text_column("shadow_policy", "revision of the policy that was evaluated beside it"),
    text_column("shadow_refusal", "what that one would refuse the request for"),
    texts_column("shadow_permitted", "what that one would permit; null where it defined no verdict"),
    text_column("durability", "what the release waited for: fsync, page or observe"),
)
