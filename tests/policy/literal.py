"""The language, read literally: a slow interpreter of written policies that shares no code with the compiler.

It reads plain data, as a YAML or JSON parser gives it, and follows the manual (:mod:`extproc.policy.document`) sentence
by sentence: here what becomes of a request, in `literal_rules` what the rules say of places and permits.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase

from policy.literal_rules import TRANSFERS, RegionAnswer, Rules, Written, day_of, moment_of, place_of

GEOLOCATION = ("geoip", "geoip_registered", "geoip_represented")
FURTHER = ("geoip_registered", "geoip_represented")
VERIFIED = ("tenant", "jwt")
STANDING = ("tenant", "jwt", "geoip")


@dataclass(frozen=True, kw_only=True)
class Question:
    """A request in plain words: what each source says (None: it was consulted and does not know), and of what class."""

    tenant: str | None
    model: str | None
    signals: dict[str, str | None]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a policy says of a request; no region where that cannot be told.

    `plan` is the one of regions that are equally up. `transfers` has, for each permitted region, the permits that are
    transfers, each with the tenant's reference (`eu-gdpr.dpf DPF-1`).
    """

    refusal: str | None = None
    host: str | None = None
    places: tuple[str, ...] = ()
    assumed: bool = False
    classes: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    ingress: bool = True
    regions: dict[str, RegionAnswer] = field(default_factory=dict)
    plan: tuple[str, ...] = ()
    transfers: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def permitted(self) -> set[str]:
        return {name for name, region in self.regions.items() if region.exclusion is None}


class RefusedError(Exception):
    """It cannot be told what the policy says."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A request, as far as it could be told what it is: `laws` has each region's answer for each class and place."""

    tenant: str
    model: str
    day: date
    places: tuple[str, ...]
    orders: list[Written]
    laws: list[dict[str, RegionAnswer]]


