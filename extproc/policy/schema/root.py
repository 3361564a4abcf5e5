"""The top of the schema."""

from extproc.core.tables import ConflictMode
from extproc.policy.document import API_VERSION, Identity, Ingress, PolicyDocument, Signals
from extproc.policy.parse.root import MAX_PLAN_LENGTH
from extproc.policy.schema import catalogue, evidence, law, names, parties, signals
from extproc.policy.schema.manual import manual_of
from extproc.policy.schema.names import definitions
from extproc.policy.schema.shapes import Schema, described, one_of, only, table, whole


def policy_schema() -> Schema:
    """Build the schema of a policy, which any validator of draft 2020-12 reads."""

    def said(field: str, shape: Schema) -> Schema:
        return described(shape, manual_of(PolicyDocument, field))

    mode = described(one_of(ConflictMode), manual_of(PolicyDocument, "conflict"))
    length = described(whole(1, MAX_PLAN_LENGTH), manual_of(PolicyDocument, "plan_length"))
    session = described(names.HEADER, manual_of(PolicyDocument, "session_header"))
    document = table(
        manual_of(PolicyDocument),
        {
            "apiVersion": described(only(API_VERSION), "The version of the language, not of the policy."),
            "policy": described(catalogue.identity(), manual_of(Identity)),
            "classes": catalogue.classes(),
            "regions": catalogue.regions(),
            "ingress": described(catalogue.ingress(), manual_of(Ingress)),
            "regimes": law.regimes(),
            "tenants": parties.tenants(),
            "signals": described(signals.signals(), manual_of(Signals)),
        },
        {
            "zones": said("zones", catalogue.zones()),
            "models": catalogue.models(),
            "conflict": table(manual_of(PolicyDocument, "conflict"), {"mode": mode}),
            "deployment": said("deployment", catalogue.deployment()),
            "evidence": said("evidence", evidence.evidence()),
            "overrides": law.overrides(),
            "plan": table(manual_of(PolicyDocument, "plan_length"), {"length": length}),
            "affinity": table(manual_of(PolicyDocument, "session_header"), {"header": session}),
            "tests": parties.tests(),
        },
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Situs policy",
        **document,
        "$defs": {**definitions(), "condition": law.condition()},
    }
