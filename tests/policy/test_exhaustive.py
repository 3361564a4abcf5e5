"""Everything that can be asked of every policy that we ship, asked of the compiled one and of the literal reading.

Why this is everything, though not every triple of 249 countries is tried:

* The language looks at the place of a request in three ways only: whether a territory that the policy writes down holds
  it (conditions, shards, hosts), whether a region stands in its country (`hub-and-spoke`), and whether two signals name
  the same one. So two places that stand in the same written territories and host no region are interchangeable, and
  where several signals meet, it is enough that each of them takes one place of every such group, and the same place
  twice. That the *compiled* policy really treats the places of a group alike is not presumed: every country, and every
  subdivision that ISO 3166-2 has, is asked for singly.
* A decision reads signals only to find the set of places that they name (`jurisdictions_of`). Every combination of
  signals is put to it, and every set of one or two places that some of them name is then judged for every tenant, class
  and model in every epoch. Sets of three, of which there are thousands, are all judged too, each for every fourth of
  those, in turn: this is the one part in which not every pairing is tried, and no rule looks at more than one place.
* Between the first and the last moment of an epoch no rule begins or ends; both moments are asked about, single places
  at the last one and sets of places at the first.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from itertools import count, cycle, product
from math import isinf
from pathlib import Path
from typing import Any

import pycountry
import pytest
from policy.asking import facts_of, ruled
from policy.literal import Literal, Question
from policy.random_laws import Written
from policy.strategies import read_plain

import extproc.policy
from extproc.core.decide import rule
from extproc.core.iso3166 import COUNTRIES
from extproc.core.jurisdiction import Undecided, jurisdictions_of
from extproc.policy import compile_policy, parse_policy
from extproc.policy.starter import PRESETS, compose

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_EXAMPLES = sorted((Path(extproc.policy.__file__).parent / "examples").glob("*.yaml"))
TEXTS: dict[str, Callable[[], str]] = {
    **{path.stem: path.read_text for path in [*_EXAMPLES, Path(__file__).parent / "full.yaml"]},
    **{
        f"{name}-{profile}": partial(compose, profile, name)
        for name, preset in PRESETS.items()
        for profile in preset.profiles
    },
}
SUBDIVISIONS = sorted(subdivision.code for subdivision in pycountry.subdivisions)
_TURNS = 4
_YEAR = timedelta(days=365)


@dataclass(frozen=True)
class _Context:
    """Everything of a request but where it is from."""

    tenant: str
    classes: tuple[str, ...]
    model: str
    first: datetime
    last: datetime
    """The first and the last moment of an epoch; of the one without an end, a moment in it."""

    def question(self, **signals: str | None) -> Question:
        return Question(tenant=self.tenant, model=self.model, classes=self.classes, signals=signals)


class _World:
    """One policy, compiled and literal, and everything that can be asked of it."""

    def __init__(self, text: str) -> None:
        self.policy = read_plain(text)
        self.literal = Literal(self.policy)
        self.compiled = compile_policy(parse_policy(text))

    @cached_property
    def contexts(self) -> list[_Context]:
        epochs = self.compiled.tables.epochs
        firsts = [datetime.fromtimestamp(epoch.starts_s, UTC) for epoch in epochs]
        lasts = [
            first + _YEAR if isinf(epoch.ends_s) else datetime.fromtimestamp(epoch.ends_s, UTC) - timedelta(seconds=1)
            for first, epoch in zip(firsts, epochs, strict=True)
        ]
        kinds: list[tuple[str, ...]] = [(), *((kind,) for kind in self.policy["classes"])]
        models = sorted({model for region in self.policy["regions"].values() for model in region["models"]})
        return [
            _Context(tenant, kind, model, first, last)
            for (first, last), tenant, kind, model in product(
                zip(firsts, lasts, strict=True), self.policy["tenants"], kinds, models
            )
            if kind != (self.policy["tenants"][tenant]["class"],)  # that is what the tenant says anyway
        ]

    @cached_property
    def places(self) -> list[str]:
        """Every country, the subdivisions that the policy names, and one beside each of them that it does not."""
        named = {name for name in _texts(self.policy) if "-" in name and name[:2] in COUNTRIES and len(name) <= 6}
        return sorted({*COUNTRIES, *named, *(f"{name[:2]}-ZZZ" for name in named)})

    @cached_property
    def groups(self) -> list[str]:
        """One place of each group that the policy can tell apart on some day."""
        found: dict[tuple[bool, ...], str] = {}
        days = [context.first.date() for context in self.contexts[:: len(self.contexts) // self.epochs]]
        names = sorted({name for name in _territories(self.policy) if name != "anywhere"})
        hosts = sorted({region["country"] for region in self.policy["regions"].values()})
        if "hubs" in self.policy.get("deployment", {}):
            names += hosts
        for place in self.places:
            looks = tuple(self.literal.rules.is_in(place, name, day) for day in days for name in names)
            found.setdefault(looks, place)
        return sorted(found.values())

    @property
    def epochs(self) -> int:
        return len(self.compiled.tables.epochs)

    def combinations(self) -> Iterator[dict[str, str | None]]:
        """Give every combination of signals that the policy reads, over one place of each group."""
        options: dict[str, list[Any]] = {}
        signals = self.policy["signals"]
        subjects = {tenant["subjects"] for tenant in self.policy["tenants"].values() if "subjects" in tenant}
        absent = object()
        if subjects:
            options["tenant"] = [absent, *sorted(subjects)]
        if "jwt" in signals:
            options["jwt"] = [absent, None, *self.groups]
        if "geoip" in signals:
            options["geoip"] = [None, *self.groups]
        if "header" in signals:
            options["header"] = [absent, *self.groups]
        for chosen in product(*options.values()):
            yield {source: said for source, said in zip(options, chosen, strict=True) if said is not absent}

    def check(self, asked: Question, now: datetime) -> None:
        """Hold the compiled policy against the literal one."""
        expected = replace(self.literal.answer(asked, now), plan=())
        tables, orders = self.compiled.tables, self.compiled.suspensions
        assert ruled(asked, tables, orders, now.timestamp()) == expected, (asked, now)


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - plain data
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _territories(policy: Written) -> Iterator[str]:
    """List the names of places that requests are held against."""
    for regime in policy["regimes"]:
        yield from _subjects(regime["when"])
    for shard in policy.get("deployment", {}).get("shards", []):
        yield from _texts(shard["subjects"])
    yield from policy["ingress"].get("redirect_hosts", {})


def _subjects(condition: Any) -> Iterator[str]:  # noqa: ANN401 - plain data
    if isinstance(condition, list):
        for part in condition:
            yield from _subjects(part)
    elif isinstance(condition, dict):
        yield from _texts(condition.get("subject_in", []))
        for word in ("any", "all"):
            yield from _subjects(condition.get(word, []))


@pytest.fixture(scope="module", params=TEXTS)
def world(request: pytest.FixtureRequest) -> _World:
    return _World(TEXTS[request.param]())


def test_every_country_singly_for_everybody_at_every_time(world: _World) -> None:
    """Each alone, and said again by a token, a header or both in turn, which changes nothing."""
    tables, orders = world.compiled.tables, world.compiled.suspensions
    others = cycle([("jwt",), ("header",), ("jwt", "header")])
    for context, place in product(world.contexts, world.places):
        now_s = context.last.timestamp()
        alone = context.question(geoip=place)
        world.check(alone, context.last)
        again = context.question(geoip=place, **dict.fromkeys(next(others), place))
        answers = [rule(facts_of(asked), tables, orders, now_s=now_s) for asked in (alone, again)]
        assert answers[0] == answers[1], (again, context.last)


def test_every_subdivision_there_is(world: _World) -> None:
    for code, context in zip(SUBDIVISIONS, cycle(world.contexts), strict=False):
        world.check(context.question(geoip=code), context.last)


def test_every_combination_of_signals_names_the_places_that_it_literally_names(world: _World) -> None:
    """For everybody in turn; the sets of places are then judged for everybody by the next test."""
    for signals, context in zip(world.combinations(), cycle(world.contexts), strict=False):
        world.check(context.question(**signals), context.first)


def test_every_set_of_places_that_signals_can_name(world: _World) -> None:
    """Each set once, by the first combination of signals that names it, for everybody at every time."""
    named: dict[object, dict[str, str | None]] = {}
    for signals in world.combinations():
        asked = facts_of(world.contexts[0].question(**signals))
        try:
            named.setdefault(jurisdictions_of(asked, world.compiled.tables), signals)
        except Undecided as undecided:
            named.setdefault(undecided.refusal, signals)
    singles = sum(len(getattr(key, "names", ())) == 1 for key in named)
    assert singles >= len(world.groups)
    many = count()
    for places, signals in named.items():
        # Three places, or the refusal of them: a part of the contexts for each, in turn, until all had as many.
        few = len(getattr(places, "names", ())) <= 2
        for context in world.contexts if few else world.contexts[next(many) % _TURNS :: _TURNS]:
            world.check(context.question(**signals), context.first)


def test_the_policies_tell_enough_places_apart_to_mean_something() -> None:
    assert len(TEXTS) >= 10
    groups = {name: len(_World(TEXTS[name]()).groups) for name in ("demo", "full")}
    assert groups["demo"] >= 4
    assert groups["full"] >= 5
