"""Through written policies: what can only narrow never adds a region, and never turns a refusal into a steer.

Each property is put to random policies over the whole language, with requests and moments at random. Where a change
cannot be judged by the tables alone (a regime, a permit, a profile more), both policies are compiled.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy.asking import compiled, decided, permitted
from policy.random_laws import CLASSES, Written
from policy.strategies import cases, policies, random_signal

from extproc.core.decide import Decision
from extproc.core.facts import ClassSignal, ClassSource, RequestFacts, Source
from extproc.core.ids import DataClass, OverrideId
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Refusal
from extproc.core.steering import Deny
from extproc.policy import CompiledPolicy

pytestmark = pytest.mark.slow

_SEEDS = st.integers(0, 1 << 32)
_Case = tuple[RequestFacts, datetime]


def _assert_only_narrows(before: Decision, after: Decision) -> None:
    assert permitted(after) <= permitted(before)
    if isinstance(before.steering, Deny):
        assert isinstance(after.steering, Deny)


def _assert_narrower(policy: CompiledPolicy, changed: Iterable[tuple[RequestFacts, RequestFacts, datetime]]) -> None:
    for before, after, now in changed:
        _assert_only_narrows(decided(before, policy, now), decided(after, policy, now))


def _without(request: RequestFacts, *sources: Source) -> RequestFacts:
    return replace(request, signals=tuple(signal for signal in request.signals if signal.source not in sources))


@pytest.mark.parametrize("source", [Source.HEADER, Source.GEOIP_REGISTERED, Source.GEOIP_REPRESENTED])
@settings(max_examples=30)
@given(policies(), cases(), _SEEDS)
def test_a_signal_that_nobody_has_authenticated(source: Source, policy: Written, asked: list[_Case], seed: int) -> None:
    """A declared jurisdiction, and the two further countries of an address, which the policy only lets count beside."""
    random = Random(seed)

    def declaring(request: RequestFacts) -> tuple[RequestFacts, RequestFacts]:
        without = _without(request, source)
        return without, replace(without, signals=(*without.signals, random_signal(random, source)))

    _assert_narrower(compiled(policy), ((*declaring(request), now) for request, now in asked))


@pytest.mark.parametrize("source", list(ClassSource))
@settings(max_examples=30)
@given(policies(), cases(), _SEEDS)
def test_a_class_beside_the_others(source: ClassSource, policy: Written, asked: list[_Case], seed: int) -> None:
    """Declared by the client, or found in the payload; whichever it is, and however many there are already."""
    random = Random(seed)

    def classed(request: RequestFacts) -> RequestFacts:
        signal = ClassSignal(source=source, data_class=DataClass(random.choice([*CLASSES, "unheard-of"])))
        return replace(request, classes=(*request.classes, signal))

    _assert_narrower(compiled(policy), ((request, classed(request), now) for request, now in asked))


@settings(max_examples=40)
@given(policies(), cases())
def test_a_place_that_is_known_no_longer(policy: Written, asked: list[_Case]) -> None:
    """An address or a claim that was known and is not: only what the policy assumes of addresses could stand in."""
    geoip = policy["signals"].get("geoip", {})
    if isinstance(geoip.get("unknown"), dict):
        geoip["unknown"] = "deny"

    def forgetting(request: RequestFacts, source: Source) -> RequestFacts:
        signals = (replace(each, jurisdiction=None) if each.source is source else each for each in request.signals)
        return replace(request, signals=tuple(signals))

    _assert_narrower(
        compiled(policy),
        (
            (request, forgetting(request, source), now)
            for request, now in asked
            for source in (Source.GEOIP, Source.JWT)
        ),
    )


@settings(max_examples=40)
@given(policies(), cases())
def test_no_word_of_anybody_verified(policy: Written, asked: list[_Case]) -> None:
    """Without any signal that stands alone nothing is permitted, whatever the others say."""
    tables = compiled(policy)
    for request, now in asked:
        alone = _without(request, *(source for source in Source if source.stands_alone))
        assert isinstance(decided(alone, tables, now).steering, Deny)


@settings(max_examples=40)
@given(policies(), cases(), _SEEDS)
def test_a_legal_order(policy: Written, asked: list[_Case], seed: int) -> None:
    random = Random(seed)
    before = compiled(policy)
    names: dict[TargetKind, list[str]] = {
        TargetKind.REGION: list(policy["regions"]),
        TargetKind.PERMIT: [f"{law['id']}.{permit['id']}" for law in policy["regimes"] for permit in law["permits"]],
        TargetKind.MODEL: ["digits", "fraud"],
    }
    for request, now in asked:
        kind = random.choice([kind for kind, found in names.items() if found])
        order = Suspension(
            id=OverrideId("LT-9"),
            kind=kind,
            name=random.choice(names[kind]),
            reason="injunction",
            from_s=0,
            until_s=None,
            approved_by=("a",),
        )
        after = replace(before, suspensions=(*before.suspensions, order))
        _assert_only_narrows(decided(request, before, now), decided(request, after, now))


def _assert_policy_narrows(
    policy: Written, change: Callable[[Written], None], asked: list[_Case], *, where: Callable[[Decision], bool]
) -> None:
    """Assert that the changed policy permits no more, where `where` says that the two can be compared."""
    changed = deepcopy(policy)
    change(changed)
    before, after = compiled(policy), compiled(changed)
    for request, now in asked:
        answer = decided(request, before, now)
        if where(answer):
            _assert_only_narrows(answer, decided(request, after, now))


def _is_governed(decision: Decision) -> bool:
    refused = decision.steering.refusal if isinstance(decision.steering, Deny) else None
    return refused is not Refusal.UNGOVERNED_JURISDICTION


@settings(max_examples=25)
@given(policies(), policies(), cases())
def test_one_regime_more(policy: Written, other: Written, asked: list[_Case]) -> None:
    """It may add one where nothing governed before, which is why a request that nothing governs is refused."""
    tenants = policy["tenants"]

    def add(changed: Written) -> None:
        changed["regimes"].append({**other["regimes"][0], "id": "extra"})
        # The other policy's conditions may ask for attributes, and this one's tenants keep theirs.
        assert changed["tenants"] == tenants

    _assert_policy_narrows(policy, add, asked, where=_is_governed)


@settings(max_examples=25)
@given(policies(), cases(), _SEEDS)
def test_one_permit_less(policy: Written, asked: list[_Case], seed: int) -> None:
    """So one permit more never removes a region: a regime needs one that stands, and looks at no other."""
    random = Random(seed)
    policy.pop("overrides", None)  # an order about a permit that is not there would be refused
    holding = [i for i, regime in enumerate(policy["regimes"]) if regime["permits"]]
    if not holding:
        return
    at = random.choice(holding)
    gone = random.randrange(len(policy["regimes"][at]["permits"]))

    def remove(changed: Written) -> None:
        regime = changed["regimes"][at]
        id_ = regime["permits"].pop(gone)["id"]
        for rule in regime.get("class", {}).values():
            rule["only"] = [name for name in rule["only"] if name != id_]
        _drop_undeclared_mechanisms(changed)

    _assert_policy_narrows(policy, remove, asked, where=lambda _: True)


def _drop_undeclared_mechanisms(policy: Written) -> None:
    named = {
        permit["enabled_by"].split(".")[-1]
        for regime in policy["regimes"]
        for permit in regime["permits"]
        if "enabled_by" in permit
    }
    for tenant in policy["tenants"].values():
        if "mechanisms" in tenant:
            tenant["mechanisms"] = {name: how for name, how in tenant["mechanisms"].items() if name in named}


def _without_marks(policy: Written) -> None:
    policy["classes"] = list(CLASSES)


@settings(max_examples=25)
@given(policies(), cases())
def test_legal_first_under_hybrid_under_performance_first(policy: Written, asked: list[_Case]) -> None:
    """The same rules under a stricter profile permit no more. A class may be unregulated where none governs it."""
    policy["policy"]["profile"] = "performance-first"

    def to_hybrid(changed: Written) -> None:
        changed["policy"]["profile"] = "hybrid"
        _without_marks(changed)

    def to_legal_first(changed: Written) -> None:
        changed["policy"]["profile"] = "legal-first"

    _assert_policy_narrows(policy, to_hybrid, asked, where=lambda _: True)
    to_hybrid(policy)
    _assert_policy_narrows(policy, to_legal_first, asked, where=lambda _: True)


@settings(max_examples=25)
@given(policies(), cases(), _SEEDS)
def test_what_an_operator_takes_away(policy: Written, asked: list[_Case], seed: int) -> None:
    """A mechanism that is no longer declared, a tenant's own list, a model's territory, requests in the wrong place."""
    random = Random(seed)
    tenant = policy["tenants"][random.choice(list(policy["tenants"]))]
    models = sorted({model for region in policy["regions"].values() for model in region["models"]})

    def narrow(changed: Written) -> None:
        mine = next(each for each in changed["tenants"].values() if each["match"] == tenant["match"])
        match random.choice(["mechanisms", "allow", "resident_in", "refuse"]):
            case "mechanisms":
                mine.pop("mechanisms", None)
            case "allow":
                name = random.choice(list(changed["regions"]))
                mine["allow"] = [name] if "allow" not in mine or name in mine["allow"] else mine["allow"][:1]
            case "resident_in" if models:
                entry = changed.setdefault("models", {}).setdefault(models[0], {})
                if "resident_in" not in entry:
                    entry.update(resident_in="NEAR", cite="licence")
            case _:
                changed["ingress"].pop("redirect_hosts", None)
                changed["ingress"]["on_mismatch"] = "refuse"

    _assert_policy_narrows(policy, narrow, asked, where=lambda _: True)


@settings(max_examples=25)
@given(policies(), cases())
def test_conflicting_signals_that_are_refused(policy: Written, asked: list[_Case]) -> None:
    """`deny` permits no more than `intersect` for any request."""
    policy["conflict"] = {"mode": "intersect"}

    def deny(changed: Written) -> None:
        changed["conflict"]["mode"] = "deny"

    _assert_policy_narrows(policy, deny, asked, where=lambda _: True)
