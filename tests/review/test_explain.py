"""What an explanation says is what tier 1 does, for any policy; and what it costs."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from policy.random_laws import Written
from policy.strategies import as_yaml, policies, random_moment
from review.world import POLICY, changed

from extproc.core.ids import Jurisdiction, ModelId, RegionId, TenantId
from extproc.core.jurisdiction import Undecided, jurisdictions_of
from extproc.core.reasons import Exclusion, Refusal
from extproc.policy import CompiledPolicy, compile_policy, parse_policy
from extproc.policy.document import CaseInput
from extproc.policy.starter.compose import compose
from extproc.review.explain import ChangeKind, Explanation, RegionNote, explain, format_explanation
from extproc.review.explain.candidates import losses, remedies
from extproc.review.explain.sources import signals_of
from extproc.review.explain.world import permitted_of, regimes_in_question, world_of
from extproc.review.question import ask, facts_of
from extproc.review.words import joined

_PLACES = [None, None, "DE", "FR", "NO", "US", "CA", "CA-QC", "AE", "BR", "ZA", "GB"]
_OF_LAW = {Exclusion.NO_PERMIT, Exclusion.CLASS_RULE, Exclusion.PROFILE, Exclusion.PERMIT_SUSPENDED}

_UNFIT = (Exclusion.MODEL_UNAPPROVED, Exclusion.MODEL_UNVERIFIED)


def _question(random: Random, compiled: CompiledPolicy) -> tuple[CaseInput, float]:
    def place() -> Jurisdiction | None:
        found = random.choice(_PLACES)
        return None if found is None else Jurisdiction(found)

    geoip = place() or place() or place()
    given = CaseInput(
        tenant=random.choice(sorted(compiled.tables.tenants)),
        model=random.choice(sorted(compiled.tables.models) or [ModelId("none")]),
        data_class=random.choice([None, None, *sorted(compiled.tables.classes)]),
        geoip=geoip,
        geoip_unknown=geoip is None,
        jwt=place() if random.random() < 0.3 else None,
        header=place() if random.random() < 0.3 else None,
    )
    return given, random_moment(random).timestamp()


def _questions(policy: Written, seed: int, count: int) -> list[tuple[CompiledPolicy, CaseInput, float]]:
    compiled = compile_policy(parse_policy(as_yaml(policy)))
    random = Random(seed)
    return [(compiled, *_question(random, compiled)) for _ in range(count)]


@pytest.mark.slow
@settings(max_examples=30)
@given(policies(), st.integers(0, 1 << 32))
def test_the_law_that_is_told_is_the_law_that_decides(policy: Written, seed: int) -> None:
    for compiled, asked, now_s in _questions(policy, seed, 4):
        found = explain(compiled, asked, now_s)
        verdict = ask(compiled, asked, now_s).verdict
        assert [each.region for each in found.regions] == [each.region for each in verdict.regions] if verdict else True
        if verdict is None:
            assert found.regions == ()
            assert found.refusal is not None
            continue
        # A regime that governs both as one of several classes and places is named once.
        assert {each.regime for each in found.governing} == set(verdict.regimes)
        assert [each.name for each in found.duties] == sorted(verdict.obligations, key=_order(found))
        for note, decided in zip(found.regions, verdict.regions, strict=True):
            assert note.permitted is (decided.exclusion is None)
            standing = {each.permit.name for each in note.grounds if each.permit is not None}
            if decided.exclusion in _OF_LAW:
                assert _stands_in_the_way(note)
            else:
                assert standing == {permit.name for permit in decided.permits}
                assert all(each.lacking is None for each in note.grounds)
        assert format_explanation(found, 80)


def _order(found: Explanation) -> Callable[[str], int]:
    return {each.name: i for i, each in enumerate(found.duties)}.__getitem__


def _stands_in_the_way(note: RegionNote) -> bool:
    """Tell whether the ground that tier 1 names is among those that are told."""
    return any(
        each.lacking is note.exclusion and note.excluded_by in (each.regime, each.order) for each in note.grounds
    )


@pytest.mark.slow
@settings(max_examples=40)
@given(policies(), st.integers(0, 1 << 32))
def test_the_signals_that_are_said_to_count_are_those_that_count(policy: Written, seed: int) -> None:
    for compiled, asked, _ in _questions(policy, seed, 20):
        facts = facts_of(compiled, asked)
        try:
            places = jurisdictions_of(facts, compiled.tables)
        except Undecided:
            continue
        notes = signals_of(compiled, facts, asked)
        counted = {each.jurisdiction for each in notes if each.counts and each.jurisdiction is not None}
        assert counted | (set(compiled.tables.assume) if places.assumed else set()) == set(places.names)


@pytest.mark.slow
@settings(max_examples=40)
@given(policies(), st.integers(0, 1 << 32))
def test_a_policy_that_is_cut_down_to_a_question_answers_it_as_the_whole_does(policy: Written, seed: int) -> None:
    for compiled, asked, now_s in _questions(policy, seed, 4):
        if compiled.tables.epoch_at(now_s) is None:
            continue
        world = world_of(compiled, asked, now_s, regimes_in_question(compiled, asked, now_s))
        assert world.ask() == permitted_of(ask(compiled, asked, now_s))


@pytest.mark.slow
@settings(max_examples=25)
@given(policies(), st.integers(0, 1 << 32))
@example(policy=None, seed=0)
def test_every_change_that_is_named_changes_the_answer(policy: Written | None, seed: int) -> None:
    """Each single change, applied to the whole policy, gives or takes the region for which it is named."""
    if policy is None:
        compiled = compile_policy(parse_policy(compose("hybrid", "finance")))
        asked = CaseInput(tenant=TenantId("group"), model=min(compiled.tables.models), geoip=Jurisdiction("DE"))
        questions = [(compiled, asked, datetime(2027, 1, 1, tzinfo=UTC).timestamp())]
    else:
        questions = _questions(policy, seed, 2)
    for compiled, asked, now_s in questions:
        if compiled.tables.epoch_at(now_s) is None:
            continue
        found = explain(compiled, asked, now_s)
        before = permitted_of(ask(compiled, asked, now_s))
        whole = world_of(compiled, asked, now_s, compiled.document.regimes)
        permits = tuple(
            (f"{regime.id}.{permit.id}", permit.risk)
            for regime in compiled.document.regimes
            for permit in regime.permits
        )
        changed = {each.words: each.change(whole).ask() for each in (*remedies(whole), *losses(whole, permits))}
        for note in found.regions:
            told = {each.words for each in note.changes if len(each.kinds) == 1 and each.on is None}
            after = {
                f"if {words.format(region=note.region)}": regions
                for words, regions in changed.items()
                if (note.region in regions) is not (note.region in before)
            }
            assert told <= set(after), joined(sorted(told - set(after)))


@pytest.mark.slow
def test_the_largest_policy_that_is_shipped_is_explained_well_within_a_second() -> None:
    compiled = compile_policy(parse_policy(compose("hybrid", "global")))
    asked = CaseInput(
        tenant=TenantId("retail"),
        model=min(compiled.tables.models),
        geoip=Jurisdiction("CA-QC"),
        header=Jurisdiction("US"),
    )
    began = time.process_time()
    explain(compiled, asked, datetime(2026, 12, 1, tzinfo=UTC).timestamp())
    assert time.process_time() - began < 1.0


def test_before_the_policy_is_in_force_the_day_is_named_on_which_it_will_be() -> None:
    compiled = compile_policy(parse_policy(compose("legal-first", "uk")))
    asked = CaseInput(tenant=min(compiled.tables.tenants), model=min(compiled.tables.models), geoip=Jurisdiction("GB"))
    found = explain(compiled, asked, compiled.tables.epochs[0].starts_s - 1.0)
    assert found.governing == ()
    (change,) = found.remedies
    assert change.on == compiled.document.identity.as_of


def _told(text: str, tenant: str, **signals: str) -> Explanation:
    policy = compile_policy(parse_policy(text))
    given = {name: Jurisdiction(place) for name, place in signals.items()}
    asked = CaseInput(tenant=TenantId(tenant), model=min(policy.tables.models), **given)  # type: ignore[arg-type]
    return explain(policy, asked, datetime(2026, 12, 1, tzinfo=UTC).timestamp())


_QUEBEC = (
    "  - id: uae\n",
    """  - id: canada
    when: {subject_in: CA, class_not: [public]}
    permits: [{id: anywhere, to: anywhere, basis: unrestricted, cite: x}]
  - id: quebec
    when: {subject_in: CA-QC, class_not: [public]}
    permits: []
  - id: uae
