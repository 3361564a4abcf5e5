"""What regions depend on: how often it is asked, and of when its data is."""

import asyncio
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals.servers import HANG, http, serving

from extproc.core.fitness import Freshness
from extproc.core.ids import Country, DependencyId, ModelId, RegionId
from extproc.core.tables import Approval, Region
from extproc.signals.asking import Answer, Silence, asking
from extproc.signals.dependencies import Ahead, ask_forever, freshness_of, parse_http_date, period_of

FRA, VECTORS = RegionId("eu-fra"), DependencyId("vectors")
AT_S = 1_800_000_000.0
HOUR_AGO = "Fri, 15 Jan 2027 07:00:00 GMT"
HOUR_AHEAD = "Fri, 15 Jan 2027 09:00:00 GMT"


def region(**needs: float) -> Region:
    return Region(
        id=FRA,
        country=Country("DE"),
        cluster="eu-fra",
        models={ModelId("digits"): Approval()},
        needs={DependencyId(name): age for name, age in needs.items()},
    )


@pytest.mark.parametrize(
    ("max_age_s", "period_s"), [(300.0, 5.0), (15.0, 5.0), (6.0, 2.0), (0.3, 0.2), (0.0, 0.2), (None, 5.0)]
)
def test_it_is_asked_three_times_within_its_age(max_age_s: float | None, period_s: float) -> None:
    assert period_of(max_age_s) == period_s


@pytest.mark.parametrize(
    ("said", "as_of_s"),
    [
        (http(), AT_S),
        (http(last_modified=HOUR_AGO), AT_S - 3600),
        (http(last_modified=HOUR_AHEAD), AT_S),
        (http(last_modified=""), None),
        (http(last_modified="yesterday"), None),
        (http(last_modified=f"{HOUR_AGO}, {HOUR_AHEAD}"), None),
        (http(status=204), None),
        (http(status=304), None),
        (http(status=302, location="http://127.0.0.1:1/"), None),
        (http(status=500), None),
        (b"hello\r\n\r\n", None),
        (http(body=b"x" * 1_000_000), AT_S),
        (HANG, None),
    ],
)
@pytest.mark.slow
async def test_of_when_the_data_is(said: bytes, as_of_s: float | None) -> None:
    async with serving(said) as server, asking(2) as asker:
        answer = await asker.ask(f"http://{server.place}/freshness")
    assert freshness_of(answer, AT_S) == (None if as_of_s is None else Freshness(as_of_s=as_of_s))


def dated(at_s: float) -> Answer:
    written = format_datetime(datetime.fromtimestamp(at_s, UTC), usegmt=True)
    return Answer(status=200, headers=httpx.Headers({"last-modified": written}), body=b"", took_s=0.01)


@pytest.mark.parametrize(
    ("what", "told", "as_of_s"),
    [
        ("nobody renews the data: it is from when it was told first", [(3600, 0), (3600, 5), (3600, 3000)], 0),
        ("it is renewed", [(3600, 0), (3600, 5), (3605, 6)], 6),
        ("another server that is behind has its turn", [(3600, 0), (3500, 5)], 0),
        ("the server's clock is set right", [(3600, 0), (40, 50)], 40),
        ("and goes wrong again", [(3600, 0), (40, 50), (3600, 60)], 60),
        ("our clock is set back, with the data as before", [(100, 100), (100, 0), (100, 50)], 0),
        ("our clock catches up", [(100, 0), (100, 99), (100, 200)], 100),
    ],
)
def test_a_date_that_lies_ahead_keeps_nothing_fresh(what: str, told: list[tuple[float, float]], as_of_s: float) -> None:
    ahead = Ahead()
    said = [freshness_of(dated(AT_S + date_s), AT_S + asked_s, ahead) for date_s, asked_s in told]
    assert said[-1] == Freshness(as_of_s=AT_S + as_of_s), what


async def test_nobody_there_says_nothing() -> None:
    async with serving(http()) as server:
        pass
    async with asking(2) as asker:
        answer = await asker.ask(f"http://{server.place}/freshness")
    assert answer is Silence.UNREACHED
    assert freshness_of(answer, AT_S) is None


async def test_only_what_the_policy_needs_is_asked_and_each_answer_is_told() -> None:
    told: asyncio.Queue[tuple[RegionId, DependencyId, Freshness]] = asyncio.Queue()
    async with serving(http()) as server, serving(http()) as unneeded:
        urls = {
            FRA: {VECTORS: f"http://{server.place}/freshness", DependencyId("gone"): f"http://{unneeded.place}/"},
            RegionId("elsewhere"): {VECTORS: f"http://{unneeded.place}/"},
        }
        asking_on = asyncio.create_task(
            ask_forever(urls, lambda: [region(vectors=0.1)], lambda *said: told.put_nowait(said), clock=lambda: AT_S)
        )
        try:
            async with asyncio.timeout(5):
                assert await told.get() == (FRA, VECTORS, Freshness(as_of_s=AT_S))
                assert await told.get() == (FRA, VECTORS, Freshness(as_of_s=AT_S))
        finally:
            asking_on.cancel()
            await asyncio.wait([asking_on])
        assert unneeded.asked == []
        assert server.connections == 1


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_every_http_date_is_read(at: datetime) -> None:
    at = at.replace(microsecond=0)
    assert parse_http_date(format_datetime(at, usegmt=True)) == at.timestamp()


@given(st.text())
def test_no_other_text_is_a_date(written: str) -> None:
    assert parse_http_date(written) is None


@pytest.mark.parametrize(
    "written",
    [
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Wed, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
    ],
)
def test_other_dates_say_nothing(written: str) -> None:
    assert parse_http_date(written) is None
