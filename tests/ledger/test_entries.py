import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger.world import CANDIDATE, NOW_S, REGIONS, config, decision, delivery, shadow_refuses, shadowed
from support.tables import CLASSES, JURISDICTIONS, MODELS, TENANTS, facts, snapshots
from support.tables import NOW_S as POLICY_S

from extproc.audit.replay import replay
from extproc.audit.summary import summarise
from extproc.core.decide import Decision, decide
from extproc.core.delivery import Delivery, Finding
from extproc.core.evidence import Private
from extproc.core.facts import RequestFacts, Signal, Source, Tier
from extproc.core.ids import ConfigRevision, DecisionId, OverrideId
from extproc.core.overrides import Resumption, Suspension, TargetKind
from extproc.core.reasons import Refusal
from extproc.core.routing.choose import UNCOUNTED, Choice, Estimate, Moment
from extproc.core.routing.health import HealthState
from extproc.core.snapshot import Shadow, Snapshot
from extproc.core.steering import Deny
from extproc.ledger import decisions
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import permitted_regions, private_of
from extproc.ledger.entries import (
    GeoIdentity,
    Previous,
    close_to_entry,
    config_to_entry,
    decision_from_entry,
    decision_to_entry,
    delivery_from_entry,
    delivery_to_entry,
    gap_to_entry,
    genesis_to_entry,
    kind_of,
    override_to_entry,
    parse_entry,
    recovered_to_entry,
    resumption_from_proto,
    suspension_from_proto,
)
from extproc.ledger.housekeeping import (
    Acknowledgement,
    DrillMode,
    DrillRun,
    Erasure,
    ErasureScope,
    Prune,
    acknowledgement_from_entry,
    acknowledgement_to_entry,
    drill_from_entry,
    drill_to_entry,
    erasure_to_entry,
    prune_to_entry,
)
from extproc.ledger.projection import entry_to_json
from extproc.notes.errors import MalformedError

_ID = DecisionId("019323f5-7a10-7cc2-8a4e-3f0d5b1c9e77")


_REDIRECTED = Deny(refusal=Refusal.WRONG_INGRESS, redirect_host="sg.api.example")
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
        classes=tuple(each for each in request.classes if each.data_class in CLASSES),
    )


def _requests() -> st.SearchStrategy[RequestFacts]:
    return facts().map(_whole) | facts()


def _beside(live: Snapshot, other: Snapshot) -> Snapshot:
    return replace(live, shadow=Shadow(policy=other.policy, suspensions=other.suspensions))


def _shadowed() -> st.SearchStrategy[Snapshot]:
    return st.builds(_beside, snapshots(), snapshots())


def _snapshots() -> st.SearchStrategy[Snapshot]:
    return snapshots() | _shadowed()


def _decide(
    request: RequestFacts, snapshot: Snapshot, beside: RequestFacts | None = None, moment: Moment = UNCOUNTED
) -> Decision:
    return decide(request, snapshot, now_s=POLICY_S, decision_id=_ID, shadow_facts=beside, moment=moment)


def _moments(snapshot: Snapshot) -> st.SearchStrategy[Moment]:
    """Counted or not, ranked for a session or not: as many figures as the catalogue has regions."""
    size = len(snapshot.policy.regions)
    counts = st.lists(st.integers(0, 200), min_size=size, max_size=size)
    return st.builds(
        Moment, in_flight=st.just(()) | counts, preference=st.just(()) | st.permutations(range(size)).map(tuple)
    )


_asked = _snapshots().flatmap(lambda snapshot: st.tuples(st.just(snapshot), _moments(snapshot)))


@pytest.mark.slow
@settings(max_examples=200)
@given(_requests(), _asked, st.none() | _requests(), st.integers(1, 1 << 40))
def test_a_decision_comes_back_equal(
    request: RequestFacts, asked: tuple[Snapshot, Moment], beside: RequestFacts | None, sequence: int
) -> None:
    snapshot, moment = asked
    made = _decide(request, snapshot, beside, moment)
    entry = parse_entry(decision_to_entry(made, sequence=sequence))
    assert entry.decision.sequence == sequence
    assert decision_from_entry(entry) == made


