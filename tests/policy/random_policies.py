"""The policy of a seed: valid, as plain data, and over the whole language."""

from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

from policy.random_laws import CLASSES, DAYS, MECHANISMS, PLACES, LawMaker

Written = dict[str, Any]
Make: TypeAlias = Callable[[], object]

__all__ = ["CLASSES", "DAYS", "MECHANISMS", "PLACES", "Written", "random_policy"]

_COUNTRIES = [code for code in PLACES if "-" not in code]
_TRANSFERS = ["legal-first", "hybrid", "hybrid", "performance-first", "performance-first"]


def random_policy(seed: int) -> Written:
    """Make the policy of a seed."""
    return _Maker(Random(seed)).policy()


class _Maker(LawMaker):
    """Makes everything but the regimes."""

    def policy(self) -> Written:
        regimes = [self.regime(i) for i in range(self._random.randint(1, 4))]
        regions = {f"r{i}": self._region() for i in range(self._random.choice([1, 3, 4, 5, 6]))}
        models = sorted({model for region in regions.values() for model in region["models"]})
        profile = self._random.choice(_TRANSFERS)
        tenants = self._tenants(regimes, list(regions))
        signals = self._signals([tenant for tenant in tenants.values() if "subjects" in tenant])
        permits = [f"{regime['id']}.{permit['id']}" for regime in regimes for permit in regime["permits"]]
        named = {"region": list(regions), "permit": permits, "model": models}
        return {
            "apiVersion": "situs/v1",
            "policy": {
                "id": "random",
                "version": 1,
                "as_of": self._random.choice([*DAYS[:1] * 30, *DAYS]),
                "review_by": "2027-01-01",
                "profile": profile,
            },
            "ingress": self._ingress(list(regions)),
            "classes": self._classes(profile),
            "zones": {"EEA": "builtin", "NEAR": self.members(), "outer": self.members(), "UK_ADEQUATE": "builtin"},
            "regions": regions,
            **({"models": {name: self._model() for name in self.some(models, 0)}} if models else {}),
            "regimes": regimes,
            "tenants": tenants,
            "signals": signals,
            **self.maybe("conflict", {"mode": self._random.choice(["intersect", "deny", "prefer_verified"])}),
            **self.maybe("deployment", self._deployment(list(regions)), 0.35),
            **self.maybe("overrides", [self._override(i, named) for i in range(self._random.randint(0, 3))], 0.7),
            **self.maybe("plan", {"length": self._random.randint(1, 3)}),
            **self._evidence(models),
            **self._routing(regions, models),
            **(self.maybe("tests", [self._test(models[0])], 0.2) if models else {}),
        }

    def _evidence(self, models: list[str]) -> Written:
        """Make `evidence:`, from a source of its own: no answer depends on it."""
        source = Random(f"evidence of {models}")
        if source.random() < 0.5:
            return {}
        durability = {"default": "page", **({"models": {models[0]: "fsync"}} if models else {})}
        sealed = source.sample(["address", "request_id"], source.randint(1, 2))
        return {"evidence": {"durability": durability, "sealed": sealed}}

    def _routing(self, regions: Written, models: list[str]) -> Written:
        """Write what regions promise, need and have room for, from a source of its own: no answer depends on it."""
        source = Random(f"routing of {sorted(regions)} {models}")
        for region in regions.values():
            given = {
                "capacity": source.randint(1, 1_000_000),
                "quota": source.randint(1, 1_000_000),
                "slo_ms": source.choice([1, 12.5, 600_000]),
                "needs": {"vectors": {"max_age_s": source.choice([1, 2.5])}},
                "recovery": {"rto_s": 0.5, **({"rpo_records": 3} if source.random() < 0.5 else {})},
            }
            region.update({name: given[name] for name in given if source.random() < 0.3})
            for served in region["models"].values():
                more = {"slo_ms": 40, "digest": f"sha256:{source.randbytes(32).hex()}"}
                served.update({name: more[name] for name in more if source.random() < 0.2})
        return {"affinity": {"header": "x-session-id"}} if source.random() < 0.3 else {}

    def _ingress(self, regions: list[str]) -> Written:
        mismatch = self._random.choice(["observe", "redirect", "redirect", "refuse"])
        names = self._random.sample(["anywhere", "NEAR", "outer", "EEA", "DE", "CA-QC", "US"], 3)
        hosts = {name: self._random.choice(["a.example", "b.example"]) for name in names}
        return {
            "region": self._random.choice(regions),
            "edge": self._random.choice(["direct", {"trusted_hops": 2}]),
            **({"on_mismatch": mismatch} if mismatch != "observe" else self.maybe("on_mismatch", mismatch)),
            **({"redirect_hosts": hosts} if mismatch == "redirect" else {}),
        }

    def _classes(self, profile: str) -> object:
        if profile != "performance-first":
            return self._random.choice([CLASSES, {name: {} for name in CLASSES}])
        return {name: self.maybe("unregulated", self._random.random() < 0.5) for name in CLASSES}

    def _region(self) -> Written:
        place = self._random.choice([*PLACES, "CA"])  # which may be in Québec or not
        operator = {
            "name": "X",
            "hq": self._random.choice(_COUNTRIES),
            **self.maybe("admin_from", self.some(_COUNTRIES)[:2]),
        }
        return {
            "country": place[:2],
            **({"subdivision": place} if "-" in place else {}),
            **self.maybe("operator", operator, 0.7),
            **self.maybe("certs", self.some(["dpf", "c5"])),
            "models": {name: self._random.choice([{}, {"version": "3"}]) for name in self.some(["digits", "fraud"], 0)},
            **self.maybe("rtt_ms", self._random.choice([0, 5, 120.5])),
        }

    def _model(self) -> Written:
        resident = {"resident_in": self.territory(), "cite": "licence §4"}
        return {
            **(resident if self._random.random() < 0.4 else {}),
            **self.maybe("class", self._random.choice(CLASSES), 0.3),
        }

    def _tenants(self, regimes: list[Written], regions: list[str]) -> Written:
        mechanisms = sorted(
            {
                permit["enabled_by"].split(".")[-1]
                for regime in regimes
                for permit in regime["permits"]
                if "enabled_by" in permit
            }
        )
        attributes = sorted(set(_attributes(regimes)))
        matches: dict[str, object] = {
            "acme": {"jwt.tenant": "acme"},
            "clinic": {"spiffe": self._random.choice(["spiffe://x.example/a", "spiffe://x.example/*"])},
            "shop": {"host": "shop.example"},
            "walk-in": "anonymous",
        }
        return {
            name: {
                "match": match,
                "class": self._random.choice(CLASSES),
                **self.maybe("exporter", self._random.choice(PLACES)),
                **(self.maybe("subjects", self._random.choice(PLACES)) if name in ("acme", "clinic") else {}),
                **(self.maybe("attributes", self.some(attributes)) if attributes else {}),
                **self.maybe(
                    "mechanisms",
                    {each: self._random.choice([True, {"reference": "R-1"}]) for each in self.some(mechanisms, 0)},
                    0.7,
                ),
                **self.maybe("allow", self._random.choice([["r*"], self.some(regions), ["r?"]]), 0.3),
                **self.maybe("expects", self.territory(), 0.2),
            }
            for name, match in matches.items()
        }

    def _signals(self, saying: list[Written]) -> Written:
        geoip = self._random.random() < 0.8
        header = self.maybe("header", {"name": "x-data-jurisdiction", **self.maybe("tier", 3)})
        jwt: Written = {
            "claim": "residency",
            **self.maybe("may_replace", ["geoip"] if geoip else [], 0.6),
            **self.maybe("tier", 1, 0.3),
        }
        signals = {
            **({"geoip": self._geoip()} if geoip else {}),
            **(self.maybe("jwt", jwt) if geoip else {"jwt": jwt}),
            **header,
            **self.maybe("class", self._random.choice([{"header": "x-data-class"}, self._payload()])),
        }
        others = [name for name in ("jwt", "geoip", "header") if name in signals]
        tenant = {"tenant": {**self.maybe("may_replace", self.some(others)), **self.maybe("tier", 0)}}
        return {**signals, **(tenant if saying and self._random.random() < 0.7 else {})}

    def _geoip(self) -> Written:
        return {
            **self.maybe("tier", 2),
            **self.maybe("unknown", self._random.choice(["deny", {"assume": self.some(PLACES)[:2]}])),
            **self.maybe("anonymous", self._random.choice(["unknown", "locate"])),
            **self.maybe("also", self.some(["registered", "represented"])),
            **self.maybe("max_age_days", 45, 0.3),
        }

    def _payload(self) -> Written:
        kinds = [self._random.choice(CLASSES) for _ in range(4)]
        rules = {
            "fields": [{"path": "subject.*", "class": kinds[0]}],
            "values": [{"path": "meta.class", "equals": "health", "class": kinds[1]}],
            "detectors": {"email": kinds[2], "iban": kinds[3]},
            "patterns": [{"id": "case", "regex": "C-[0-9]{6}", "class": kinds[0]}],
        }
        chosen = {name: rules[name] for name in self.some(list(rules))}
        return {"body": {"limit_kib": 64, "unreadable": self._random.choice(CLASSES), **chosen}}

    def _deployment(self, regions: list[str]) -> Written:
        makers: dict[str, Callable[[], Written]] = {
            "active-active": dict,
            "active-passive": lambda: {"active": self._random.choice([["r0"], ["r?"], self.some(regions)])},
            "regional-sharding": lambda: {
                "shards": [
                    {"subjects": self.territory(), "region": self._random.choice(regions)}
                    for _ in range(self._random.randint(1, 3))
                ]
            },
            "hub-and-spoke": lambda: {"hubs": self.some(regions)},
        }
        pattern = self._random.choice(list(makers))
        return {"pattern": pattern, **makers[pattern]()}

    def _override(self, i: int, named: dict[str, list[str]]) -> Written:
        kind = self._random.choice([kind for kind, names in named.items() if names])
        name = self._random.choice([*named[kind], *named[kind][:2] * 2])  # the first permits are those that count most
        return {
            "id": f"LT-{i}",
            "effect": "suspend",
            kind: name,
            "reason": "injunction",
            "from": self._random.choice(["2026-01-01", "2026-02-15T12:00:00+02:00"]),
            **self.maybe("until", self._random.choice(["2026-03-01", "2026-03-01T00:00:00Z"])),
            "approved_by": ["alice", "bob"],
        }

    def _test(self, model: str) -> Written:
        given = {"tenant": "acme", "model": model, "geoip": "DE", **self.maybe("class", "special")}
        return {"name": "a test", "in": given, "expect": {"permitted": ["r0"]}}


def _attributes(value: Any) -> list[str]:  # noqa: ANN401 - plain data
    """List the attributes for which conditions ask."""
    if isinstance(value, list):
        return [name for item in value for name in _attributes(item)]
    if not isinstance(value, dict):
        return []
    asked = [name for word in ("tenant_has", "tenant_has_not") for name in value.get(word, [])]
    return asked + [name for item in value.values() for name in _attributes(item)]
