import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger.world import NOW_S, REGIONS, config, decision, delivery
from support.tables import JURISDICTIONS, MODELS, TENANTS, facts, snapshots
from support.tables import NOW_S as POLICY_S

from extproc.audit.replay import replay
from extproc.core.decide import Decision, decide
from extproc.core.delivery import Delivery, Finding
from extproc.core.facts import RequestFacts, Signal, Source, Tier
from extproc.core.ids import ConfigRevision, DecisionId, OverrideId
from extproc.core.overrides import Suspension
from extproc.core.snapshot import Snapshot
from extproc.ledger import decisions
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.entries import (
    GeoIdentity,
    Previous,
    close_to_entry,
    config_to_entry,
    decision_from_entry,
    decision_to_entry,
    delivery_from_entry,
    delivery_to_entry,
    entry_to_json,
    gap_to_entry,
    genesis_to_entry,
    kind_of,
    override_to_entry,
    parse_entry,
    recovered_to_entry,
    suspension_from_proto,
)
from extproc.ledger.errors import MalformedError

_ID = DecisionId("019323f5-7a10-7cc2-8a4e-3f0d5b1c9e77")


_GEOIP = Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=JURISDICTIONS[0])


def _whole(request: RequestFacts) -> RequestFacts:
    """Most drawn facts are refused at once; these get far enough for a verdict and a choice."""
    others = tuple(
        each for each in request.signals if each.jurisdiction is not None and each.source is not Source.GEOIP
    )
    return replace(
        request,
        tenant=request.tenant or TENANTS[0],
        model=request.model or MODELS[0],
        signals=(_GEOIP, *others),
        faults=(),
        declared_class=None,
    )


def _requests() -> st.SearchStrategy[RequestFacts]:
    return facts().map(_whole) | facts()


def _decide(request: RequestFacts, snapshot: Snapshot) -> Decision:
    return decide(request, snapshot, now_s=POLICY_S, decision_id=_ID)


@pytest.mark.slow
@settings(max_examples=150)
@given(_requests(), snapshots(), st.integers(1, 1 << 40))
def test_a_decision_comes_back_equal(request: RequestFacts, snapshot: Snapshot, sequence: int) -> None:
    made = _decide(request, snapshot)
    entry = parse_entry(decision_to_entry(made, sequence=sequence))
    assert entry.decision.sequence == sequence
    assert decision_from_entry(entry) == made


@pytest.mark.slow
@settings(max_examples=150)
@given(_requests(), snapshots())
def test_the_bytes_are_those_of_the_protobuf_library(request: RequestFacts, snapshot: Snapshot) -> None:
    data = decision_to_entry(_decide(request, snapshot), sequence=300)
    assert parse_entry(data).SerializeToString(deterministic=True) == data


@pytest.mark.slow
@settings(max_examples=150)
@given(_requests(), snapshots())
def test_a_recorded_decision_is_decided_the_same_again(request: RequestFacts, snapshot: Snapshot) -> None:
    recorded = decision_from_entry(parse_entry(decision_to_entry(_decide(request, snapshot), sequence=1)))
    assert replay(recorded, snapshot.policy, snapshot.suspensions) == recorded


def test_kept_bytes_serve_equal_decisions_only() -> None:
    first = decision(1)
    assert first.verdict is not None
    for made in (
        first,
        decision(2),
        replace(first, verdict=replace(first.verdict, regions=first.verdict.regions[::-1])),
        replace(first, transfers=()),
        replace(first, choice=None),
    ):
        read = decision_from_entry(parse_entry(decision_to_entry(made, sequence=1)))
        assert replace(read, verdict=None) == replace(made, verdict=None)
        assert read.verdict is not None
        assert made.verdict is not None
        assert read.verdict.regions == made.verdict.regions


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "_KEPT", 2)
    for number in range(5):
        made = replace(decision(number), config=ConfigRevision(str(number)))
        decision_to_entry(made, sequence=number)
        assert len(decisions._known) <= 2


