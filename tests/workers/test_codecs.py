"""What crosses a channel comes out as it went in."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from extproc.core.delivery import Attempt
from extproc.core.fitness import Unfit
from extproc.core.ids import Country, DecisionId, DependencyId, Jurisdiction, ModelId, RegionId
from extproc.core.reasons import Exclusion
from extproc.core.routing.health import HealthState
from extproc.core.routing.load import LoadReport
from extproc.core.routing.standing import Standing
from extproc.core.tables import Approval, Region
from extproc.wire.access_log import AttemptEnded, Ended, RequestEnded
from extproc.workers.codecs import (
    format_fitness,
    format_regions,
    format_standing,
    format_tried,
    parse_fitness,
    parse_regions,
    parse_standing,
    parse_tried,
)
from extproc.workers.reports import format_report, parse_report

_seconds = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
_names = st.text(min_size=1, max_size=8)
_regions = _names.map(RegionId)
_models = _names.map(ModelId)


_attempts = st.builds(
    Attempt,
    cluster=_names,
    region=st.none() | _regions,
    status=st.integers(0, 599),
    began_at_s=_seconds,
    duration_s=_seconds,
    flags=st.lists(_names).map(tuple),
)
_ids = st.none() | st.uuids().map(lambda each: DecisionId(str(each)))
_loads = st.builds(LoadReport, utilization=st.none() | _seconds, queued=st.none() | _seconds, at_s=_seconds)


@given(
    _regions,
    st.builds(
        Standing,
        state=st.sampled_from(HealthState),
        observed_at_s=_seconds,
        latency_s=st.none() | _seconds,
        budget=_seconds | st.just(inf),
        cap=_seconds | st.just(inf),
        cap_until_s=_seconds,
        up_since_s=_seconds,
        missing_slo=st.booleans(),
    ),
)
def test_a_standing(region: RegionId, standing: Standing) -> None:
    assert parse_standing(format_standing(region, standing)) == (region, standing)


@given(
    st.dictionaries(
        _models,
        st.lists(
            st.builds(
                Unfit,
                region=_regions,
                why=st.sampled_from(Exclusion),
                by=st.none() | _names.map(DependencyId),
            )
        ).map(tuple),
    )
)
def test_fitness(fitness: dict[ModelId, tuple[Unfit, ...]]) -> None:
    region = Region(id=RegionId("eu-fra"), country=Country("DE"), cluster="eu-fra", models={})
    assert parse_fitness(format_fitness(fitness, format_regions((region,)))) == (fitness, (region,))


@given(
    st.lists(
        st.builds(
            Region,
            id=_regions,
            country=_names.map(Country),
            cluster=_names,
            models=st.dictionaries(
                _models,
                st.builds(Approval, version=st.none() | _names, digest=st.none() | _names, slo_s=st.none() | _seconds),
            ),
            subdivision=st.none() | _names.map(Jurisdiction),
            certs=st.frozensets(_names),
            rtt_s=st.none() | _seconds,
            capacity=st.none() | st.integers(1, 1000),
            quota=st.none() | st.integers(1, 1000),
            slo_s=st.none() | _seconds,
            needs=st.dictionaries(_names.map(DependencyId), _seconds),
        ),
        max_size=3,
    )
)
def test_a_catalogue(regions: list[Region]) -> None:
    assert parse_regions(format_regions(regions)) == tuple(regions)


@given(_regions, _attempts, st.none() | _models, st.none() | _seconds, st.none() | _loads)
def test_an_attempt_for_the_board(
    region: RegionId, attempt: Attempt, model: ModelId | None, first_byte_s: float | None, load: LoadReport | None
) -> None:
    body = format_tried(region, attempt, model=model, first_byte_s=first_byte_s, load=load)
    assert parse_tried(body) == (region, attempt, {"model": model, "first_byte_s": first_byte_s, "load": load})


@given(
    st.builds(AttemptEnded, decision=_ids, attempt=_attempts, first_byte_s=st.none() | _seconds, load=st.text())
    | st.builds(
        RequestEnded,
        decision=_ids,
        attempts=st.integers(0, 10),
        served=st.none() | _regions,
        status=st.integers(0, 599),
        began_at_s=_seconds,
        duration_s=_seconds,
    )
)
def test_a_report(ended: Ended) -> None:
    assert parse_report(format_report(ended)) == ended
