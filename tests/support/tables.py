"""Strategies for compiled policies, facts and snapshots, made directly, without the policy language.

They reach tables that no written policy would compile to, so what holds for them holds for the core by itself.
"""

from random import Random
from types import MappingProxyType

from hypothesis import strategies as st

from extproc.core.facts import Binding, RequestFacts, Signal, Source, Tier
from extproc.core.health import HealthState, RegionHealth
from extproc.core.ids import (
    ConfigRevision,
    Country,
    DataClass,
    Jurisdiction,
    ModelId,
    OverrideId,
    PermitId,
    PolicyRevision,
    RegimeId,
    RegionId,
    RegionMask,
    TenantId,
)
from extproc.core.overrides import Suspension
from extproc.core.reasons import Fault
from extproc.core.snapshot import Snapshot
from extproc.core.tables import (
    Basis,
    ConflictMode,
    Epoch,
    Grant,
    Permit,
    PolicyTables,
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

_TIERS = {Source.GEOIP: Tier.TRUSTED_EDGE, Source.JWT: Tier.VERIFIED_CLAIM, Source.HEADER: Tier.UNAUTHENTICATED}


def _permit(random: Random, regime: RegimeId) -> Permit:
    return Permit(
        regime=regime,
        id=PermitId(random.choice(["home", "abroad"])),
        cite="Art. 1",
        basis=random.choice(list(Basis)),
    )


def _grant(random: Random, regime: RegimeId) -> Grant:
    if random.random() < 0.12:
        return Grant(regime=regime, permit=None, class_rule=random.random() < 0.5)
    return Grant(regime=regime, permit=_permit(random, regime))


def _ruling(random: Random, regions: int) -> Ruling:
    regimes = tuple(random.sample(REGIMES, random.randint(1, len(REGIMES))))
    grants = tuple(tuple(_grant(random, regime) for regime in regimes) for _ in range(regions))
    permitted = sum(1 << i for i, row in enumerate(grants) if all(grant.permit for grant in row))
    return Ruling(permitted=RegionMask(permitted), regimes=regimes, grants=grants)


def _policy(seed: int) -> PolicyTables:
    """Make a policy from a seed: drawing each part through hypothesis is a hundred times slower."""
    random = Random(seed)
    count = random.randint(1, 5)

    def mask() -> RegionMask:
        return RegionMask(random.getrandbits(count) | random.getrandbits(count) | random.getrandbits(count))

    profiles = tuple(
        {name: {code: _ruling(random, count) for code in JURISDICTIONS if random.random() < 0.95} for name in CLASSES}
        for _ in range(random.randint(1, 2))
    )
    tenants = [
        Tenant(
            id=name,
            data_class=random.choice(CLASSES),
            exporter=random.choice([None, *JURISDICTIONS]),
            allowed=mask(),
            profile=random.randrange(len(profiles)),
        )
        for name in TENANTS
        if random.random() < 0.9
    ]
    starts_s = random.choice([0.0, 0.0, 0.0, NOW_S - 10, NOW_S, NOW_S, NOW_S + 10])
    return PolicyTables(
        id="random",
        version=1,
        revision=PolicyRevision("sha256:0"),
        ingress_region=RegionId("r0"),
        regions=tuple(
            Region(
                id=RegionId(f"r{i}"),
                country=Country(random.choice(["DE", "NL", "US", "AE"])),
                cluster=f"c{i}",
                models=MappingProxyType({}),
                rtt_s=random.choice([None, 0.01, 0.1]),
            )
            for i in range(count)
        ),
        classes=frozenset(CLASSES),
        tenants={tenant.id: tenant for tenant in tenants},
        models={model: mask() for model in MODELS if random.random() < 0.9},
        epochs=(Epoch(starts_s=starts_s, ends_s=NOW_S + 1000, profiles=profiles),),
        may_replace=MappingProxyType(random.choice([{}, {Source.JWT: frozenset({Source.GEOIP})}])),
        conflict=random.choice([ConflictMode.INTERSECT, ConflictMode.INTERSECT, ConflictMode.DENY]),
        plan_length=random.randint(1, 3),
    )


def policies() -> st.SearchStrategy[PolicyTables]:
    return st.integers(0, 1 << 32).map(_policy)


def signals(source: Source) -> st.SearchStrategy[Signal]:
    unknown = [] if source is Source.HEADER else [None]
    return st.builds(
        Signal,
        source=st.just(source),
        tier=st.just(_TIERS[source]),
        jurisdiction=st.sampled_from([*JURISDICTIONS, *unknown]),
    )


_SOURCES = [
    (Source.GEOIP,),
    (Source.GEOIP, Source.HEADER),
    (Source.GEOIP, Source.JWT),
    (Source.GEOIP, Source.JWT, Source.HEADER),
    (Source.JWT,),
    (Source.HEADER,),
    (),
]


@st.composite
def facts(draw: st.DrawFn) -> RequestFacts:
    """Draw facts of which about half are decided to steer: refusals alone would test little."""
    return RequestFacts(
        tenant=draw(st.sampled_from([*TENANTS, *TENANTS, None])),
        binding=Binding.CLAIM,
        model=draw(st.sampled_from([*MODELS, *MODELS, *MODELS, None])),
        declared_class=draw(st.sampled_from([None, None, *CLASSES, DataClass("unheard-of")])),
        signals=tuple(draw(signals(source)) for source in draw(st.sampled_from(_SOURCES))),
        faults=draw(st.sampled_from([(), (), (), (), (), (), (), (Fault.MALFORMED_REQUEST,)])),
    )


_HEALTH = st.builds(
    RegionHealth,
    state=st.sampled_from([HealthState.UP, HealthState.UP, HealthState.UNKNOWN, HealthState.DOWN]),
    observed_at_s=st.sampled_from([0.0, NOW_S - 100, NOW_S - 1, NOW_S - 1, NOW_S + 1]),
    latencies_s=st.sampled_from([(), (0.001,), (0.05, 0.2)]),
)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    policy = draw(policies())
    suspension = st.builds(
        Suspension,
        id=st.sampled_from([OverrideId("LT-1"), OverrideId("LT-2")]),
        region=st.sampled_from([region.id for region in policy.regions]),
        reason=st.just("injunction"),
        from_s=st.sampled_from([0.0, NOW_S, NOW_S + 1]),
        until_s=st.sampled_from([None, NOW_S, NOW_S + 5]),
        approved_by=st.just(("a", "b")),
    )
    return Snapshot(
        revision=ConfigRevision("sha256:1"),
        policy=policy,
        suspensions=tuple(draw(st.lists(suspension, max_size=2))),
        health=tuple(draw(_HEALTH) for _ in policy.regions),
    )