@pytest.mark.slow
@settings(max_examples=200)
@given(_requests(), _asked, st.none() | _requests())
def test_the_bytes_are_those_of_the_protobuf_library(
    request: RequestFacts, asked: tuple[Snapshot, Moment], beside: RequestFacts | None
) -> None:
    snapshot, moment = asked
    made = _decide(request, snapshot, beside, moment)
    for data in (decision_to_entry(made, sequence=300), decision_to_entry(made, sequence=301)):
        assert parse_entry(data).SerializeToString(deterministic=True) == data


_ESTIMATES = st.builds(
    Estimate,
    region=st.sampled_from(REGIONS),
    state=st.sampled_from(HealthState),
    latency_s=st.none() | st.floats(0, 10),
    age_s=st.none() | st.floats(-10, 1000),
    in_flight=st.integers(0, (1 << 32) - 1),
    budget=st.none() | st.integers(0, (1 << 32) - 1),
    preference=st.none() | st.integers(0, 200),
    missing_slo=st.booleans(),
)


@given(st.lists(_ESTIMATES, max_size=4))
def test_every_estimate_is_encoded_as_the_library_would_and_comes_back_equal(estimates: list[Estimate]) -> None:
    made = replace(decision(1), choice=Choice(plan=(0,), estimates=tuple(estimates)))
    data = decision_to_entry(made, sequence=1)
    assert parse_entry(data).SerializeToString(deterministic=True) == data
    assert decision_from_entry(parse_entry(data)) == made


def test_a_count_of_none_is_told_from_no_count() -> None:
    counted = Estimate(region=REGIONS[0], state=HealthState.UP, latency_s=0.1, age_s=1.0, in_flight=0, budget=8)
    made = replace(decision(1), choice=Choice(plan=(0,), estimates=(counted, counted._replace(budget=None))))
    first, second = parse_entry(decision_to_entry(made, sequence=1)).decision.choice.estimates
    assert (first.HasField("in_flight"), second.HasField("in_flight")) == (True, False)


_PRIVATE = st.builds(
    Private,
    day=st.sampled_from(["", "2026-11-21"]),
    pseudonym=st.sampled_from([b"", b"p" * 16]),
    request=st.sampled_from([b"", b"r" * 16]),
    sealed=st.binary(max_size=300),
)


@pytest.mark.slow
@given(_requests(), _snapshots(), st.sampled_from(["", "page", "observe"]), st.none() | _PRIVATE)
@settings(max_examples=50)
def test_what_is_of_the_record_alone_is_encoded_as_the_library_would_and_leaves_the_decision_as_it_is(
    request: RequestFacts, snapshot: Snapshot, durability: str, private: Private | None
) -> None:
    made = _decide(request, snapshot)
    data = decision_to_entry(made, sequence=1, durability=durability, private=private)
    entry = parse_entry(data)
    expected = parse_entry(decision_to_entry(made, sequence=1))
    expected.decision.durability = durability
    if private is not None:
        expected.decision.private.SetInParent()
        for name in ("pseudonym", "request", "sealed", "day"):
            setattr(expected.decision.private, name, getattr(private, name))
    assert data == expected.SerializeToString(deterministic=True)
    assert decision_from_entry(entry) == made
    assert private_of(entry.decision) == private


def test_the_json_form_shows_what_is_private_as_hex() -> None:
    private = Private(day="2026-11-21", pseudonym=b"\x01" * 16, sealed=b"\xff\x00")
    entry = parse_entry(decision_to_entry(decision(1), sequence=1, durability="page", private=private))
    said: dict[str, Any] = entry_to_json(entry)
    assert said["decision"]["private"] == {"pseudonym": "01" * 16, "sealed": "ff00", "day": "2026-11-21"}
    assert said["decision"]["durability"] == "page"


