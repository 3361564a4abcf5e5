"""A record holds no personal data in clear: by its schema, and by its bytes."""

from pathlib import Path
from typing import Any

import pytest
from custody.world import write_log
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger.world import decision
from sealed.world import EVERYTHING, NOW_S, new_store
from support.messages import processing_request

from extproc.core.reading import Reading
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.ids import id_to_bytes
from extproc.sealed.keys import Keys
from extproc.sealed.sealer import Sealer
from extproc.wire.identity import identity
from extproc.wire.request import receive

# Every field that could hold text or bytes, by what may stand in it. A new field is in none of these, and fails the
# test until somebody has thought about what may come into it.
MAY_HOLD = {
    "names of the operator's own policy, configuration or machines": """
        Genesis.origin Previous.origin Policy.id Region.id Region.cluster ConfigSnapshot.ingress_region Facts.tenant
        Facts.model ClassSignal.data_class Verdict.classes Verdict.regimes Verdict.obligations Verdict.regions
        Answer.excluded_by Steer.plan Steer.route Deny.redirect_host Transfer.region Transfer.reference Permit.regime
        Permit.id Permit.cite Permit.mechanism Attempt.cluster Attempt.region Delivery.served Suspension.id
        Suspension.name Erasure.tenant Prune.origin Hold.id Hold.origin Drill.scenario Drill.region
        Acknowledgement.origin
    """,
    "codes of closed sets, of the program, of Envoy or of ISO 3166": """
        Genesis.durability Genesis.program Previous.state ConfigSnapshot.program Policy.profile GeoIdentity.type
        Region.country Region.subdivision Facts.binding ClassSignal.source ClassSignal.detail Signal.source
        Signal.jurisdiction Signal.detail Facts.faults Verdict.jurisdictions Answer.exclusion Shadow.refusal
        Estimate.state Deny.refusal Transfer.importer Transfer.exporter Permit.basis Decision.durability Attempt.flags
        Delivery.finding Override.action Suspension.kind Gap.reason Recovered.segment Close.reason Erasure.scope
        Hold.action Drill.mode Acknowledgement.finding
    """,
    "hashes, random ids and days": """
        Previous.root ConfigSnapshot.revision Policy.revision GeoIdentity.sha256 Decision.id Decision.config
        Shadow.policy_revision Delivery.decision Private.day Erasure.days Prune.root Drill.report
        Drill.policy_revision Acknowledgement.decision
    """,
    "signed notes: names of logs, hashes and keys": "KeyRotation.delegation KeyRotation.checkpoint Head.checkpoint",
    "noise without keys that are kept elsewhere and can be destroyed": """
        Private.pseudonym Private.request Private.sealed Erasure.pseudonyms
    """,
    "the operator's own words, which the commands say must name no person whose data is processed": """
        Previous.reason Suspension.reason Suspension.approved_by Erasure.reason Erasure.approved_by Prune.reason
        Prune.approved_by Hold.reason Hold.approved_by Resumption.reason Resumption.approved_by Acknowledgement.reason
        Acknowledgement.approved_by
    """,
}


def _texts(message: Any, seen: set[str]) -> set[str]:  # noqa: ANN401 - an unstubbed descriptor
    """List the fields of text and of bytes of all that a message can hold."""
    if message.full_name in seen:
        return set()
    seen.add(message.full_name)
    found = set()
    for field in message.fields:
        if field.type in (field.TYPE_STRING, field.TYPE_BYTES):
            found.add(f"{message.name}.{field.name}")
        elif field.message_type is not None:
            found |= _texts(field.message_type, seen)
    return found


def test_every_field_of_text_is_one_that_somebody_thought_about() -> None:
    listed = [name for names in MAY_HOLD.values() for name in names.split()]
    assert len(listed) == len(set(listed))
    assert set(listed) == _texts(pb.Entry.DESCRIPTOR, set())


def test_what_a_sealed_block_holds_is_in_no_entry_in_clear() -> None:
    seen: set[str] = set()
    _texts(pb.Entry.DESCRIPTOR, seen)
    assert pb.SealedBlock.DESCRIPTOR.full_name not in seen
    assert {field.name for field in pb.SealedBlock.DESCRIPTOR.fields} == {"subject", "request_id", "address"}


# Long enough not to stand in a log by chance, and not to be a name of its policy.
_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=4, max_size=40).map(
    "person-{}".format
)
_IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=40).map("request-{}".format)
_ADDRESSES = st.ip_addresses().map(str).filter(lambda text: len(text) > 8)


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_NAMES, _IDS, _ADDRESSES), min_size=1, max_size=6))
def test_nothing_of_who_asked_stands_in_any_byte_of_a_log(tmp_path: Path, who: list[tuple[str, str, str]]) -> None:
    """From Envoy's bytes to those on the disk: the write-ahead log, the tiles, and whatever lies beside them."""
    keys = Keys(new_store(tmp_path))
    sealer, reading = Sealer(keys, EVERYTHING), Reading(evidence=EVERYTHING)
    privates = []
    for n, (subject, request_id, address) in enumerate(who, 1):
        source = f"[{address}]:0" if ":" in address else f"{address}:0"
        message = processing_request(
            headers=[("x-request-id", request_id.encode())], address=source, claims={"sub": subject, "tenant": "shop"}
        )
        asked = identity(receive(message), reading)
        assert (asked.subject, asked.request_id, asked.address) == (subject, request_id, address)
        privates.append(
            sealer.private(
                tenant="shop",
                decision_id=id_to_bytes(decision(n).id),
                now_s=NOW_S,
                subject=asked.subject,
                request_id=asked.request_id,
                address=asked.address,
            )
        )
    log = write_log(tmp_path / "log", at_s=NOW_S, decisions=len(who), privates=privates)
    keys.close()
    written = b"\0".join(path.read_bytes() for path in log.rglob("*") if path.is_file())
    assert all(private is not None and private.sealed in written for private in privates)
    for each in (text for row in who for text in row):
        assert each.encode() not in written
    # Not in the key store either: it has no names.
    stored = b"\0".join(path.read_bytes() for path in (tmp_path / "keys").iterdir())
    for each in (text for row in who for text in row):
        assert each.encode() not in stored
