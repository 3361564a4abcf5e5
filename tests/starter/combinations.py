"""Every starter policy there is, composed and compiled once for all tests."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from extproc.core.decide import Permitted, Refused, rule
from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source, Tier
from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegionId, TenantId
from extproc.core.jurisdiction import Verdict
from extproc.core.reasons import Refusal
from extproc.policy import CompiledPolicy, compile_policy, parse_policy
from extproc.policy.document import Case
from extproc.policy.starter import PRESETS, compose

COMBINATIONS: Final = [(profile, name) for name, preset in PRESETS.items() for profile in preset.profiles]

_TIERS: Final = {Source.GEOIP: Tier.TRUSTED_EDGE, Source.JWT: Tier.VERIFIED_CLAIM, Source.HEADER: Tier.UNAUTHENTICATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What tier 1 says: why it refuses, or the regions and those of them that a transfer reaches."""

    refused: Refusal | None
    verdict: Verdict | None
    permitted: frozenset[RegionId]
    transfers: frozenset[RegionId]


@cache
def compiled(profile: str, preset: str) -> CompiledPolicy:
    return compile_policy(parse_policy(compose(profile, preset), file=f"{preset}, {profile}"))


def ask(  # noqa: PLR0913 - the facts of a request, each by name
    policy: CompiledPolicy,
    *,
    tenant: str,
    now_s: float,
    geoip: str | None = None,
    unknown: bool = False,
    jwt: str | None = None,
    header: str | None = None,
    data_class: str | None = None,
) -> Answer:
    stated = {Source.GEOIP: geoip, Source.JWT: jwt, Source.HEADER: header}
    signals = tuple(
        Signal(source=source, tier=_TIERS[source], jurisdiction=None if code is None else Jurisdiction(code))
        for source, code in stated.items()
        if code is not None or (source is Source.GEOIP and unknown)
    )
    classes = () if data_class is None else (ClassSignal(source=ClassSource.HEADER, data_class=DataClass(data_class)),)
    (model,) = policy.tables.models
    facts = RequestFacts(
        tenant=TenantId(tenant), binding=Binding.CLAIM, model=ModelId(model), classes=classes, signals=signals
    )
    ruled = rule(facts, policy.tables, (), now_s=now_s)
    match ruled:
        case Permitted():
            regions = [region for region in ruled.verdict.regions if region.exclusion is None]
            moved = [region for region in regions if any(permit.basis.is_transfer for permit in region.permits)]
            return Answer(
                refused=None,
                verdict=ruled.verdict,
                permitted=frozenset(region.region for region in regions),
                transfers=frozenset(region.region for region in moved),
            )
        case Refused():
            return Answer(
                refused=ruled.deny.refusal, verdict=ruled.verdict, permitted=frozenset(), transfers=frozenset()
            )


def ask_case(policy: CompiledPolicy, case: Case) -> Answer:
    given = case.given
    as_of_s = policy.tables.epochs[0].starts_s
    return ask(
        policy,
        tenant=given.tenant,
        now_s=as_of_s if case.now is None else case.now.timestamp(),
        geoip=given.geoip,
        unknown=given.geoip_unknown,
        jwt=given.jwt,
        header=given.header,
        data_class=given.data_class,
    )