class Literal:
    """Answers questions to one written policy."""

    def __init__(self, policy: Written) -> None:
        self.policy = policy
        self.rules = Rules(policy)

    def answer(self, asked: Question, now: datetime) -> Answer:
        """Say what the policy says at a moment."""
        try:
            return self._answer(asked, now)
        except RefusedError as refused:
            return Answer(refusal=str(refused))

    def _answer(self, asked: Question, now: datetime) -> Answer:
        policy, day = self.policy, now.astimezone(UTC).date()
        if day < day_of(policy["policy"]["as_of"]):
            raise RefusedError("policy_not_in_force")
        if asked.tenant is None or asked.tenant not in policy["tenants"]:
            raise RefusedError("unknown_tenant")
        if asked.model is None or not any(asked.model in region["models"] for region in policy["regions"].values()):
            raise RefusedError("unknown_model")
        places, assumed = self._places(asked.signals)
        classes = self._classes(asked.tenant, asked.model, asked.classes)
        asked_of = [(kind, place) for kind in classes if not self._is_unregulated(kind) for place in places]
        rows = [self.rules.rows(asked.tenant, kind, place, day) for kind, place in asked_of]
        if not all(rows):
            raise RefusedError("ungoverned_jurisdiction")
        orders = self._orders(now)
        suspended = tuple((order["permit"], order["id"]) for order in orders if "permit" in order)
        case = _Case(
            tenant=asked.tenant,
            model=asked.model,
            day=day,
            places=places,
            orders=orders,
            laws=[self.rules.law(asked.tenant, kind, place, day, suspended) for kind, place in asked_of],
        )
        duties = [self.rules.obligations(asked.tenant, kind, place, day) for kind, place in asked_of]
        answer = Answer(
            places=places,
            assumed=assumed,
            classes=classes,
            regimes=tuple(dict.fromkeys(regime for row in rows for regime in row)),
            obligations=tuple(dict.fromkeys(duty for each in duties for duty in each)),
            ingress=self._law(case, policy["ingress"]["region"]).exclusion is None,
            regions={name: self._region(case, name) for name in policy["regions"]},
        )
        return self._finished(answer, case)

    def _finished(self, answer: Answer, case: _Case) -> Answer:
        """Say what becomes of the request."""
        if not answer.permitted:
            return replace(answer, refusal="no_permitted_region")
        mismatch = self.policy["ingress"].get("on_mismatch", "observe")
        if not answer.ingress and mismatch != "observe":
            hosts = {self.rules.host(place, case.day) for place in answer.places}
            host = hosts.pop() if mismatch == "redirect" and len(hosts) == 1 else None
            return replace(answer, refusal="wrong_ingress", host=host)
        transfers = {name: self._transfers(case.tenant, answer.regions[name]) for name in answer.permitted}
        return replace(answer, plan=self._plan(answer.permitted), transfers=transfers)

    def _places(self, signals: dict[str, str | None]) -> tuple[tuple[str, ...], bool]:
        """Say whose law claims the data, and whether an address was assumed to be somewhere."""
        written = self.policy["signals"]
        # A signal that is replaced does not count, so it replaces nothing either: the strongest speak first.
        replaced: set[str] = set()
        for source in VERIFIED:
            if signals.get(source) is not None and source not in replaced:
                replaced.update(written.get(source, {}).get("may_replace", []))
        if "geoip" in replaced:
            replaced.update(GEOLOCATION)
        counting = {source: place for source, place in signals.items() if source not in replaced}
        verified = {place for source, place in counting.items() if source in VERIFIED and place is not None}
        mode = self.policy.get("conflict", {}).get("mode", "intersect")
        if mode == "prefer_verified" and verified:
            counting = {
                source: place
                for source, place in counting.items()
                if source not in GEOLOCATION or place is None or {place, place.split("-")[0]} & verified
            }
        if not any(source in STANDING for source in counting):
            raise RefusedError("unknown_jurisdiction")
        unknown = written.get("geoip", {}).get("unknown", "deny")
        assume = unknown["assume"] if isinstance(unknown, dict) else []
        ignorant = {source for source, place in counting.items() if place is None}
        if ignorant - ({"geoip"} if assume else set()):
            raise RefusedError("unknown_jurisdiction")
        named = {source: place for source, place in counting.items() if place is not None}
        stated = {place for source, place in named.items() if source not in FURTHER}
        # A country says nothing against a part of it.
        finest = {place for place in stated if not any(other.startswith(f"{place}-") for other in stated)}
        if mode == "deny" and len(finest) > 1:
            raise RefusedError("conflicting_signals")
        return tuple(sorted({*named.values(), *(assume if ignorant else [])})), bool(ignorant)

    def _classes(self, tenant: str, model: str, declared: tuple[str, ...]) -> tuple[str, ...]:
        """List the tenant's own class, and then what the model and the request add, each once."""
        own: str = self.policy["tenants"][tenant]["class"]
        of_model = self.policy.get("models", {}).get(model, {}).get("class")
        others = {*declared, *([] if of_model is None else [of_model])}
        if not others <= set(self.policy["classes"]):
            raise RefusedError("unknown_class")
        return (own, *sorted(others - {own}))

    def _is_unregulated(self, kind: str) -> bool:
        classes = self.policy["classes"]
        return isinstance(classes, dict) and bool(classes[kind].get("unregulated", False))

    def _orders(self, now: datetime) -> list[Written]:
        return [
            order
            for order in self.policy.get("overrides", [])
            if moment_of(order["from"]) <= now and ("until" not in order or now < moment_of(order["until"], end=True))
        ]

    def _region(self, case: _Case, name: str) -> RegionAnswer:
        """Name the strongest ground: the law, then a legal order, then what the operator chose."""
        law = self._law(case, name)
        if law.exclusion is not None:
            return law
        for kind, about, why in (("region", name, "suspended"), ("model", case.model, "model_suspended")):
            for order in case.orders:
                if order.get(kind) == about:
                    return law._replace(exclusion=why, by=order["id"])
        region = self.policy["regions"][name]
        allow = self.policy["tenants"][case.tenant].get("allow", ["*"])
        resident_in = self.policy.get("models", {}).get(case.model, {}).get("resident_in", "anywhere")
        chosen = {
            "tenant": any(fnmatchcase(name, pattern) for pattern in allow),
            "residency": self.rules.is_in(place_of(region), resident_in, case.day),
            "model": case.model in region["models"],
            "deployment": all(self.rules.reaches(name, place, case.day) for place in case.places),
        }
        return law._replace(exclusion=next((ground for ground, holds in chosen.items() if not holds), None))

    @staticmethod
    def _law(case: _Case, name: str) -> RegionAnswer:
        """Ask the law of each class and place; the first that excludes the region is the one that is named."""
        permits: tuple[str, ...] = ()
        for law in case.laws:
            answer = law[name]
            if answer.exclusion is not None:
                return answer
            permits += answer.permits
        return RegionAnswer(permits=tuple(dict.fromkeys(permits)))

    def _transfers(self, tenant: str, region: RegionAnswer) -> tuple[str, ...]:
        mechanisms = self.policy["tenants"][tenant].get("mechanisms", {})
        found = []
        for name in region.permits:
            permit = self.rules.permits[name]
            if permit["basis"] in TRANSFERS:
                declared = mechanisms.get(permit.get("enabled_by", "").removeprefix("tenant.mechanisms."))
                found.append(f"{name} {declared['reference'] if isinstance(declared, dict) else ''}".rstrip())
        return tuple(found)

    def _plan(self, permitted: set[str]) -> tuple[str, ...]:
        """Order the regions by the deployment's pattern, then by their declared round trips, then by name."""
        ordered = sorted(
            permitted,
            key=lambda name: (self._waits(name), self.policy["regions"][name].get("rtt_ms", float("inf")), name),
        )
        return tuple(ordered[: self.policy.get("plan", {}).get("length", 2)])

    def _waits(self, name: str) -> bool:
        """Tell whether the deployment's pattern puts a region behind others."""
        deployment = self.policy.get("deployment", {})
        match deployment.get("pattern"):
            case "active-passive":
                return not any(fnmatchcase(name, pattern) for pattern in deployment["active"])
            case "hub-and-spoke":
                return name in deployment["hubs"]
            case _:
                return False