""",
)


def test_a_law_of_a_part_of_the_country_is_told_where_the_part_is_not_known() -> None:
    text = changed(_QUEBEC)
    words = "The province is not known: quebec governs Quebec alone and was not considered."
    assert _told(text, "bank", geoip="CA").unconsidered == (words,)
    assert words in format_explanation(_told(text, "bank", geoip="CA"))
    assert _told(text, "bank", geoip="CA-QC").unconsidered == ()
    assert _told(text, "bank", geoip="CA-ON").unconsidered == ()
    # Where a claim says Quebec, its law is considered, whatever the address leaves open.
    assert _told(text, "bank", geoip="CA", jwt="CA-QC").unconsidered == ()


def test_a_place_for_which_no_regime_speaks_is_told_although_another_regime_governs() -> None:
    text = changed(
        ("when: {subject_in: EEA, class_not", "when: {any: [{subject_in: EEA}, {exporter_in: EEA}], class_not")
    )
    text = text.replace("  bank: {match", "  bank: {exporter: DE, match")
    words = ("No regime of this policy speaks for Nigeria; its law is not considered.",)
    assert _told(text, "bank", geoip="NG").refusal is None
    assert _told(text, "bank", geoip="NG").unconsidered == words
    assert _told(text, "bank", geoip="FR").unconsidered == ()
    assert _told(text, "walk-in", geoip="NG").unconsidered == words


def test_a_regime_that_names_the_place_but_not_the_class_is_told_apart() -> None:
    text = changed(("when: {subject_in: AE, class_not: [public]}", "when: {subject_in: AE, class_in: [special]}"))
    found = _told(text, "walk-in", geoip="AE")
    (words,) = found.unconsidered
    assert words == (
        "No regime that speaks for the United Arab Emirates governs this request (uae asks for other data or another "
        "tenant); its law is not considered."
    )


def test_what_is_missing_is_a_regime_and_never_another_tenant_or_place() -> None:
    text = changed(("when: {subject_in: AE, class_not: [public]}", "when: {subject_in: NG, tenant_has: [big]}"))
    found = _told(text, "bank", geoip="NG")
    assert found.refusal is Refusal.UNGOVERNED_JURISDICTION
    assert [(each.kinds, each.words) for each in found.remedies] == [
        ((ChangeKind.REGIME,), "a regime for Nigeria is missing from the policy")
    ]
    unknown = _told(POLICY, "bank")
    assert unknown.refusal is Refusal.UNKNOWN_JURISDICTION
    assert [each.words for each in unknown.remedies] == [
        "if the token bore a verified claim of residency: what it claims decides then",
        "if it were known where the address is: that place decides then",
    ]


def test_a_refusal_names_what_each_regime_permits_and_what_they_share() -> None:
    header = ("  jwt: {claim", "  header: {name: x-jurisdiction, tier: 3}\n  jwt: {claim")
    found = _told(changed(header), "bank", geoip="FR", header="AE")
    assert found.refusal is Refusal.NO_PERMITTED_REGION
    assert found.answer.endswith(
        "gdpr permits only br-gru, eu-ams, eu-fra and us-iad; uae only me-dxb; they share none."
    )
    text = changed(
        ("allow: [eu-*]", "allow: [br-*]"),
        ("id: near, to: NEAR", "id: near, enabled_by: tenant.mechanisms.scc, to: NEAR"),
    )
    alone = _told(text, "shop", geoip="FR")
    assert alone.answer.endswith(
        "gdpr permits only eu-ams and eu-fra; eu-ams and eu-fra, which every regime permits, are excluded: "
        "the tenant's own list does not hold the region: it holds br-*."
    )


def test_regions_abroad_that_nothing_restricts_are_counted() -> None:
    assert (
        "5 of them are abroad, which the regimes do not restrict." in _told(changed(_QUEBEC), "bank", geoip="CA").answer
    )
    assert "abroad" not in _told(POLICY, "bank", geoip="FR").answer


def test_what_no_policy_can_tell_is_told_with_what_follows() -> None:
    digest = "sha256:" + "abcdef0123456789" * 4
    needs = "needs: {vectors: {max_age_s: 2.5}}"
    text = changed(
        (
            "eu-ams: {country: NL, models: {fraud: {}}",
            f'eu-ams: {{country: NL, models: {{fraud: {{digest: "{digest}"}}}}',
        ),
        (
            "eu-fra: {country: DE, models: {fraud: {}}",
            f'eu-fra: {{country: DE, {needs}, models: {{fraud: {{version: "3", digest: "{digest}"}}}}',
        ),
        ("us-iad: {country: US,", f"us-iad: {{country: US, {needs},"),
        ("signals:", "deployment: {pattern: active-active, drain: [us-*], weights: {us-iad: 0, br-gru: 0}}\nsignals:"),
    )
    found = _told(text, "bank", geoip="FR")
    assert [(each.regions, each.words.partition(".")[0], each.excluded_by) for each in found.provisos] == [
        (("br-gru",), "of weight 0", ()),
        (("eu-ams",), "approved for the bytes sha256:abcdef012345… of fraud alone", _UNFIT),
        (("eu-fra",), "approved for version 3 and the bytes sha256:abcdef012345… of fraud alone", _UNFIT),
        (("eu-fra", "us-iad"), "needs vectors, at most 2", (Exclusion.DEPENDENCY_STALE,)),
        (("us-iad",), "drained", ()),
    ]
    told = format_explanation(found, 400)
    assert (
        "- eu-fra and us-iad: needs vectors, at most 2.5 s old. Excluded while something that the region needs to "
        "serve is too old, or does not answer (dependency_stale)." in told
    )
    assert "serves another version or other bytes of the model (model_unapproved) or no cell" in told
    assert "- us-iad: drained. It is permitted, and nothing new goes there." in told
    assert [each.regions for each in found.about((RegionId("us-iad"),)).provisos] == [("us-iad",), ("us-iad",)]


def test_where_nothing_is_asked_beyond_the_law_nothing_is_said_of_it() -> None:
    found = _told(
        changed(("eu-ams: {country: NL,", "eu-ams: {needs: {v: {max_age_s: 9}}, country: NL,")), "bank", geoip="AE"
    )
    assert found.provisos == ()
    assert "WHAT ELSE COUNTS" not in format_explanation(found, 200)


def test_a_rule_for_a_class_is_told_with_what_it_rests_on() -> None:
    text = changed(("{only: [eea]}", "{only: [eea], cite: Art. 9}"), ("class: personal, mech", "class: special, mech"))
    found = _told(text, "bank", geoip="FR")
    assert "the regime's rule for the class special leaves it out (Art. 9)" in format_explanation(found, 200)
