"""One line of plain words for each entry."""

from extproc.core.reasons import Refusal
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import permitted_regions, shadow_verdict
from extproc.ledger.entries import kind_of


def summarise(entry: pb.Entry) -> str:
    """Say in one line what an entry holds. Raises MalformedError for one that contradicts its own form."""
    match kind_of(entry):
        case "decision":
            return _summarise_decision(entry.decision)
        case "delivery":
            regions = " ".join(each.region or each.cluster for each in entry.delivery.attempts)
            return f"{entry.delivery.finding}: {regions or 'no attempt'} ({entry.delivery.status})"
        case "config":
            shadow = f", beside it {_name_policy(entry.config.shadow)}" if entry.config.HasField("shadow") else ""
            return f"policy {_name_policy(entry.config.policy)}{shadow}"
        case "override":
            return _summarise_override(entry.override)
        case "genesis":
            previous = entry.genesis.previous
            return f"follows {previous.origin}, {previous.state}" if previous.origin else "the first on its disk"
        case "gap":
            return f"{entry.gap.entries} entries were not recorded: {entry.gap.reason}"
        case "recovered":
            return f"{entry.recovered.size} entries were good, {entry.recovered.cut} bytes were cut"
        case "close":
            return entry.close.reason
        case _:
            return _summarise_housekeeping(entry)


def _summarise_housekeeping(entry: pb.Entry) -> str:
    """Say what an entry about the log itself holds."""
    match kind_of(entry):
        case "heartbeat":
            return f"alive, {entry.heartbeat.sequence} decisions so far"
        case "rotation":
            return "another key signs from here on"
        case "erasure":
            erasure = entry.erasure
            return f"{erasure.keys} keys of {erasure.tenant} destroyed ({erasure.scope}): {erasure.reason}"
        case "prune":
            return f"entries of {entry.prune.origin} before {entry.prune.end} removed: {entry.prune.reason}"
        case "hold":
            return f"hold {entry.hold.id} on {entry.hold.origin} {entry.hold.action}: {entry.hold.reason}"
        case "drill":
            return _summarise_drill(entry.drill)
        case "acknowledgement":
            seen = entry.acknowledgement
            by = " and ".join(seen.approved_by)
            return f"{seen.finding} at entry {seen.index} of {seen.origin} acknowledged by {by}: {seen.reason}"
        case _:
            return f"has seen {entry.head.checkpoint.decode(errors='replace').partition(chr(10))[0]}"


def _summarise_override(override: pb.Override) -> str:
    order = override.suspension
    said = f"{order.kind} {order.name} {override.action}"
    if not override.HasField("resumption"):
        return f"{said}: {order.reason}"
    return f"{said} by {' and '.join(override.resumption.approved_by)}: {override.resumption.reason}"


def _summarise_drill(drill: pb.Drill) -> str:
    parts = [f"drill {drill.scenario}{f' on {drill.mode}' if drill.mode else ''}"]
    parts.append("passed" if drill.passed else "failed")
    if drill.HasField("recovery_s"):
        target = f" of {drill.rto_target_s:g}" if drill.HasField("rto_target_s") else ""
        parts.append(f"back after {round(drill.recovery_s, 3):g}{target} s")
    return ", ".join(parts)


def _name_policy(policy: pb.Policy) -> str:
    return f"{policy.id} version {policy.version} ({policy.profile})"


def _summarise_decision(decision: pb.Decision) -> str:
    facts, verdict = decision.facts, decision.verdict
    places = "+".join(verdict.jurisdictions) or "?"
    if verdict.assumed:
        places += " (assumed)"
    parts = [f"{facts.tenant or '?'} {facts.model or '?'} {places}"]
    for each in facts.classes:
        by = f"{each.source} {each.detail}".strip()
        parts.append(f"{each.data_class} by {by}")
    if decision.HasField("steer"):
        parts.append(f"to {' then '.join(decision.steer.plan)}")
        parts += ["a transfer"] if decision.transfers else []
    else:
        parts.append(f"refused: {decision.deny.refusal}")
        parts += [f"sent on to {decision.deny.redirect_host}"] if decision.deny.HasField("redirect_host") else []
    if decision.HasField("verdict") and not verdict.ingress:
        parts.append("arrived where it is not permitted")
    if verdict.obligations:
        parts.append(f"duties {' '.join(verdict.obligations)}")
    return ", ".join(parts) + _summarise_shadow(decision)


def _summarise_shadow(decision: pb.Decision) -> str:
    """Say how the shadow policy's answer differs; nothing where there is none or it is the same."""
    if not decision.HasField("shadow"):
        return ""
    verdict, other = decision.verdict, shadow_verdict(decision)
    # The shadow policy says nothing of tier 2, so what tier 2 refused is not held against it.
    refusal = (
        "" if decision.deny.refusal in (Refusal.NO_SERVING_REGION, Refusal.SPILL_REFUSED) else decision.deny.refusal
    )
    permitted, others = permitted_regions(verdict), permitted_regions(other)
    if decision.shadow.refusal and decision.shadow.refusal != refusal:
        return f"; the shadow policy would refuse: {decision.shadow.refusal}"
    if permitted != others or refusal != decision.shadow.refusal:
        return f"; the shadow policy would permit {' '.join(sorted(others)) or 'none'}"
    if verdict != other:
        return "; the shadow policy would say the same on other grounds"
    return ""
