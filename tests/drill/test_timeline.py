"""When service was there again, of made-up requests."""

from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.drill.timeline import HOLD_S, Sent, recovered, relapses

_EACH_S = 0.05


def _line(pattern: str, each_s: float = 0.1) -> list[Sent]:
    """One request each tenth of a second: `+` was served properly, `-` was not."""
    return [
        Sent(at_s=index * each_s, ended_s=index * each_s + 0.02, proper=mark == "+")
        for index, mark in enumerate(pattern)
    ]


def test_service_is_there_again_with_the_first_proper_answer_that_a_second_of_such_follows() -> None:
    sent = _line("+++---+++++-++++++++++++")
    back = recovered(sent, 0.25)
    assert back == sent[12]
    assert relapses(sent, sent[12]) == 0


def test_what_was_not_watched_for_a_second_is_not_known() -> None:
    assert recovered(_line("---++++++++++"), 0.0) is None
    assert recovered(_line("---+++++++++++"), 0.0) == _line("---+++++++++++")[3]
    assert recovered([], 0.0) is None


def test_what_comes_later_does_not_make_up_for_a_begin_that_is_slow() -> None:
    # Every second request is slow for half a second, and none after that.
    sent = _line("+-" * 25 + "+" * 250, 0.01)
    assert recovered(sent, 0.0, share=0.5) == sent[0]
    found = recovered(sent, 0.0, share=0.5, at_first=0.6)
    assert found is not None
    assert 0.28 <= found.at_s <= 0.32


def test_a_share_may_be_slow() -> None:
    sent = _line("+----------+-+-+-+-+-+-+-+-")
    assert recovered(sent, 0.1) is None
    assert recovered(sent, 0.1, share=0.5) == sent[11]
    assert relapses(sent, sent[11], share=0.5) == 0
    assert relapses(sent, sent[11]) == 8


def test_a_relapse_is_counted_by_its_requests() -> None:
    sent = _line("-+++++++++++++--+++---++")
    back = recovered(sent, 0.0)
    assert back is not None
    assert back == sent[1]
    assert relapses(sent, back) == 5


_proper = st.lists(st.booleans(), max_size=120)


@settings(max_examples=30)
@given(_proper, st.floats(0, 4), st.sampled_from([0.5, 0.9, 1.0]))
def test_whatever_is_found_is_what_it_says(marks: list[bool], since_s: float, share: float) -> None:
    sent = [Sent(at_s=i * _EACH_S, ended_s=i * _EACH_S + 0.01, proper=mark) for i, mark in enumerate(marks)]
    back = recovered(sent, since_s, share=share)
    if back is None:
        candidates = [each for each in sent if each.at_s >= since_s and each.proper]
    else:
        assert back.proper
        assert back.at_s >= since_s
        assert _held(sent, back, share)
        candidates = [each for each in sent if since_s <= each.at_s < back.at_s and each.proper]
    # Nobody earlier would have done.
    assert not any(_held(sent, each, share) for each in candidates)


def _held(sent: list[Sent], since: Sent, share: float) -> bool:
    window = [each for each in sent if since.at_s <= each.at_s < since.at_s + HOLD_S]
    whole = any(each.at_s >= since.at_s + HOLD_S for each in sent)
    return whole and sum(each.proper for each in window) >= share * len(window)


@settings(max_examples=30)
@given(_proper, st.randoms())
def test_the_order_in_which_answers_came_does_not_matter(marks: list[bool], random: object) -> None:
    sent = [Sent(at_s=i * _EACH_S, ended_s=i * _EACH_S + 0.01, proper=mark) for i, mark in enumerate(marks)]
    mixed = list(sent)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert recovered(mixed, 0.0) == recovered(sent, 0.0)


@settings(max_examples=30)
@given(_proper)
def test_with_every_request_proper_there_is_no_relapse(marks: list[bool]) -> None:
    sent = [Sent(at_s=i * _EACH_S, ended_s=i * _EACH_S, proper=True) for i in range(len(marks) + 30)]
    assert recovered(sent, 0.0) == sent[0]
    assert relapses(sent, sent[0]) == 0
    broken = [Sent(at_s=e.at_s, ended_s=e.ended_s, proper=m) for e, m in zip(sent, marks, strict=False)]
    assert relapses(broken, sent[0]) == marks.count(False)
