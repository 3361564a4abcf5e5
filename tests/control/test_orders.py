"""What an order must have, and what it makes of an override file."""

from dataclasses import replace
from pathlib import Path

import pytest
from control.world import NOW_S, order
from hypothesis import given
from hypothesis import strategies as st

from extproc.control.errors import OrderError
from extproc.control.orders import Action, CarriedOut, carry_out, check_known, parse_order
from extproc.core.ids import OverrideId
from extproc.core.overrides import Suspension, TargetKind
from extproc.policy.override_file import Orders, change_overrides, load_orders

_RESUME = order(until=None, reason="lifted")


def test_a_complete_order_is_read() -> None:
    read = parse_order(Action.SUSPEND, order(approved_by=[" B. Officer ", "A. Counsel"]), now_s=NOW_S)
    assert read.target == (TargetKind.REGION, "eu-fra")
    assert read.approved_by == ("A. Counsel", "B. Officer")
    assert read.until_s == 4_070_995_200.0  # the end of the day
    assert parse_order(Action.RESUME, _RESUME, now_s=NOW_S).until_s is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"approved_by": None}, "two approvers"),
        ({"approved_by": ["a"]}, "two approvers"),
        ({"approved_by": ["a", " A "]}, "two different people"),
        ({"approved_by": ["A. Counsel", "a.  counsel"]}, "two different people"),
        ({"approved_by": ["A. Counsel", "A.\u00a0Counsel"]}, "cannot be shown"),
        ({"approved_by": ["\uff21", "a"]}, "two different people"),  # a full-width A
        ({"approved_by": ["a", ""]}, "an approver"),
        ({"approved_by": ["a", 7]}, "an approver"),
        ({"approved_by": ["a", "b" * 201]}, "at most 200"),
        ({"approved_by": [str(n) for n in range(17)]}, "at most 16"),
        ({"approved_by": "ab"}, "two approvers"),
        ({"reason": None}, "words for 'reason'"),
        ({"reason": "  "}, "words for 'reason'"),
        ({"reason": "x" * 1001}, "at most 1000"),
        ({"reason": "a\x1b[2Jb"}, "cannot be shown"),
        ({"reason": "a\nb"}, "cannot be shown"),
        ({"reason": "\ud800"}, "cannot be shown"),
        ({"reason": "\u202egnitirw"}, "cannot be shown"),
        ({"reason": ["x"]}, "words for 'reason'"),
        ({"region": None}, "about one thing"),
        ({"model": "m"}, "about one thing"),
        ({"region": "x" * 261}, "at most 260"),
        ({"until": None}, "ends some time"),
        ({"until": 4}, "ends some time"),
        ({"until": "soon"}, "'soon' is not a moment"),
        ({"until": "2001-01-01"}, "has passed"),
        ({"until": "2027-01-15T08:00:00Z"}, "has passed"),  # NOW_S to the second
        ({"until": "\x1b[2J"}, r"'\?\[2J' is not a moment"),
        ({"tenant": "acme"}, "has no 'tenant'"),
    ],
)
def test_an_order_that_is_not_complete_is_refused_with_the_mend(changes: dict[str, object], said: str) -> None:
    with pytest.raises(OrderError, match=said) as refused:
        parse_order(Action.SUSPEND, order(**changes), now_s=NOW_S)
    assert "Mend: " in str(refused.value)


@pytest.mark.parametrize("changes", [{"approved_by": ["a"]}, {"reason": ""}, {"until": "2099-01-01"}])
def test_resuming_needs_as_much_as_suspending(changes: dict[str, object]) -> None:
    with pytest.raises(OrderError, match="Mend: "):
        parse_order(Action.RESUME, {**_RESUME, **changes}, now_s=NOW_S)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
_KEYS = st.sampled_from(["region", "permit", "model", "reason", "until", "approved_by", "x"])


@pytest.mark.slow
@given(action=st.sampled_from(Action), document=_JSON | st.dictionaries(_KEYS, _JSON))
def test_whatever_comes_is_an_order_or_refused(action: Action, document: object) -> None:
    try:
        read = parse_order(action, document, now_s=NOW_S)
    except OrderError as refused:
        assert "Mend: " in str(refused)  # noqa: PT017 - an order that is read is looked at too
    else:
        assert len(read.approved_by) >= 2
        assert read.reason


@pytest.mark.slow
@given(text=st.text(min_size=1, max_size=60))
def test_what_is_taken_can_be_written_and_read_again(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    try:
        read = parse_order(Action.SUSPEND, order(region=text, reason=text, approved_by=[text, "b", "c"]), now_s=NOW_S)
    except OrderError:
        return
    path = tmp_path_factory.mktemp("orders") / "overrides.yaml"
    (written,) = carry_out(read, path, now_s=NOW_S).added
    assert load_orders(path).suspensions == (written,)
    assert (written.name, written.reason, written.approved_by) == (read.name, read.reason, read.approved_by)


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        (
            "eu-fro",
            ["eu-ams", "eu-fra"],
            "has no region 'eu-fro'. Mend: did you mean 'eu-fra'? name one of eu-ams, eu-fra",
        ),
        ("zz", ["eu-fra"], "has no region 'zz'. Mend: name one of eu-fra"),
        ("zz", [], "Mend: there is no region to name"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, known: list[str], said: str) -> None:
    read = parse_order(Action.SUSPEND, order(region=name), now_s=NOW_S)
    with pytest.raises(OrderError) as refused:
        check_known(read, known, "the policy")
    assert said in str(refused.value)


def _give(path: Path, action: Action, **changes: object) -> CarriedOut:
    document = order(**changes) if action is Action.SUSPEND else order(until=None, **changes)
    return carry_out(parse_order(action, document, now_s=NOW_S), path, now_s=NOW_S)


def test_to_resume_ends_all_that_suspend_it_and_says_who_and_why(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    first, other, second = (
        _give(path, Action.SUSPEND, **each).added[0].id
        for each in ({}, {"region": None, "model": "eu-fra"}, {"reason": "another"})
    )
    done = _give(path, Action.RESUME, reason="lifted", approved_by=["C", "D"])
    assert [each.id for each in done.ended] == [first, second]
    assert [each.id for each in done.orders.suspensions] == [other]
    assert load_orders(path) == done.orders
    assert {(each.order, each.reason, each.approved_by, each.at_s) for each in done.orders.resumptions} == {
        (first, "lifted", ("C", "D"), NOW_S),
        (second, "lifted", ("C", "D"), NOW_S),
    }
    # An id that was used is never used again: it stands in the log.
    assert _give(path, Action.SUSPEND).added[0].id not in {first, other, second}


def test_to_resume_what_is_not_suspended_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    kept = Suspension(
        id=OverrideId("LT-1"),
        kind=TargetKind.REGION,
        name="eu-ams",
        reason="x",
        from_s=NOW_S,
        until_s=None,
        approved_by=("a",),
    )
    change_overrides(path, lambda _: Orders(suspensions=(kept, replace(kept, id=OverrideId("LT-2")))))
    before = path.read_bytes()
    with pytest.raises(OrderError, match="no suspension of the region 'eu-fra'"):
        _give(path, Action.RESUME)
    assert path.read_bytes() == before
