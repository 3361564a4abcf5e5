"""Strategies for compiled policies, facts and snapshots, made directly, without the policy language.

They reach tables that no written policy would compile to, so what holds for them holds for the core by itself.
"""

from math import inf
from random import Random
from types import MappingProxyType

from hypothesis import strategies as st

from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source, Tier
from extproc.core.fitness import Unfit
from extproc.core.ids import (
    ConfigRevision,
    Country,
    DataClass,
    DependencyId,
    Jurisdiction,
    MechanismId,
    ModelId,
    OverrideId,
    PermitId,
    PolicyRevision,
    RegimeId,
    RegionId,
    RegionMask,
    TenantId,
)
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Exclusion, Fault
from extproc.core.routing.choose import Moment
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import Standing
from extproc.core.snapshot import Shadow, Snapshot
from extproc.core.tables import (
    Basis,
    ConflictMode,
    Deployment,
    Epoch,
    Grant,
    Model,
    OnMismatch,
    Pattern,
    Permit,
    PolicyTables,
    Profile,
    Region,
    Ruling,
    Tenant,
)

NOW_S = 1_800_000_000.0
JURISDICTIONS = [Jurisdiction(code) for code in ("DE", "FR", "US", "AE", "CA", "CA-QC")]
CLASSES = [DataClass(name) for name in ("public", "personal", "special")]
MODELS = [ModelId(name) for name in ("digits", "fraud")]
TENANTS = [TenantId(name) for name in ("acme", "clinic", "walk-in")]
REGIMES = [RegimeId(name) for name in ("gdpr", "pipl", "us")]
PERMITS = [PermitId(name) for name in ("home", "abroad")]

TIERS = MappingProxyType(
    {
        Source.TENANT: Tier.TENANT_BINDING,
        Source.JWT: Tier.VERIFIED_CLAIM,
        Source.GEOIP: Tier.TRUSTED_EDGE,
        Source.GEOIP_REGISTERED: Tier.TRUSTED_EDGE,
        Source.GEOIP_REPRESENTED: Tier.TRUSTED_EDGE,
        Source.HEADER: Tier.UNAUTHENTICATED,
    }
)
"""The tier of each source, which no policy changes."""

_LACKING = [Exclusion.NO_PERMIT, Exclusion.CLASS_RULE, Exclusion.PROFILE, None]
_MAY_REPLACE = [
    {},
    {Source.JWT: frozenset({Source.GEOIP})},
    {Source.TENANT: frozenset({Source.GEOIP})},
    {Source.TENANT: frozenset({Source.JWT}), Source.JWT: frozenset({Source.GEOIP, Source.HEADER})},
]


