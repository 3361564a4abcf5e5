"""Decisions as rows: the part that differs from one to the next, and the part that repeats.

Structs are tuples, in the order of :mod:`extproc.parquet.decision_columns`.
"""

from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import check_answers, shadow_verdict
from extproc.parquet.context import Context
from extproc.parquet.values import Row, number, uuid_of


def decision_own(decision: pb.Decision) -> Row:
    """Give what differs from one decision to the next."""
    private, names = decision.private, decision.verdict.regions
    return (
        uuid_of(decision.id),
        number(decision.sequence),
        private.pseudonym.hex() or None,
        private.day or None,
        private.request.hex() or None,
        bool(private.sealed),
        [
            (
                names[each.region],
                each.state,
                each.latency_s if each.HasField("latency_s") else None,
                each.age_s if each.HasField("age_s") else None,
                each.in_flight if each.HasField("in_flight") else None,
                each.budget if each.HasField("budget") else None,
                each.preference if each.HasField("preference") else None,
                each.missing_slo,
            )
            for each in decision.choice.estimates
        ],
    )


def decision_shared(decision: pb.Decision, context: Context) -> Row:
    """Give what repeats from one decision to the next."""
    facts, verdict, deny = decision.facts, decision.verdict, decision.deny
    config = context.configs.get(decision.config)
    judged = decision.HasField("verdict")
    permitted, excluded = _judged(verdict)
    plan = list(decision.steer.plan)
    shadow = decision.shadow if decision.HasField("shadow") else None
    return (
        decision.config,
        config.policy if config else None,
        number(config.policy_version) if config else None,
        config.policy_revision if config else None,
        config.program if config else None,
        config.ingress_region if config else None,
        facts.tenant if facts.HasField("tenant") else None,
        facts.binding,
        facts.model if facts.HasField("model") else None,
        list(verdict.jurisdictions),
        verdict.assumed,
        list(verdict.classes),
        list(verdict.regimes),
        list(verdict.obligations),
        verdict.ingress if judged else None,
        permitted,
        excluded,
        [f"{each.regime}.{each.id}" for each in decision.permits],
        [
            (each.source, each.tier, each.jurisdiction if each.HasField("jurisdiction") else None, each.detail)
            for each in facts.signals
        ],
        [(each.source, each.data_class, each.detail) for each in facts.classes],
        list(facts.faults),
        "steer" if decision.HasField("steer") else "deny",
        deny.refusal or None,
        deny.retry_after_s if deny.HasField("retry_after_s") else None,
        deny.redirect_host if deny.HasField("redirect_host") else None,
        plan,
        decision.steer.route or None,
        plan[0] if plan else None,
        bool(decision.transfers),
        shadow.policy_revision if shadow is not None else None,
        (shadow.refusal or None) if shadow is not None else None,
        _judged(shadow_verdict(decision))[0] if shadow is not None and shadow.HasField("verdict") else None,
        decision.durability or context.durability,
    )


def _judged(verdict: pb.Verdict) -> tuple[list[str], list[Row]]:
    """Give the permitted regions, and the excluded ones with reason and by whom, in the catalogue's order."""
    names = verdict.regions
    check_answers(verdict, len(names))
    permitted: list[int] = []
    excluded: dict[int, Row] = {}
    for answer in verdict.answers:
        if not answer.exclusion:
            permitted += answer.regions
            continue
        by = answer.excluded_by if answer.HasField("excluded_by") else None
        for i in answer.regions:
            excluded[i] = (names[i], answer.exclusion, by)
    return [names[i] for i in sorted(permitted)], [excluded[i] for i in sorted(excluded)]


def transfers_shared(decision: pb.Decision) -> list[Row]:
    """Give one row for each transfer that a decision may cause, without the decision's id, which comes first."""
    rows: list[Row] = []
    for position, each in enumerate(decision.transfers):
        permit = decision.permits[each.permit]
        rows.append(
            (
                position,
                decision.facts.tenant if decision.facts.HasField("tenant") else None,
                each.region,
                each.exporter if each.HasField("exporter") else None,
                each.importer,
                permit.regime,
                permit.id,
                permit.basis,
                permit.mechanism if permit.HasField("mechanism") else None,
                permit.cite,
                each.reference or None,
            )
        )
    return rows