def test_the_json_form_of_what_became_of_evidence() -> None:
    erasure = Erasure(
        scope=ErasureScope.SUBJECT, tenant="shop", days=("2026-11-21",), keys=1, reason="r", pseudonyms=(b"\xab" * 16,)
    )
    erased: dict[str, Any] = entry_to_json(parse_entry(erasure_to_entry(erasure, at_s=NOW_S)))
    assert erased["erasure"]["pseudonyms"] == ["ab" * 16]
    prune = Prune(origin="a/b", end=256, size=300, root=b"\xcd" * 32, newest_at_s=1.0, reason="r")
    pruned: dict[str, Any] = entry_to_json(parse_entry(prune_to_entry(prune, at_s=NOW_S)))
    assert pruned["prune"]["root"] == "cd" * 32


@pytest.mark.slow
@settings(max_examples=200)
@given(_requests(), _asked, st.none() | _requests())
def test_a_recorded_decision_is_decided_the_same_again(
    request: RequestFacts, asked: tuple[Snapshot, Moment], beside: RequestFacts | None
) -> None:
    snapshot, moment = asked
    made = _decide(request, snapshot, beside, moment)
    recorded = decision_from_entry(parse_entry(decision_to_entry(made, sequence=1)))
    assert replay(recorded, snapshot.policy, snapshot.suspensions, snapshot.shadow) == recorded
    assert replay(recorded, snapshot.policy, snapshot.suspensions) == replace(recorded, shadow=None)


@pytest.mark.slow
def test_the_random_shadows_differ_often_enough_to_mean_something() -> None:
    differing = judged = 0

    @given(_requests(), _shadowed())
    def count(request: RequestFacts, snapshot: Snapshot) -> None:
        nonlocal differing, judged
        made = _decide(request, snapshot)
        assert made.shadow is not None
        judged += made.shadow.verdict is not None
        differing += made.verdict is not None and made.shadow.verdict not in (None, made.verdict)

    count()
    assert (judged >= 15, differing >= 10) == (True, True)


@pytest.mark.slow
@given(_requests(), _snapshots())
def test_the_json_form_names_every_region(request: RequestFacts, snapshot: Snapshot) -> None:
    made = _decide(request, snapshot)
    projected: dict[str, Any] = entry_to_json(parse_entry(decision_to_entry(made, sequence=1)))
    said = projected["decision"]
    assert json.loads(json.dumps(projected)) == projected
    for verdict, named in (
        (made.verdict, said.get("verdict")),
        (None if made.shadow is None else made.shadow.verdict, said.get("shadow", {}).get("verdict")),
    ):
        assert (verdict is None) == (named is None)
        if verdict is not None:
            assert named["ingress"] == verdict.ingress
            assert [
                (each["region"], each.get("exclusion"), each.get("excluded_by"), each["permits"])
                for each in named["regions"]
            ] == [
                (each.region, each.exclusion, each.excluded_by, [permit.name for permit in each.permits])
                for each in verdict.regions
            ]
    if made.choice is not None:
        assert [each["region"] for each in said["choice"]["estimates"]] == [e.region for e in made.choice.estimates]
        assert said["choice"]["plan"] == [snapshot.policy.regions[i].id for i in made.choice.plan]
    assert [each["permit"] for each in said.get("transfers", [])] == [each.permit.name for each in made.transfers]


def test_kept_bytes_serve_equal_decisions_only() -> None:
    first = decision(1)
    assert first.verdict is not None
    for made in (
        first,
        decision(2),
        replace(first, verdict=replace(first.verdict, regions=first.verdict.regions[::-1])),
        replace(first, verdict=replace(first.verdict, ingress=False)),
        replace(first, facts=replace(first.facts, classes=())),
        replace(first, transfers=()),
        replace(first, choice=None),
        shadowed(first),
        shadowed(replace(first, verdict=replace(first.verdict, obligations=()))),
        replace(shadowed(first), verdict=None, choice=None),
        shadow_refuses(first, Refusal.UNKNOWN_TENANT),
        shadow_refuses(first, Refusal.UNKNOWN_MODEL),
        replace(first, choice=None, transfers=(), steering=_REDIRECTED),
        replace(first, choice=None, transfers=(), steering=replace(_REDIRECTED, redirect_host=None)),
    ):
        read = decision_from_entry(parse_entry(decision_to_entry(made, sequence=1)))
        assert replace(read, verdict=None, shadow=None) == replace(made, verdict=None, shadow=None)
        for one, other in ((read.verdict, made.verdict), (read.shadow, made.shadow)):
            assert (one is None) == (other is None)
        if read.verdict is not None and made.verdict is not None:
            # This one's mask need not be that of its regions, which is what is recorded.
            assert replace(read.verdict, permitted=made.verdict.permitted) == made.verdict
        if read.shadow is not None and made.shadow is not None:
            assert read.shadow == made.shadow


