from dataclasses import replace

import pytest
from ledger.world import CANDIDATE, REGIONS, config, decision, shadow_refuses, shadowed

from extproc.audit.summary import summarise
from extproc.core.decide import Decision, Shadowed
from extproc.core.facts import ClassSignal, ClassSource
from extproc.core.ids import DataClass
from extproc.core.jurisdiction import Verdict
from extproc.core.reasons import Refusal
from extproc.core.steering import Deny
from extproc.ledger.entries import decision_to_entry, parse_entry

_STEERED = "shop digits DE, special by payload detector:iban, to eu-fra then us-east, a transfer, duties gdpr.dpia"


def _summary(made: Decision) -> str:
    return summarise(parse_entry(decision_to_entry(made, sequence=1)))


def _verdict(made: Decision) -> Verdict:
    assert made.verdict is not None
    return made.verdict


def _refused(refusal: Refusal, made: Decision, host: str | None = None) -> Decision:
    return replace(made, choice=None, transfers=(), steering=Deny(refusal=refusal, redirect_host=host))


def test_a_decision_is_told_with_its_classes_transfers_and_duties() -> None:
    assert _summary(decision(1)) == _STEERED


def test_what_is_assumed_and_where_it_arrived_are_told() -> None:
    first = decision(1)
    verdict = _verdict(first)
    assumed = replace(verdict, jurisdictions=replace(verdict.jurisdictions, assumed=True), obligations=())
    declared = ClassSignal(source=ClassSource.HEADER, data_class=DataClass("special"))
    made = replace(first, verdict=replace(assumed, ingress=False), facts=replace(first.facts, classes=(declared,)))
    assert _summary(_refused(Refusal.WRONG_INGRESS, made, "sg.api.example")) == (
        "shop digits DE (assumed), special by header, refused: wrong_ingress, sent on to sg.api.example, "
        "arrived where it is not permitted"
    )


def test_a_refusal_without_facts_is_told() -> None:
    first = decision(1)
    bare = replace(first, verdict=None, facts=replace(first.facts, tenant=None, model=None, classes=()))
    assert _summary(_refused(Refusal.UNKNOWN_TENANT, bare)) == "? ? ?, refused: unknown_tenant"


def _as_live(made: Decision) -> Decision:
    """Beside a shadow policy that says the very same."""
    refusal = made.steering.refusal if isinstance(made.steering, Deny) else None
    shadow = Shadowed(policy=CANDIDATE, facts=None, verdict=made.verdict, refusal=refusal)
    return replace(made, shadow=shadow)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (_as_live(decision(1)), ""),
        (_as_live(_refused(Refusal.UNKNOWN_TENANT, replace(decision(1), verdict=None))), ""),
        (shadowed(decision(1)), "; the shadow policy would permit eu-ams eu-fra"),
        (shadow_refuses(decision(1), Refusal.UNKNOWN_MODEL), "; the shadow policy would refuse: unknown_model"),
        (
            shadow_refuses(_refused(Refusal.UNKNOWN_TENANT, decision(1)), Refusal.UNKNOWN_MODEL),
            "; the shadow policy would refuse: unknown_model",
        ),
        (
            shadowed(_refused(Refusal.NO_PERMITTED_REGION, decision(1))),
            "; the shadow policy would permit eu-ams eu-fra",
        ),
        (
            replace(
                decision(1),
                shadow=Shadowed(
                    policy=CANDIDATE,
                    facts=None,
                    verdict=replace(_verdict(decision(1)), obligations=()),
                    refusal=None,
                ),
            ),
            "; the shadow policy would say the same on other grounds",
        ),
        (
            replace(
                _refused(Refusal.NO_SERVING_REGION, decision(1)),
                shadow=Shadowed(policy=CANDIDATE, facts=None, verdict=decision(1).verdict, refusal=None),
            ),
            "",
        ),
    ],
)
def test_the_shadow_is_told_where_it_differs(made: Decision, told: str) -> None:
    alone = _summary(replace(made, shadow=None))
    assert _summary(made) == alone + told


def test_the_shadow_of_a_configuration_is_named() -> None:
    assert summarise(parse_entry(config(shadow=True))) == (
        "policy acme version 1 (hybrid), beside it acme version 2 (hybrid)"
    )


def test_the_regions_of_the_shadow_are_its_own() -> None:
    other = replace(_verdict(decision(1)), regions=tuple(reversed(_verdict(decision(1)).regions)))
    made = replace(
        decision(1), shadow=Shadowed(policy=CANDIDATE, facts=None, verdict=other, refusal=None), transfers=()
    )
    assert "on other grounds" in _summary(made)
    fewer = replace(other, regions=other.regions[2:])
    made = replace(made, shadow=Shadowed(policy=CANDIDATE, facts=None, verdict=fewer, refusal=None))
    assert _summary(made).endswith(f"would permit {REGIONS[1]} {REGIONS[0]}")
