"""Random policies that are valid, as plain data, and requests to put to them. For the tests of other packages too."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from hypothesis import strategies as st
from policy.random_policies import CLASSES, DAYS, PLACES, Written, random_policy
from ruamel.yaml import YAML
from support.tables import TIERS

from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source
from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId

TENANTS = ["acme", "clinic", "shop", "walk-in"]
MODELS = ["digits", "fraud"]

_ASKED = [*PLACES, "CA-ON", "NL", "ZA"]
_SOURCES: list[tuple[Source, ...]] = [
    *[(Source.GEOIP,)] * 6,
    (Source.JWT, Source.GEOIP),
    (Source.GEOIP, Source.HEADER),
    (Source.TENANT, Source.GEOIP),
    (Source.TENANT, Source.JWT, Source.GEOIP, Source.HEADER),
    (Source.GEOIP, Source.GEOIP_REGISTERED),
    (Source.JWT, Source.GEOIP, Source.GEOIP_REGISTERED, Source.GEOIP_REPRESENTED),
    (Source.TENANT, Source.JWT),
    (Source.JWT, Source.HEADER),
    (Source.HEADER,),
]
_MOMENTS = [
    datetime.fromisoformat(day).replace(tzinfo=UTC) for day in [*DAYS, *DAYS[1:] * 3, "2026-02-15", "2026-02-15"]
]
_STEPS = [timedelta(0), timedelta(seconds=-1), timedelta(hours=12), timedelta(days=1), timedelta(days=1, seconds=-1)]


def policies() -> st.SearchStrategy[Written]:
    """Draw a policy that parses. Made from a seed: drawing each part through hypothesis is much slower."""
    return st.integers(0, 1 << 32).map(random_policy)


def as_yaml(policy: Written) -> str:
    """Write a policy as YAML. JSON is a part of it."""
    return json.dumps(policy)


def read_plain(source: Path | str) -> Written:
    """Read a YAML file, or a text, as plain data, with days and moments as the texts that they are."""
    text = source.read_text() if isinstance(source, Path) else source
    plain: Written = json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=_format_time))
    return plain


def _format_time(value: date) -> str:
    # ruamel gives a moment that is written with Z without its offset.
    return value.replace(tzinfo=value.tzinfo or UTC).isoformat() if isinstance(value, datetime) else value.isoformat()


def requests() -> st.SearchStrategy[RequestFacts]:
    """Draw a request that most often can be decided by a random policy."""
    return _seeds().map(lambda seed: random_request(Random(seed)))


def cases() -> st.SearchStrategy[list[tuple[RequestFacts, datetime]]]:
    """Draw requests, each with its moment, to put to one policy."""
    return _seeds().map(lambda seed: random_cases(Random(seed)))


def _seeds() -> st.SearchStrategy[int]:
    return st.integers(0, 1 << 32)


def random_cases(random: Random) -> list[tuple[RequestFacts, datetime]]:
    return [(random_request(random), random_moment(random)) for _ in range(20)]


def random_moment(random: Random) -> datetime:
    return random.choice(_MOMENTS) + random.choice(_STEPS)


def random_signal(random: Random, source: Source) -> Signal:
    unknown = source in (Source.JWT, Source.GEOIP) and random.random() < 0.08
    place = None if unknown else Jurisdiction(random.choice(_ASKED))
    return Signal(source=source, tier=TIERS[source], jurisdiction=place)


def random_request(random: Random) -> RequestFacts:
    return RequestFacts(
        tenant=TenantId(random.choice(TENANTS)),
        binding=Binding.CLAIM,
        model=ModelId(random.choice(MODELS)),
        classes=tuple(
            ClassSignal(source=random.choice(list(ClassSource)), data_class=DataClass(random.choice(CLASSES)))
            for _ in range(random.choice([0, 0, 0, 1, 2]))
        ),
        signals=tuple(random_signal(random, source) for source in random.choice(_SOURCES)),
    )
