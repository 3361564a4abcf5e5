"""Differences as they are told, from the demo's policy and edits of it."""

from dataclasses import replace

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
    # The sum first, then what was written, then what that does.
    assert told[2:] == [
        "The texts differ, though both are version 1.",
        "74 of 2,241 answers change (74 narrowed), from 2026-11-21 on.",
        "Written differently (what it does to the answers compared is told below)",
        "tenants.acme-bank.mechanisms.dpf: {} is gone",
        "Narrowed: permitted in fewer regions, or refused now",
        "personal and public data of tenant acme-bank's subjects in the EEA may no longer go to us-iad",
    ]


def test_another_version_is_not_said_to_be_the_same() -> None:
    assert not any(
        "The texts differ" in line for line in _told_of(("length: 2", "length: 3"), ("version: 1\n", "version: 2\n"))
    )


def test_tenants_of_other_classes_are_told_in_one_sentence_where_it_is_the_same() -> None:
    special = ("    match: anonymous\n    class: personal", "    match: anonymous\n    class: special")
    told = _told(demo(special), demo(special, ("plan: {length: 2}", f"{ORDER}\nplan: {{length: 2}}")))
    line = "- data of every class of subjects in the EEA and the United States for tenants acme-bank and walk-in"
    assert told.count(line) == 1
    assert sum("walk-in" in each for each in told) == 1


_FRA = "eu-fra: {country: DE,"
_NEEDS = "eu-fra: {needs: {vectors: {max_age_s: 300}}, country: DE,"
_DIGEST = "sha256:" + "a" * 64
_BOUND = (
    'country: DE, models: {digits: {version: "1"',
    f'country: DE, models: {{digits: {{digest: "{_DIGEST}", version: "1"',
)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ((_FRA, _NEEDS), (_FRA, _FRA), "regions.eu-fra.needs: {vectors: {max_age_s: 300}} is gone MAY WIDEN"),
        ((_FRA, _FRA), (_FRA, _NEEDS), "regions.eu-fra.needs: {vectors: {max_age_s: 300}} is new"),
        (
            (_FRA, _NEEDS),
            (_FRA, _NEEDS.replace("300", "301")),
            "regions.eu-fra.needs.vectors.max_age_s: 300 becomes 301 MAY WIDEN",
        ),
        (
            (_FRA, _NEEDS),
            (_FRA, _NEEDS.replace("300", "30")),
            "regions.eu-fra.needs.vectors.max_age_s: 300 becomes 30",
        ),
        (
            (_FRA, _NEEDS.replace("vectors", "a: {max_age_s: 1}, vectors")),
            (_FRA, _NEEDS),
            "regions.eu-fra.needs.a: {max_age_s: 1} is gone MAY WIDEN",
        ),
        (_BOUND, (_FRA, _FRA), f"regions.eu-fra.models.digits.digest: {_DIGEST} is gone MAY WIDEN"),
        ((_FRA, _FRA), _BOUND, f"regions.eu-fra.models.digits.digest: {_DIGEST} is new"),
        ((_FRA, _FRA), (_FRA, f"{_FRA.replace('{', '{capacity: 9, ')}"), "regions.eu-fra.capacity: 9 is new"),
        ((_FRA, _FRA), (_FRA, f"{_FRA.replace('{', '{quota: 9, ')}"), "regions.eu-fra.quota: 9 is new"),
        ((_FRA, _FRA), (_FRA, f"{_FRA.replace('{', '{slo_ms: 9, ')}"), "regions.eu-fra.slo_ms: 9 is new"),
        (
            (_FRA, _FRA),
            (_FRA, f"{_FRA.replace('{', '{recovery: {rto_s: 9}, ')}"),
            "regions.eu-fra.recovery: {rto_s: 9} is new",
        ),
        (
            ("conflict:", "deployment: {pattern: active-active, weights: {eu-fra: 2}}\nconflict:"),
            ("conflict:", "deployment: {pattern: active-active, drain: [eu-*], weights: {eu-fra: 3}}\nconflict:"),
            "deployment.weights.eu-fra: 2 becomes 3",
        ),
        ((_FRA, _FRA), ("conflict:", "affinity: {header: x-s}\nconflict:"), "affinity.header: x-s is new"),
    ],
)
def test_what_a_region_is_held_to_is_told_with_whether_it_may_widen(
    before: tuple[str, str], after: tuple[str, str], line: str
) -> None:
    a, b = demo(before), demo(after)
    told = _told(a, b)
    assert "Written differently, where answers do not show it" in told
    assert line in told
    assert compare(a, b).widens == line.endswith("MAY WIDEN")


def test_policies_that_share_no_model_cannot_be_compared() -> None:
    a, b = demo(), demo(("digits", "letters"))
    difference, told = compare(a, b), _told(a, b)
    assert (difference.asked, difference.alone_before, difference.alone_after) == (0, 2241, 2241)
    assert "0 answers could be compared: the policies share no model." in told
    assert "Written differently, with effects that could not be compared" in told
    assert "regions.eu-ams.models.letters: {version: 1} is new" in told
    assert not any("below" in line or "above" in line for line in told)
    # Nobody can tell, so it counts as if it widened, even where nothing is added.
    assert replace(difference, added=Inventory(), changes=(), edits=difference.edits[:1]).widens
    assert compare(a, a).asked
    assert not compare(a, a).widens


def test_policies_that_share_no_tenant_cannot_be_compared() -> None:
    renamed = (("  acme-bank:", "  a:"), ("  eu-clinic:", "  b:"), ("  walk-in:", "  c:"), ("digits", "letters"))
    assert "0 answers could be compared: the policies share no tenant." in _told_of(*renamed[:3])
    assert "0 answers could be compared: the policies share no tenant and no model." in _told_of(*renamed)


def test_a_tenant_of_another_name_is_counted_as_not_compared() -> None:
    told = _told_of(("  walk-in:", "  stranger:"))
    assert "No answer changes, of 1,494 answers, from 2026-11-21 on." in told
    for side, other in (("before", "after"), ("after", "before")):
        why = f"the one {other} lacks the tenant, the model or the class"
        assert f"747 answers of the policy {side} could not be compared: {why}." in told
    assert "Written differently, without an effect on any answer that was compared" in told


def test_long_and_many_edits_are_told_in_brief_where_their_effects_follow() -> None:
    regime = """  - id: br
    when: {subject_in: BR}
    permits: [{id: br, to: US, basis: internal, cite: of a length that nobody wants to read here, confidence: low}]
"""
    governed = "  - id: us\n    when"
    tenants = "".join(f"  t{n}: {{match: {{jwt.tenant: t{n}}}, class: personal}}\n" for n in range(30))
    told = _told_of((governed, regime + governed), ("tenants:\n", f"tenants:\n{tenants}"))
    assert "regimes.br is new" in told
    assert any(line.endswith(" more (--json lists each)") for line in told)


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
    assert any(
        "in Brazil for tenants acme-bank and walk-in may now go to" in line
        and "refused, ungoverned_jurisdiction" in line
        for line in ends
    )
    assert any(
        "in Brazil for tenants acme-bank and walk-in may no longer go anywhere" in line
        and "ungoverned_jurisdiction: no" in line
        for line in begins
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
        "in the United Arab Emirates for tenants acme-bank and walk-in becomes a transfer to me-dxb: it rests on "
        "uae.ae (derogation, a transfer), no longer on uae.ae (internal)" in line
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