@pytest.mark.parametrize("wrong", ["", "x", "019323f5", "019323f5-7a10-7cc2-8a4e-3f0d5b1c9e7700"])
def test_an_id_that_is_no_uuid_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"hexadecimal|UUID"):
        decision_to_entry(replace(decision(1), id=DecisionId(wrong)), sequence=1)


@pytest.mark.parametrize(
    "made",
    [
        delivery(decision(1), REGIONS[0]),
        delivery(decision(1), None, REGIONS[2]),
        delivery(decision(1)),
        replace(delivery(decision(1)), decision=None, finding=Finding.NO_DECISION),
    ],
)
def test_a_delivery_comes_back_equal(made: Delivery) -> None:
    assert delivery_from_entry(parse_entry(delivery_to_entry(made, at_s=NOW_S))) == made


def _suspension(until_s: float | None) -> Suspension:
    return Suspension(
        id=OverrideId("o-1"), region=REGIONS[0], reason="order 7", from_s=1.0, until_s=until_s, approved_by=("a", "b")
    )


def test_the_other_kinds_say_what_they_were_given() -> None:
    previous = Previous(origin="o", size=3, root=b"r" * 32, state="closed")
    entries = [
        genesis_to_entry(at_s=1, origin="o/2", durability="fsync", program="1", previous=previous),
        genesis_to_entry(at_s=1, origin="o/2", durability="fsync", program="1"),
        config(),
        override_to_entry(_suspension(None), at_s=2),
        override_to_entry(_suspension(3.0), at_s=2, resumed=True),
        gap_to_entry(at_s=3, entries=2, first_at_s=1, last_at_s=2),
        recovered_to_entry(at_s=4, size=5, segment="0.wal", offset=6, cut=7),
        close_to_entry(at_s=5, reason="shutdown"),
        decision_to_entry(decision(1), sequence=1),
        delivery_to_entry(delivery(decision(1), REGIONS[0]), at_s=6),
        delivery_to_entry(replace(delivery(decision(1)), decision=None), at_s=6),
    ]
    parsed = list(map(parse_entry, entries))
    kinds = "genesis genesis config override override gap recovered close decision delivery delivery".split()
    assert list(map(kind_of, parsed)) == kinds
    assert [suspension_from_proto(parsed[i].override.suspension) for i in (3, 4)] == [
        _suspension(None),
        _suspension(3.0),
    ]
    projected = list(map(entry_to_json, parsed))
    assert json.loads(json.dumps(projected)) == projected
    assert projected[0]["genesis"] == {
        "origin": "o/2",
        "durability": "fsync",
        "program": "1",
        "previous": {"origin": "o", "size": "3", "root": "72" * 32, "state": "closed"},
    }
    assert decision(1).id in json.dumps(projected[8])
    assert decision(1).id in json.dumps(projected[9])


@pytest.mark.slow
@given(snapshots())
def test_a_configuration_lists_regions(snapshot: Snapshot) -> None:
    geo = GeoIdentity(sha256=b"h" * 32, build_epoch=5, type="Country")
    entry = parse_entry(config_to_entry(snapshot, at_s=1, program="1", geo=geo, policy_stored=True))
    assert [region.id for region in entry.config.regions] == [region.id for region in snapshot.policy.regions]
    assert json.dumps(entry_to_json(entry)).count("68" * 32) == 1


def test_what_is_no_entry_is_refused() -> None:
    for data in (b"\xff", b"", b"\x09" + bytes(8)):
        with pytest.raises(MalformedError):
            parse_entry(data)
    with pytest.raises(MalformedError, match="without a known kind"):
        kind_of(pb.Entry())
    with pytest.raises(MalformedError, match="expected a decision"):
        decision_from_entry(parse_entry(close_to_entry(at_s=1, reason="")))
    with pytest.raises(MalformedError, match="expected a delivery"):
        delivery_from_entry(parse_entry(close_to_entry(at_s=1, reason="")))
    with pytest.raises(MalformedError, match="decision: expected 16 bytes"):
        decision_from_entry(pb.Entry(decision=pb.Decision()))
    with pytest.raises(MalformedError, match="delivery: '' is not"):
        delivery_from_entry(pb.Entry(delivery=pb.Delivery()))