class _Maker:
    """Makes the tables of a seed: drawing each part through hypothesis is a hundred times slower."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._count = random.randint(1, 5)

    def policy(self) -> PolicyTables:
        random = self._random
        starts_s = random.choice([0.0, 0.0, 0.0, NOW_S - 10, NOW_S, NOW_S, NOW_S + 10])
        profiles = tuple(self._profile() for _ in range(random.randint(1, 2)))
        tenants = [self._tenant(name, len(profiles)) for name in TENANTS if random.random() < 0.9]
        return PolicyTables(
            id="random",
            version=1,
            revision=PolicyRevision("sha256:0"),
            ingress_region=RegionId(random.choice(["r0", "r0", "r9"])),
            regions=tuple(self._region(i) for i in range(self._count)),
            classes=frozenset(CLASSES),
            tenants={tenant.id: tenant for tenant in tenants},
            models={name: self._model() for name in MODELS if random.random() < 0.9},
            epochs=(
                Epoch(
                    starts_s=starts_s,
                    ends_s=NOW_S + 1000,
                    profiles=profiles,
                    residency={name: self._mask() for name in MODELS if random.random() < 0.2},
                    reach=self._reach() if random.random() < 0.2 else None,
                    redirects={
                        code: random.choice(["a.example", "b.example"])
                        for code in JURISDICTIONS
                        if random.random() < 0.7
                    },
                ),
            ),
            may_replace=MappingProxyType(random.choice(_MAY_REPLACE)),
            profile=random.choice(list(Profile)),
            conflict=random.choice([ConflictMode.INTERSECT] * 2 + list(ConflictMode)),
            assume=tuple(sorted(random.sample(JURISDICTIONS, random.choice([0, 0, 1, 2])))),
            unregulated=frozenset(random.sample(CLASSES, random.choice([0, 0, 0, 1]))),
            on_mismatch=random.choice([OnMismatch.OBSERVE] * 4 + list(OnMismatch)),
            deployment=Deployment(
                pattern=random.choice(list(Pattern)),
                ranks=random.choice([(), tuple(random.randint(0, 1) for _ in range(self._count))]),
            ),
            plan_length=random.randint(1, 3),
        )

    def suspensions(self, policy: PolicyTables, number: int) -> tuple[Suspension, ...]:
        return tuple(self._suspension(policy) for _ in range(number))

    def _mask(self) -> RegionMask:
        bits = self._random.getrandbits
        return RegionMask(bits(self._count) | bits(self._count) | bits(self._count) | bits(self._count))

    def _region(self, i: int) -> Region:
        return Region(
            id=RegionId(f"r{i}"),
            country=Country(self._random.choice(["DE", "NL", "US", "AE"])),
            cluster=f"c{i}",
            models=MappingProxyType({}),
            rtt_s=self._random.choice([None, 0.01, 0.1]),
        )

    def _model(self) -> Model:
        return Model(serving=self._mask(), data_class=self._random.choice([*[None] * 9, *CLASSES]))

    def _tenant(self, name: TenantId, profiles: int) -> Tenant:
        return Tenant(
            id=name,
            data_class=self._random.choice(CLASSES),
            exporter=self._random.choice([None, *JURISDICTIONS]),
            allowed=self._mask(),
            profile=self._random.randrange(profiles),
            references=self._random.choice([{}, {MechanismId("dpf"): "DPF-1"}]),
        )

    def _profile(self) -> dict[DataClass, dict[Jurisdiction, Ruling]]:
        rulings = [self._ruling() for _ in range(8)]  # more would take most of a test's time, and tell little more
        return {
            name: {code: self._random.choice(rulings) for code in JURISDICTIONS if self._random.random() < 0.95}
            for name in CLASSES
        }

    def _ruling(self) -> Ruling:
        regimes = tuple(self._random.sample(REGIMES, self._random.randint(1, len(REGIMES))))
        grants = tuple(tuple(self._grant(regime) for regime in regimes) for _ in range(self._count))
        permitted = sum(1 << i for i, row in enumerate(grants) if all(grant.permits for grant in row))
        return Ruling(
            permitted=RegionMask(permitted),
            regimes=regimes,
            grants=grants,
            obligations=tuple(f"{regime}.copy" for regime in regimes if self._random.random() < 0.3),
        )

    def _grant(self, regime: RegimeId) -> Grant:
        if self._random.random() < 0.08:
            return Grant(regime=regime, permits=(), lacking=self._random.choice(_LACKING))
        ids = self._random.sample(PERMITS, self._random.randint(1, 2))
        return Grant(regime=regime, permits=tuple(self._permit(regime, id_) for id_ in ids))

    def _permit(self, regime: RegimeId, id_: PermitId) -> Permit:
        return Permit(
            regime=regime,
            id=id_,
            cite="Art. 1",
            basis=self._random.choice(list(Basis)),
            mechanism=self._random.choice([None, MechanismId("dpf"), MechanismId("scc")]),
        )

    def _reach(self) -> dict[Jurisdiction, RegionMask]:
        return {code: self._mask() for code in JURISDICTIONS if self._random.random() < 0.9}

    def _suspension(self, policy: PolicyTables) -> Suspension:
        kind = self._random.choice([TargetKind.REGION, *TargetKind])
        names: dict[TargetKind, list[str]] = {
            TargetKind.REGION: [region.id for region in policy.regions],
            TargetKind.PERMIT: [f"{regime}.{permit}" for regime in REGIMES for permit in PERMITS],
            TargetKind.MODEL: list(MODELS),
        }
        return Suspension(
            id=OverrideId(self._random.choice(["LT-1", "LT-2"])),
            kind=kind,
            name=self._random.choice(names[kind]),
            reason="injunction",
            from_s=self._random.choice([0.0, NOW_S, NOW_S + 1]),
            until_s=self._random.choice([None, NOW_S, NOW_S + 5]),
            approved_by=("a", "b"),
        )


def policies() -> st.SearchStrategy[PolicyTables]:
    return st.integers(0, 1 << 32).map(lambda seed: _Maker(Random(seed)).policy())


def signals(source: Source) -> st.SearchStrategy[Signal]:
    """Draw what one source says. Only a claim and geolocation can be consulted and not know."""
    unknown: list[Jurisdiction | None] = [None] if source in (Source.JWT, Source.GEOIP) else []
    return st.builds(
        Signal,
        source=st.just(source),
        tier=st.just(TIERS[source]),
        jurisdiction=st.sampled_from([*JURISDICTIONS, *unknown]),
    )


_SOURCES = [
    (Source.GEOIP,),
    (Source.GEOIP,),
    (Source.GEOIP,),
    (Source.GEOIP, Source.HEADER),
    (Source.GEOIP, Source.JWT),
    (Source.GEOIP, Source.JWT, Source.HEADER),
    (Source.GEOIP, Source.GEOIP_REGISTERED),
    (Source.GEOIP, Source.GEOIP_REPRESENTED, Source.HEADER),
    (Source.TENANT, Source.GEOIP),
    (Source.TENANT, Source.JWT, Source.GEOIP),
    (Source.TENANT,),
    (Source.JWT,),
    (Source.HEADER,),
    (),
]


def class_signals() -> st.SearchStrategy[ClassSignal]:
    """Draw what a header or a payload says of the data. One class in ten is not of the policy."""
    return st.builds(
        ClassSignal,
        source=st.sampled_from(ClassSource),
        data_class=st.sampled_from([*CLASSES, *CLASSES, *CLASSES, DataClass("unheard-of")]),
        detail=st.sampled_from(["", "detector:iban"]),
    )


@st.composite
def facts(draw: st.DrawFn) -> RequestFacts:
    """Draw facts of which about half are decided to steer: refusals alone would test little."""
    return RequestFacts(
        tenant=draw(st.sampled_from([*TENANTS, *TENANTS, None])),
        binding=draw(st.sampled_from(Binding)),
        model=draw(st.sampled_from([*MODELS, *MODELS, *MODELS, None])),
        classes=tuple(draw(class_signals()) for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2])))),
        signals=tuple(draw(signals(source)) for source in draw(st.sampled_from(_SOURCES))),
        faults=draw(st.sampled_from([(), (), (), (), (), (), (), (Fault.MALFORMED_REQUEST,)])),
    )


def snapshots() -> st.SearchStrategy[Snapshot]:
    """Draw a snapshot; one in four has a shadow policy, which has nothing to do with the live one."""
    return st.integers(0, 1 << 32).map(_snapshot)


def _snapshot(seed: int) -> Snapshot:
    random = Random(seed)
    policy, suspensions = _ruled(random)
    shadow = _ruled(random) if random.random() < 0.25 else None
    return Snapshot(
        revision=ConfigRevision("sha256:1"),
        policy=policy,
        suspensions=suspensions,
        standings=tuple(_standing(random) for _ in policy.regions),
        fitness={name: _unfit(random, policy) for name in MODELS if random.random() < 0.15},
        shadow=None if shadow is None else Shadow(policy=shadow[0], suspensions=shadow[1]),
    )


def _ruled(random: Random) -> tuple[PolicyTables, tuple[Suspension, ...]]:
    """Make a policy, and the legal orders under it."""
    maker = _Maker(random)
    policy = maker.policy()
    return policy, maker.suspensions(policy, random.choice([0, 0, 1, 2]))


def _standing(random: Random) -> Standing:
    return Standing(
        state=random.choice([HealthState.UP, HealthState.UP, *HealthState]),
        observed_at_s=random.choice([0.0, NOW_S - 100, NOW_S - 1, NOW_S - 1, NOW_S + 1]),
        latency_s=random.choice([None, 0.001, 0.05]),
        budget=random.choice([inf, inf, 1.0, 4.0, 100.0]),
        up_since_s=random.choice([0.0, NOW_S - 1]),
        missing_slo=random.random() < 0.1,
    )


def _unfit(random: Random, policy: PolicyTables) -> tuple[Unfit, ...]:
    why = (Exclusion.MODEL_UNAPPROVED, Exclusion.MODEL_UNVERIFIED, Exclusion.DEPENDENCY_STALE)
    found = []
    for region in policy.regions:
        if random.random() < 0.3:
            reason = random.choice(why)
            by = DependencyId("vectors") if reason is Exclusion.DEPENDENCY_STALE else None
            found.append(Unfit(region=region.id, why=reason, by=by))
    return tuple(found)


def moments(regions: int) -> st.SearchStrategy[Moment]:
    """Draw what is of the moment, for a catalogue of so many regions."""
    counts = st.lists(st.integers(0, 200), min_size=regions, max_size=regions)
    return st.builds(
        Moment,
        in_flight=st.one_of(st.just(()), counts),
        preference=st.one_of(st.just(()), st.permutations(range(regions))),
    )
