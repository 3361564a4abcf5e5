"""Everything dated is told in order of time, with what it does."""

from datetime import date

from review.world import changed, compiled

from extproc.review.expiries import Event, dated_in, foresee
from extproc.review.what_if import Effect

_TODAY = date(2026, 12, 1)


def test_all_dates_come_in_order() -> None:
    found = [(each.day.isoformat(), each.event, each.subject) for each in dated_in(compiled().document)]
    assert found == [
        ("2026-11-21", Event.BEGINS, "the policy"),
        ("2026-12-01", Event.ASKED, "test bank in France"),
        ("2026-12-01", Event.ASKED, "test special stays"),
        ("2026-12-15", Event.REVIEW, "permit gdpr.dpf"),
        ("2027-01-01", Event.ENDS, "permit gdpr.dpf"),
        ("2027-01-10", Event.BEGINS, "order LT-1"),
        ("2027-01-21", Event.ENDS, "order LT-1"),
        ("2027-02-21", Event.REVIEW, "the policy"),
        ("2027-06-01", Event.ENDS, "zone NEAR: BR"),
    ]


def test_each_date_says_what_it_does_to_the_answers() -> None:
    by_day = {each.day.isoformat(): each for each in foresee(compiled(), _TODAY)}
    ends = by_day["2027-01-01"].effect
    assert ends is not None
    assert {tuple(who.tenants) for group in ends.groups for who in group.who} == {("bank",)}
    assert all(set(group.before.permitted) - set(group.after.permitted) == {"us-iad"} for group in ends.groups)
    suspended, resumed = by_day["2027-01-10"].effect, by_day["2027-01-21"].effect
    assert suspended is not None
    assert resumed is not None
    assert resumed.count(Effect.WIDENED) == resumed.changed == suspended.changed > 0
    assert by_day["2026-12-15"].effect is None
    member = by_day["2027-06-01"].effect
    assert member is not None
    assert {region for group in member.groups for region in group.before.permitted} >= {"br-gru"}
    assert all("br-gru" not in group.after.permitted for group in member.groups)


def test_a_date_without_consequence_says_so() -> None:
    unused = changed(("NEAR: [{country: BR", "NEAR: [{country: JP, valid_until: 2027-05-31}, {country: BR"))
    by_day = {
        each.day.isoformat(): each for each in foresee(compiled(unused.replace("to: NEAR", "to: [BR, CL]")), _TODAY)
    }
    effect = by_day["2027-06-01"].effect
    assert effect is not None
    assert effect.changed == 0


def test_what_has_ended_is_past_and_a_review_that_nobody_made_is_not() -> None:
    late = {each.day.isoformat(): each for each in foresee(compiled(), date(2027, 1, 5))}
    assert "2027-01-01" not in late
    review = late["2026-12-15"]
    assert review.overdue
    assert review.due_within(0)
    assert review.in_days == -21
    assert late["2026-12-01"].events[0].event is Event.ASKED
    assert not late["2026-12-01"].due_within(90)


def test_only_duties_are_due_and_only_within_the_days() -> None:
    due = {
        days: [each.day.isoformat() for each in foresee(compiled(), _TODAY) if each.due_within(days)]
        for days in (13, 14, 31, 60)
    }
    assert due[13] == []
    assert due[14] == ["2026-12-15"]
    assert due[31] == ["2026-12-15", "2027-01-01"]
    assert due[60] == ["2026-12-15", "2027-01-01", "2027-01-21"]
    assert [each.day.isoformat() for each in foresee(compiled(), _TODAY, within=14)] == ["2026-12-01", "2026-12-15"]
