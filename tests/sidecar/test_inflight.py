"""Requests in flight are counted where they are, and nowhere else."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from extproc.core.ids import DecisionId, RegionId
from extproc.sidecar.inflight import InFlight, OwnCounters

FRA, AMS, IAD, GONE = (RegionId(name) for name in ("eu-fra", "eu-ams", "us-iad", "gone"))
CATALOGUE = (AMS, FRA, IAD)
LONGEST_S = 60.0


def _in_flight(*, reporting: bool = True) -> InFlight:
    made = InFlight(OwnCounters(len(CATALOGUE)), CATALOGUE, longest_s=LONGEST_S)
    if reporting:
        made.opened()
    return made


def _id(number: int) -> DecisionId:
    return DecisionId(f"d{number}")


def test_a_request_counts_in_the_first_region_of_its_plan_until_it_ends() -> None:
    requests = _in_flight()
    requests.began(_id(1), (FRA, AMS), 0.0)
    requests.began(_id(2), (FRA,), 0.0)
    assert list(requests.at(CATALOGUE)) == [0, 2, 0]
    assert (requests.of(FRA), requests.of(AMS), requests.of(GONE)) == (2, 0, 0)
    requests.ended(_id(1))
    requests.ended(_id(1))
    assert list(requests.at(CATALOGUE)) == [0, 1, 0]


def test_after_a_failed_attempt_it_counts_in_the_next_region() -> None:
    requests = _in_flight()
    requests.began(_id(1), (FRA, AMS, IAD), 0.0)
    requests.left(_id(1), IAD)  # not where it is: a report out of order
    assert requests.of(FRA) == 1
    requests.left(_id(1), FRA)
    assert (requests.of(FRA), requests.of(AMS)) == (0, 1)
    requests.left(_id(1), AMS)
    requests.left(_id(1), IAD)  # the last one: the request is about to end
    assert (requests.of(AMS), requests.of(IAD)) == (0, 1)
    requests.ended(_id(1))
    assert list(requests.at(CATALOGUE)) == [0, 0, 0]


def test_nothing_is_counted_while_envoy_reports_nothing() -> None:
    requests = _in_flight(reporting=False)
    assert requests.streams == 0
    requests.began(_id(1), (FRA,), 0.0)
    assert requests.at(CATALOGUE) == ()
    requests.opened()
    requests.opened()
    requests.began(_id(2), (FRA,), 0.0)
    requests.closed()
    assert requests.of(FRA) == 1
    requests.closed()
    assert requests.at(CATALOGUE) == ()
    requests.opened()
    assert list(requests.at(CATALOGUE)) == [0, 0, 0]


def test_a_request_whose_report_was_lost_is_given_up() -> None:
    requests = _in_flight()
    requests.began(_id(1), (FRA,), 0.0)
    requests.began(_id(2), (FRA,), 30.0)
    requests.settle(LONGEST_S)
    assert requests.of(FRA) == 1
    requests.settle(LONGEST_S + 30.0)
    assert requests.of(FRA) == 0


def test_a_policy_with_fewer_regions_gets_the_counts_of_its_own() -> None:
    requests = _in_flight()
    requests.began(_id(1), (IAD,), 0.0)
    assert list(requests.at((FRA, IAD))) == [0, 1]
    requests.began(_id(2), (GONE,), 0.0)
    assert list(requests.at(CATALOGUE)) == [0, 0, 1]


@dataclass
class _Model:
    """What should be counted: the position of each request in its plan."""

    at: dict[DecisionId, tuple[tuple[RegionId, ...], int]] = field(default_factory=dict)

    def counts(self) -> list[int]:
        here = [plan[position] for plan, position in self.at.values()]
        return [here.count(region) for region in CATALOGUE]


_plans = st.permutations(CATALOGUE).flatmap(lambda order: st.integers(1, 3).map(lambda n: tuple(order[:n])))
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("began"), st.integers(0, 20), _plans),
        st.tuples(st.just("left"), st.integers(0, 20), st.sampled_from(CATALOGUE)),
        st.tuples(st.just("ended"), st.integers(0, 20), st.none()),
    ),
    max_size=60,
)


@given(_steps)
def test_whatever_is_reported_in_whatever_order_the_counts_are_those_of_the_requests(
    steps: list[tuple[str, int, object]],
) -> None:
    requests, model, begun = _in_flight(), _Model(), set[DecisionId]()
    for what, number, value in steps:
        decision = _id(number)
        if what == "began" and isinstance(value, tuple) and decision not in begun:
            begun.add(decision)  # an id is used once
            requests.began(decision, value, 0.0)
            model.at[decision] = (value, 0)
        elif what == "left" and isinstance(value, str):
            requests.left(decision, RegionId(value))
            plan, position = model.at.get(decision, ((), 0))
            if plan and plan[position] == value and position + 1 < len(plan):
                model.at[decision] = (plan, position + 1)
        elif what == "ended":
            requests.ended(decision)
            model.at.pop(decision, None)
        assert list(requests.at(CATALOGUE)) == model.counts()