def test_equal_verdicts_that_are_other_objects_are_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "_known", {})
    first, second = shadowed(decision(1)), shadowed(decision(2))
    assert first.verdict is not second.verdict
    decision_to_entry(first, sequence=1)
    (known,) = decisions._known.values()
    decision_to_entry(second, sequence=2)
    assert list(decisions._known.values()) == [known]
    assert known.verdict is second.verdict
    assert known.shadow is second.shadow


def test_an_estimate_of_a_region_without_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="an estimate of eu-fra, of which the verdict says nothing"):
        decision_to_entry(replace(decision(1), verdict=None), sequence=1)


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


def _suspension(until_s: float | None, kind: TargetKind = TargetKind.REGION) -> Suspension:
    return Suspension(
        id=OverrideId("o-1"),
        kind=kind,
        name="eu-fra",
        reason="order 7",
        from_s=1.0,
        until_s=until_s,
        approved_by=("a", "b"),
    )


@pytest.mark.parametrize("kind", TargetKind)
def test_a_suspension_comes_back_equal(kind: TargetKind) -> None:
    made = _suspension(None, kind)
    entry = parse_entry(override_to_entry(made, at_s=2))
    assert suspension_from_proto(entry.override.suspension) == made


def test_who_released_an_order_comes_back_equal() -> None:
    order = _suspension(None)
    made = Resumption(order=order.id, reason="settled", approved_by=("a", "b"), at_s=9.5)
    entry = parse_entry(override_to_entry(order, at_s=10, resumed=True, resumption=made))
    assert resumption_from_proto(entry.override) == made
    said: dict[str, Any] = entry_to_json(entry)
    assert said["override"]["resumption"] == {"reason": "settled", "approved_by": ["a", "b"], "at_s": 9.5}
    assert summarise(entry) == "region eu-fra resumed by a and b: settled"
    by_hand = parse_entry(override_to_entry(order, at_s=10, resumed=True))
    assert resumption_from_proto(by_hand.override) is None
    assert summarise(by_hand) == "region eu-fra resumed: order 7"


@pytest.mark.parametrize(
    ("made", "summary"),
    [
        (
            DrillRun(
                scenario="region-loss",
                region="eu-fra",
                began_at_s=NOW_S,
                ended_at_s=NOW_S + 30,
                requests=6000,
                failed=3,
                outside_permitted=0,
                recovery_s=0.4,
                passed=True,
                report=b"\x05" * 32,
                rto_target_s=2.0,
                records_lost=0,
                rpo_target=0,
                policy_revision="sha256:00",
                mode=DrillMode.DEMO,
            ),
            "drill region-loss on demo, passed, back after 0.4 of 2 s",
        ),
        (
            DrillRun(
                scenario="policy-reload",
                region="",
                began_at_s=NOW_S,
                ended_at_s=NOW_S + 1,
                requests=0,
                failed=0,
                outside_permitted=0,
                recovery_s=None,
                passed=False,
                report=b"",
                records_lost=2,
            ),
            "drill policy-reload on live, failed",
        ),
    ],
)
def test_a_drill_comes_back_equal(made: DrillRun, summary: str) -> None:
    entry = parse_entry(drill_to_entry(made, at_s=NOW_S))
    assert drill_from_entry(entry) == made
    assert summarise(entry) == summary


