"""An entry that does not fit refuses the request, so a decision over many regions must be far from the limit."""

from dataclasses import replace
from itertools import cycle

import pytest
from ledger.world import CANDIDATE, decision

from extproc.core.decide import Decision, Shadowed
from extproc.core.ids import DataClass, Jurisdiction, MechanismId, OverrideId, PermitId, RegimeId, RegionId, RegionMask
from extproc.core.jurisdiction import Jurisdictions, RegionVerdict, Verdict
from extproc.core.reasons import Exclusion
from extproc.core.routing.choose import Choice, Estimate
from extproc.core.routing.health import HealthState
from extproc.core.tables import Basis, Permit
from extproc.ledger.decision_reader import decision_from_entry
from extproc.ledger.decisions import decision_to_entry
from extproc.ledger.entries import parse_entry
from extproc.ledger.tiles import LARGEST_ENTRY

_REGIONS = 200
_LONGEST = 63
"""Characters of the longest name that the policy language takes."""


def _long(name: str) -> str:
    return name.ljust(_LONGEST, "x")


def _permit(regime: str, number: int, cite: str) -> Permit:
    return Permit(
        regime=RegimeId(regime),
        id=PermitId(f"permit-{number}"),
        cite=cite,
        basis=Basis.SAFEGUARDS,
        mechanism=MechanismId("scc"),
    )


def _verdict(regions: list[RegionVerdict]) -> Verdict:
    return Verdict(
        jurisdictions=Jurisdictions(names=tuple(map(Jurisdiction, ("CA-QC", "DE", "US"))), assumed=True),
        classes=(DataClass("personal"), DataClass("special")),
        regimes=tuple(map(RegimeId, ("ca-law25", "eu-gdpr", "us-dsp"))),
        obligations=("ca-law25.pia", "eu-gdpr.dpia", "us-dsp.audit"),
        permitted=RegionMask(sum(1 << i for i, each in enumerate(regions) if each.exclusion is None)),
        regions=tuple(regions),
        ingress=True,
    )


def _decision(verdict: Verdict, shadow: Verdict | None) -> Decision:
    estimates = tuple(
        Estimate(
            region=each.region,
            state=HealthState.HALF_OPEN,
            latency_s=0.0123,
            age_s=4.5,
            in_flight=9_999,
            budget=10_000,
            preference=199,
            missing_slo=True,
        )
        for each in verdict.regions
        if each.exclusion is None
    )
    plan = tuple(i for i, each in enumerate(verdict.regions) if each.exclusion is None)[:3]
    return replace(
        decision(1),
        verdict=verdict,
        choice=Choice(plan=plan, estimates=estimates),
        transfers=(),
        shadow=None if shadow is None else Shadowed(policy=CANDIDATE, facts=None, verdict=shadow, refusal=None),
    )


def _typical(prefix: str = "") -> Verdict:
    """Two regions of three are permitted, on twenty combinations of permits; the others are excluded by ten regimes."""
    grounds = [
        tuple(_permit(regime, n, f"Regulation {n}, Art. {n}, and guideline {n}/2026") for regime in ("eu", "us"))
        for n in range(20)
    ]
    regions = []
    for i, permits in zip(range(_REGIONS), cycle(grounds), strict=False):
        region = RegionId(f"{prefix}cloud-area-{i:03}")
        if i % 3:
            regions.append(RegionVerdict(region=region, permits=permits))
        else:
            by = RegimeId(f"regime-{i % 10}")
            regions.append(RegionVerdict(region=region, permits=(), exclusion=Exclusion.NO_PERMIT, excluded_by=by))
    return _verdict(regions)


def _worst(prefix: str, *, excluded: bool) -> Verdict:
    """Every name is as long as it can be, and every region that is excluded is so by a legal order of its own."""
    permits = tuple(_permit(_long(regime), 1, "x" * 200) for regime in ("eu", "us", "ca"))
    return _verdict(
        [
            RegionVerdict(
                region=RegionId(_long(f"{prefix}{i}-")),
                permits=permits,
                exclusion=Exclusion.SUSPENDED if excluded else None,
                excluded_by=OverrideId(_long(f"order-{prefix}{i}-")) if excluded else None,
            )
            for i in range(_REGIONS)
        ]
    )


@pytest.mark.parametrize(
    ("verdict", "shadow", "limit"),
    [
        (_typical(), None, 16_384),
        (_typical(), _typical(), 16_384),
        (_typical(), _typical("new-"), 20_480),
        (_worst("a", excluded=False), _worst("b", excluded=False), 40_960),
        (_worst("a", excluded=False), _worst("b", excluded=True), 57_344),
        (_worst("a", excluded=True), _worst("b", excluded=True), LARGEST_ENTRY),
    ],
)
def test_a_decision_over_200_regions_with_a_shadow_fits(verdict: Verdict, shadow: Verdict | None, limit: int) -> None:
    made = _decision(verdict, shadow)
    data = decision_to_entry(made, sequence=1 << 40)
    assert len(data) <= limit
    assert decision_from_entry(parse_entry(data)) == made
