"""Random policies that are valid, as plain data, and requests to put to them. For the tests of other packages too."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from hypothesis import strategies as st
from ruamel.yaml import YAML

from extproc.core.facts import Binding, RequestFacts, Signal, Source, Tier
from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId

Written = dict[str, Any]
Make: TypeAlias = Callable[[], object]

PLACES = ["DE", "FR", "NO", "US", "AE", "CA", "CA-QC", "BR", "GB"]
"""Where regions stand, and which jurisdictions requests come from."""

CLASSES = ["public", "personal", "special"]
MECHANISMS = ["dpf", "scc"]
DAYS = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-03-02", "2026-06-15"]
"""The days on which permits and members begin and end; policies start on one of them."""

_ZONES = ["EEA", "NEAR", "FAR"]
_TIERS = {Source.GEOIP: Tier.TRUSTED_EDGE, Source.JWT: Tier.VERIFIED_CLAIM, Source.HEADER: Tier.UNAUTHENTICATED}


def policies() -> st.SearchStrategy[Written]:
    """Draw a policy that parses. Made from a seed: drawing each part through hypothesis is much slower."""
    return st.integers(0, 1 << 32).map(random_policy)


def as_yaml(policy: Written) -> str:
    """Write a policy as YAML. JSON is a part of it."""
    return json.dumps(policy)


def read_plain(path: Path) -> Written:
    """Read a YAML file as plain data, with days as the texts that they are."""
    data = YAML(typ="safe", pure=True).load(path)
    plain: Written = json.loads(json.dumps(data, default=lambda day: day.isoformat()))
    return plain


def random_policy(seed: int) -> Written:
    """Make the policy of a seed."""
    return _Maker(Random(seed)).policy()


class _Maker:
    def __init__(self, random: Random) -> None:
        self._random = random

    def policy(self) -> Written:
        regimes = [self._regime(i) for i in range(self._random.randint(1, 4))]
        named = {
            permit["enabled_by"].split(".")[-1]
            for regime in regimes
            for permit in regime["permits"]
            if "enabled_by" in permit
        }
        regions = {f"r{i}": self._region() for i in range(self._random.randint(1, 5))}
        return {
            "apiVersion": "situs/v1",
            "policy": {
                "id": "random",
                "version": 1,
                "as_of": self._random.choice([*DAYS[:1] * 9, *DAYS]),
                "review_by": "2027-01-01",
            },
            "ingress": {"region": "r0", "edge": self._random.choice(["direct", {"trusted_hops": 2}])},
            "classes": CLASSES,
            "zones": {
                "EEA": "builtin",
                "NEAR": self._members(),
                "FAR": self._members(),
            },
            "regions": regions,
            "regimes": regimes,
            "tenants": {
                "acme": self._tenant({"jwt.tenant": "acme"}, sorted(named), list(regions)),
                "clinic": self._tenant({"jwt.org": "clinic"}, sorted(named), list(regions)),
                "walk-in": self._tenant("anonymous", sorted(named), list(regions)),
            },
            "signals": self._signals(),
            **self._maybe("conflict", {"mode": self._random.choice(["intersect", "deny"])}),
            **self._maybe("overrides", [self._override(i, list(regions)) for i in range(self._random.randint(0, 2))]),
            **self._maybe("plan", {"length": self._random.randint(1, 3)}),
        }

    def _maybe(self, name: str, value: object, chance: float = 0.5) -> Written:
        return {name: value} if self._random.random() < chance else {}

    def _some(self, options: list[str], least: int = 1) -> list[str]:
        return self._random.sample(options, self._random.randint(min(least, len(options)), len(options)))

    def _dates(self) -> Written:
        begins, ends = sorted(self._random.choices(DAYS, k=2))
        return {**self._maybe("valid_from", begins, 0.3), **self._maybe("valid_until", ends, 0.3)}

    def _members(self) -> list[object]:
        return [
            code
            if self._random.random() < 0.3
            else {"subdivision" if "-" in code else "country": code, **self._dates(), **self._maybe("cite", "Art. 3")}
            for code in self._some(PLACES)[:4]
        ]

    def _territory(self) -> str | list[str]:
        if self._random.random() < 0.4:
            return "anywhere"
        names = self._random.sample([*_ZONES, *PLACES], self._random.randint(1, 3))
        return names[0] if len(names) == 1 else names

    def _region(self) -> Written:
        place = self._random.choice(PLACES)
        return {
            "country": place[:2],
            **({"subdivision": place} if "-" in place else {}),
            **self._maybe("certs", self._some(["dpf", "c5"])),
            "models": {
                name: self._random.choice([{}, {"version": "3"}]) for name in self._some(["digits", "fraud"], 0)
            },
            **self._maybe("rtt_ms", self._random.choice([0, 5, 120.5])),
        }

    def _condition(self, depth: int = 0) -> Written:
        makers: dict[str, Make] = {
            "subject_in": self._territory,
            "exporter_in": self._territory,
            "class_in": lambda: self._some(CLASSES),
            "class_not": lambda: self._some(CLASSES)[:2],
            "any": lambda: [self._condition(depth + 1) for _ in range(self._random.randint(1, 2))],
            "all": lambda: [self._condition(depth + 1) for _ in range(self._random.randint(1, 2))],
        }
        words = list(makers)[: None if depth < 2 else 4]
        return {word: makers[word]() for word in self._random.sample(words, self._random.choice([1, 1, 2]))}

    def _destination(self) -> object:
        if self._random.random() < 0.6:
            return self._territory()
        place = {
            **self._maybe("zone", self._random.choice([*_ZONES, "anywhere"])),
            **self._maybe("country", self._random.choice([code for code in PLACES if "-" not in code]), 0.2),
            **self._maybe("in", self._territory(), 0.3),
        }
        return {**(place or {"in": "anywhere"}), **self._maybe("cert", self._random.choice(["dpf", ["dpf", "c5"]]))}

    def _permit(self, i: int) -> Written:
        return {
            "id": f"p{i}",
            "to": self._destination(),
            "basis": self._random.choice(["internal", "unrestricted", "adequacy", "safeguards", "derogation"]),
            "cite": "Art. 1",
            **self._dates(),
            **self._maybe("confidence", self._random.choice(["high", "medium", "low"])),
            **self._maybe("enabled_by", f"tenant.mechanisms.{self._random.choice(MECHANISMS)}", 0.3),
        }

    def _regime(self, i: int) -> Written:
        permits = [self._permit(j) for j in range(self._random.choice([0, 2, 3, 4, 5]))]
        ids = [permit["id"] for permit in permits]
        return {
            "id": f"regime-{i}",
            "when": {"subject_in": "anywhere"} if i == 0 and self._random.random() < 0.5 else self._condition(),
            "permits": permits,
            **self._maybe("class", {name: {"only": self._some(ids, 0)} for name in self._some(CLASSES, 0)}, 0.4),
        }

    def _tenant(self, match: object, mechanisms: list[str], regions: list[str]) -> Written:
        return {
            "match": match,
            "class": self._random.choice(CLASSES),
            **self._maybe("exporter", self._random.choice(PLACES)),
            **self._maybe(
                "mechanisms",
                {name: self._random.choice([True, {"reference": "R-1"}]) for name in self._some(mechanisms, 0)},
            ),
            **self._maybe("allow", self._random.choice([["r*"], self._some(regions), ["r?"]]), 0.3),
        }

    def _signals(self) -> Written:
        geoip = self._random.random() < 0.8
        jwt: Written = {"claim": "residency", **({"may_replace": ["geoip"]} if geoip else {})}
        return {
            **({"geoip": {}} if geoip else {}),
            **(self._maybe("jwt", jwt) if geoip else {"jwt": jwt}),
            **self._maybe("header", {"name": "x-data-jurisdiction"}),
            **self._maybe("class", {"header": "x-data-class"}),
        }

    def _override(self, i: int, regions: list[str]) -> Written:
        return {
            "id": f"LT-{i}",
            "effect": "suspend",
            "region": self._random.choice(regions),
            "reason": "injunction",
            "from": self._random.choice(["2026-01-01", "2026-02-15T12:00:00+02:00"]),
            **self._maybe("until", self._random.choice(["2026-03-01", "2026-03-01T00:00:00Z"])),
            "approved_by": ["alice", "bob"],
        }


def signals(source: Source) -> st.SearchStrategy[Signal]:
    """Draw what one source says. A declared header always says something."""
    unknown = [] if source is Source.HEADER else [None]
    jurisdictions = st.sampled_from([*map(Jurisdiction, PLACES), *unknown])
    return st.builds(Signal, source=st.just(source), tier=st.just(_TIERS[source]), jurisdiction=jurisdictions)


@st.composite
def requests(draw: st.DrawFn) -> RequestFacts:
    """Draw a request that most often can be decided by a random policy."""
    sources = draw(st.lists(st.sampled_from(Source), unique=True, min_size=1))
    return RequestFacts(
        tenant=TenantId(draw(st.sampled_from(["acme", "clinic", "walk-in"]))),
        binding=Binding.CLAIM,
        model=ModelId(draw(st.sampled_from(["digits", "fraud"]))),
        declared_class=draw(st.sampled_from([None, None, *map(DataClass, CLASSES)])),
        signals=tuple(draw(signals(source)) for source in sources),
    )