@pytest.mark.parametrize("about", [None, _ID])
def test_an_acknowledgement_comes_back_equal(about: DecisionId | None) -> None:
    made = Acknowledgement(
        decision=about, origin="o/1", index=7, finding="outside_plan", reason="INC-3", approved_by=("a", "b")
    )
    entry = parse_entry(acknowledgement_to_entry(made, at_s=NOW_S))
    assert acknowledgement_from_entry(entry) == made
    said: dict[str, Any] = entry_to_json(entry)
    assert said["acknowledgement"].get("decision") == about
    assert summarise(entry) == "outside_plan at entry 7 of o/1 acknowledged by a and b: INC-3"
    with pytest.raises(MalformedError, match="acknowledgement: expected 16 bytes"):
        acknowledgement_from_entry(pb.Entry(acknowledgement=pb.Acknowledgement(decision=b"x")))


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
@given(_shadowed(), st.booleans())
@settings(max_examples=20)
def test_a_configuration_says_what_decides(snapshot: Snapshot, stored: bool) -> None:  # noqa: FBT001 - drawn
    shadow = snapshot.shadow
    assert shadow is not None
    geo = GeoIdentity(sha256=b"h" * 32, build_epoch=5, type="Country")
    anonymity = GeoIdentity(sha256=b"a" * 32, build_epoch=6, type="Anonymous")
    entry = parse_entry(
        config_to_entry(
            snapshot,
            at_s=1,
            program="1",
            geo=geo,
            anonymity=anonymity,
            policy_stored=stored,
            shadow_stored=not stored,
        )
    )
    said = entry.config
    assert [region.id for region in said.regions] == [region.id for region in snapshot.policy.regions]
    for recorded, policy, kept in ((said.policy, snapshot.policy, stored), (said.shadow, shadow.policy, not stored)):
        assert (recorded.id, recorded.version, recorded.revision) == (policy.id, policy.version, policy.revision)
        assert (recorded.profile, recorded.stored) == (policy.profile.value, kept)
    projected: dict[str, Any] = entry_to_json(entry)
    assert projected["config"]["geo"] == {"sha256": "68" * 32, "build_epoch": "5", "type": "Country"}
    assert projected["config"]["anonymity"] == {"sha256": "61" * 32, "build_epoch": "6", "type": "Anonymous"}


def test_a_configuration_without_a_shadow_has_none() -> None:
    said = parse_entry(config()).config
    assert [said.HasField(field) for field in ("policy", "shadow", "geo", "anonymity")] == [True, False, False, False]
    assert parse_entry(config(shadow=True)).config.shadow.revision == CANDIDATE


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
    with pytest.raises(MalformedError, match="suspension: '' is not"):
        suspension_from_proto(pb.Suspension())


def _answers(entry: pb.Entry) -> None:
    entry.decision.verdict.answers[0].regions.append(2)


def _no_answer(entry: pb.Entry) -> None:
    del entry.decision.verdict.answers[0].regions[:]


def _answer_for_nobody(entry: pb.Entry) -> None:
    entry.decision.verdict.answers[0].regions.append(9)


def _permit(entry: pb.Entry) -> None:
    entry.decision.verdict.answers[0].permits.append(9)


def _estimate(entry: pb.Entry) -> None:
    entry.decision.choice.estimates[0].region = 9


def _transfer(entry: pb.Entry) -> None:
    entry.decision.transfers[0].permit = 9


@pytest.mark.parametrize("harm", [_answers, _no_answer, _answer_for_nobody, _permit, _estimate, _transfer])
def test_an_index_that_points_nowhere_or_twice_is_refused(harm: Callable[[pb.Entry], None]) -> None:
    entry = parse_entry(decision_to_entry(decision(1), sequence=1))
    harm(entry)
    with pytest.raises(MalformedError, match=r"decision: .*index|one answer for each region"):
        decision_from_entry(entry)
    if harm in (_answers, _no_answer, _answer_for_nobody):
        with pytest.raises(MalformedError, match="one answer for each region"):
            permitted_regions(entry.decision.verdict)
    with pytest.raises(MalformedError, match=r"an index that points nowhere|one answer for each region"):
        entry_to_json(entry)
