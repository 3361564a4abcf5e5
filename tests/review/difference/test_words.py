"""Differences as they are told, from the demo's policy and edits of it."""

import pytest
from review.simulate_logs import demo

from extproc.core.ids import DataClass, Jurisdiction, RegionId, TenantId
from extproc.policy import CompiledPolicy
from extproc.review.difference import Effect, Inventory, compare, difference_in_words, groups_of

ORDER = "overrides: [{id: LT-1, effect: suspend, region: eu-ams, reason: x, from: 2026-12-01, approved_by: [a, b]}]"


def _told(a: CompiledPolicy, b: CompiledPolicy) -> list[str]:
    return [line.strip() for line in difference_in_words(compare(a, b), a, b)]


def _told_of(*edits: tuple[str, str]) -> list[str]:
    return _told(demo(), demo(*edits))


def test_nothing_differs() -> None:
    difference = compare(demo(), demo())
    assert not difference.differs
    assert not difference.widens
    assert _told(demo(), demo())[-1].startswith("No difference")


def test_a_layout_that_means_the_same_is_no_difference() -> None:
    assert not compare(demo(), demo(("# Names for sets of places.", "# Other words."))).differs


def test_data_that_may_no_longer_go() -> None:
    told = _told_of(("    mechanisms: {dpf: true}\n", ""))
    assert "personal and public data of tenant acme-bank's subjects in the EEA may no longer go to us-iad" in told
    assert told[-1] == "74 of 2,241 answers change (74 narrowed), from 2026-11-21 on."


def test_data_that_may_now_go_by_a_transfer_from_a_day_on() -> None:
    opened = ("special: {only: [eea]} ", "special: {only: [eea, dpf]} ")
    dated = ("basis: adequacy ", "valid_from: 2026-12-01\n        basis: adequacy ")
    a = demo(dated)
    b = demo(dated, opened)
    line = (
        "special data of tenant acme-bank's subjects in the EEA may now go to us-iad, by eu-gdpr.dpf (adequacy, a "
        "transfer), from 2026-12-01"
    )
    assert line in _told(a, b)
    assert compare(a, b).widens
    assert not compare(b, a).widens


@pytest.mark.slow
def test_refusals_that_begin_and_end() -> None:
    governed = ("subject_in: US, class_not", "subject_in: [US, BR], class_not")
    ends, begins = _told_of(governed), _told(demo(governed), demo())
    assert any("in Brazil may now go to" in line and "refused, ungoverned_jurisdiction" in line for line in ends)
    assert any(
        "in Brazil may no longer go anywhere" in line and "ungoverned_jurisdiction: no" in line for line in begins
    )


@pytest.mark.slow
def test_a_transfer_that_begins_though_the_region_stays_permitted() -> None:
    edit = ("basis: internal\n        cite: Federal", "basis: derogation\n        cite: Federal")
    difference = compare(demo(), demo(edit))
    assert difference.changed == difference.count(Effect.BASIS) > 0
    assert not difference.widens
    (group, *_) = groups_of(difference)
    assert group.what.effect is Effect.BASIS
    assert any(
        "in the United Arab Emirates becomes a transfer to me-dxb: it rests on uae.ae (derogation, a transfer), no "
        "longer on uae.ae (internal)" in line
        for line in _told_of(edit)
    )


def test_an_order_has_its_time() -> None:
    told = _told_of(("plan: {length: 2}", f"{ORDER}\nplan: {{length: 2}}"))
    assert any(line.endswith("may no longer go to eu-ams, from 2026-12-01:") for line in told)
    assert any(line.startswith("overrides.LT-1: {") for line in told)


def test_where_requests_arrive() -> None:
    told = _told_of(("edge: {trusted_hops: 1}", "edge: {trusted_hops: 1}\n  on_mismatch: refuse"))
    assert any("is refused, wrong_ingress when it arrives here (before: is taken)" in line for line in told)
    assert "ingress.on_mismatch: refuse is new" in told


def test_what_was_added_and_removed() -> None:
    difference = compare(
        demo(),
        demo(
            ("  walk-in:", "  stranger:"),
            ("classes: [public,", "classes: [health, public,"),
            ("  me-dxb: {", "  me-auh: {"),
            ("subject_in: AE", "subject_in: [AE, CA-QC]"),
        ),
    )
    assert difference.added == Inventory(
        tenants=(TenantId("stranger"),),
        classes=(DataClass("health"),),
        regions=(RegionId("me-auh"),),
        places=(Jurisdiction("CA-QC"),),
    )
    assert difference.removed == Inventory(tenants=(TenantId("walk-in"),), regions=(RegionId("me-dxb"),))
    assert difference.widens


@pytest.mark.parametrize(
    ("edit", "line", "widens"),
    [
        (("unknown: deny", "unknown: {assume: [DE]}"), "signals.geoip.unknown.assume: [DE] is new MAY WIDEN", True),
        (("unknown: deny", "max_age_days: 30"), "signals.geoip.max_age_days: 30 is new", False),
        (("unknown: deny", "also: [registered]"), "signals.geoip.also.registered: true is new", False),
        (("unknown: deny", "anonymous: locate"), "signals.geoip.anonymous.locate: true is new MAY WIDEN", True),
        (("mode: intersect", "mode: deny"), "conflict: deny is new", False),
        (("mode: intersect", "mode: prefer_verified"), "conflict: prefer_verified is new MAY WIDEN", True),
        (("trusted_hops: 1", "trusted_hops: 2"), "ingress.edge.trusted_hops: 1 becomes 2 MAY WIDEN", True),
        (("length: 2", "length: 3"), "plan.length: 3 is new", False),
        (("review_by: 2027-02-21", "review_by: 2027-03-21"), "policy.review_by: 2027-02-21 becomes 2027-03-21", False),
        (
            ("match: {jwt.tenant: clinic}", "match: {host: clinic.example}"),
            "tenants.eu-clinic.match: {claim: tenant, equals: clinic} becomes {host: clinic.example} MAY WIDEN",
            True,
        ),
        (
            ('{country: AE, models: {digits: {version: "1"}', '{country: AE, models: {digits: {version: "2"}'),
            "regions.me-dxb.models.digits.version: 1 becomes 2 MAY WIDEN",
            True,
        ),
        (
            ("cite: Federal Decree-Law 45/2021", "cite: another"),
            "regimes.uae.permits.ae.cite: Federal Decree-Law 45/2021 becomes another",
            False,
        ),
        (("header: x-data-class", "header: x-k"), "signals.class.header: x-data-class becomes x-k MAY WIDEN", True),
        (("may_replace: [geoip]", "tier: 1"), "signals.jwt.may_replace: [geoip] is gone", False),
    ],
)  # fmt: skip
def test_what_no_answer_shows(edit: tuple[str, str], line: str, *, widens: bool) -> None:
    if edit[1] == "tier: 1":
        edit = ("{tier: 1, claim: residency, may_replace: [geoip]}", "{tier: 1, claim: residency}")
    difference = compare(demo(), demo(edit))
    assert difference.changed == 0
    assert line in _told_of(edit)
    assert difference.widens is widens
    assert difference.differs


def test_names_that_the_author_chose_are_left_as_they_are() -> None:
    """A region may be called by a word of the language."""
    renamed = ("  me-dxb: {", "  payload: {")
    told = _told(demo(renamed), demo(renamed, ("rtt_ms: 120}", "rtt_ms: 121}")))
    assert "regions.payload.rtt_ms: 120 becomes 121" in told
