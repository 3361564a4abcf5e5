"""A small world of logs for the tests of the ledger and of the audit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import UUID

from extproc.core.decide import Decision, Shadowed, Transfer
from extproc.core.delivery import Attempt, Delivery, Order, intent_of, reconcile
from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source, Tier
from extproc.core.ids import (
    ConfigRevision,
    Country,
    DataClass,
    DecisionId,
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
from extproc.core.jurisdiction import Jurisdictions, RegionVerdict, Verdict
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.routing.choose import Choice, Estimate
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import UNSEEN
from extproc.core.snapshot import Shadow, Snapshot
from extproc.core.steering import Steer
from extproc.core.tables import Basis, Permit, PolicyTables, Region
from extproc.ledger.commit import LogIdentity
from extproc.ledger.entries import close_to_entry, config_to_entry, decision_to_entry, delivery_to_entry
from extproc.ledger.incarnation import start_log
from extproc.ledger.log import LogWriter
from extproc.notes.keys import SigningKey, generate_key

IDENTITY: Final = LogIdentity(org="acme", env="test", region="eu", node="node-1", worker="w0")
KEY: Final = generate_key()
NOW_S: Final = 1_763_725_440.25
REVISION: Final = ConfigRevision("sha256:" + "5a" * 32)
POLICY: Final = PolicyRevision("sha256:" + "00" * 32)
CANDIDATE: Final = PolicyRevision("sha256:" + "01" * 32)
SEGMENT: Final = 1 << 16
_HOME: Final = Permit(regime=RegimeId("gdpr"), id=PermitId("home"), cite="GDPR Art. 44", basis=Basis.INTERNAL)
_ABROAD: Final = Permit(
    regime=RegimeId("gdpr"),
    id=PermitId("dpf"),
    cite="GDPR Art. 45",
    basis=Basis.ADEQUACY,
    mechanism=MechanismId("dpf"),
)
REGIONS: Final = tuple(map(RegionId, ("eu-fra", "eu-ams", "us-east", "ap-sgp")))


def clock() -> float:
    return NOW_S


def decision(number: int) -> Decision:
    """A decision over four regions: two at home, one by a transfer, one excluded."""
    verdicts = [RegionVerdict(region=region, permits=(_HOME,)) for region in REGIONS[:2]]
    verdicts.append(RegionVerdict(region=REGIONS[2], permits=(_ABROAD,)))
    verdicts.append(
        RegionVerdict(region=REGIONS[3], permits=(), exclusion=Exclusion.NO_PERMIT, excluded_by=RegimeId("gdpr"))
    )
    return Decision(
        id=DecisionId(str(UUID(int=(7 << 76) + number))),
        decided_at_s=NOW_S + number,
        config=REVISION,
        facts=RequestFacts(
            tenant=TenantId("shop"),
            binding=Binding.CLAIM,
            model=ModelId("digits"),
            classes=(ClassSignal(source=ClassSource.PAYLOAD, data_class=DataClass("special"), detail="detector:iban"),),
            signals=(Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=Jurisdiction("DE")),),
        ),
        steering=Steer(plan=(REGIONS[0], REGIONS[2]), route="eu-fra>us-east"),
        verdict=Verdict(
            jurisdictions=Jurisdictions(names=(Jurisdiction("DE"),)),
            classes=(DataClass("personal"), DataClass("special")),
            regimes=(RegimeId("gdpr"),),
            obligations=("gdpr.dpia",),
            permitted=RegionMask(0b111),
            regions=tuple(verdicts),
            ingress=True,
        ),
        choice=Choice(
            plan=(0, 2),
            estimates=tuple(
                Estimate(region=region, state=HealthState.UP, latency_s=0.01 + number / 1e6, age_s=1.5)
                for region in REGIONS[:3]
            ),
        ),
        transfers=(
            Transfer(
                region=REGIONS[2],
                importer=Country("US"),
                exporter=Jurisdiction("DE"),
                permit=_ABROAD,
                reference="DPF-1",
            ),
        ),
    )


def suspension(
    name: str, kind: TargetKind = TargetKind.REGION, *, from_s: float = NOW_S, until_s: float | None = None
) -> Suspension:
    """An order about `name`."""
    return Suspension(
        id=OverrideId(f"LT-{name}"),
        kind=kind,
        name=name,
        reason="injunction",
        from_s=from_s,
        until_s=until_s,
        approved_by=("A. Counsel",),
    )


def shadowed(decided: Decision) -> Decision:
    """The same decision beside a shadow policy that would permit the regions at home only."""
    verdict = decided.verdict
    assert verdict is not None
    excluded = RegionVerdict(region=REGIONS[2], permits=(), exclusion=Exclusion.PROFILE, excluded_by=RegimeId("gdpr"))
    regions = (*verdict.regions[:2], excluded, *verdict.regions[3:])
    said = replace(verdict, permitted=RegionMask(0b11), regions=regions)
    return replace(decided, shadow=Shadowed(policy=CANDIDATE, facts=None, verdict=said, refusal=None))


def shadow_refuses(decided: Decision, refusal: Refusal) -> Decision:
    """The same decision beside a shadow policy that would refuse it without a verdict."""
    return replace(decided, shadow=Shadowed(policy=CANDIDATE, facts=None, verdict=None, refusal=refusal))


def delivery(
    decided: Decision, *regions: RegionId | None, began_at_s: float = NOW_S, orders: Sequence[Order] = ()
) -> Delivery:
    attempts = tuple(
        Attempt(cluster=region or "elsewhere", region=region, status=200, began_at_s=began_at_s, duration_s=0.1)
        for region in regions
    )
    return Delivery(
        decision=decided.id,
        attempts=attempts,
        attempts_expected=len(attempts),
        served=regions[-1] if regions else None,
        status=200,
        began_at_s=NOW_S,
        duration_s=0.1,
        finding=reconcile(decided.id, intent_of(decided), attempts, orders),
    )


def _policy(revision: PolicyRevision, version: int) -> PolicyTables:
    return PolicyTables(
        id="acme",
        version=version,
        revision=revision,
        ingress_region=REGIONS[0],
        regions=tuple(
            Region(id=region, country=Country(country), cluster=region, models={})
            for region, country in zip(REGIONS, ("DE", "NL", "US", "SG"), strict=True)
        ),
        classes=frozenset(),
        tenants={},
        models={},
        epochs=(),
        may_replace={},
    )


def snapshot(*, shadow: bool = False) -> Snapshot:
    return Snapshot(
        revision=REVISION,
        policy=_policy(POLICY, 1),
        suspensions=(),
        standings=(UNSEEN,) * len(REGIONS),
        shadow=Shadow(policy=_policy(CANDIDATE, 2), suspensions=()) if shadow else None,
    )


def config(*, shadow: bool = False) -> bytes:
    return config_to_entry(snapshot(shadow=shadow), at_s=NOW_S, program="1")


def write_log(root: Path, entries: list[bytes], *, close: bool = True, key: SigningKey = KEY) -> Path:
    """Write one incarnation with these entries after its Genesis, in batches of three, and give its folder."""
    writer = open_log(root, key)
    for start in range(0, len(entries), 3):
        writer.append(entries[start : start + 3])
        writer.sync()
    if close:
        writer.append([close_to_entry(at_s=NOW_S + 590, reason="shutdown")])
        writer.close()
    else:
        writer.publish()
    writer.abandon()
    return writer.directory


def open_log(root: Path, key: SigningKey = KEY) -> LogWriter:
    """Start a log and let its lock go: a test is one process."""
    writer, lock = start_log(
        root, identity=IDENTITY, key=key, durability="fsync", program="1", clock=clock, segment_bytes=SEGMENT
    )
    lock.release()
    return writer


def small_log(root: Path, decisions: int = 4, *, close: bool = True) -> Path:
    """A log with a configuration, some decisions and a delivery of the first."""
    entries = [config()]
    entries += [decision_to_entry(decision(n), sequence=n) for n in range(1, decisions + 1)]
    entries.append(delivery_to_entry(delivery(decision(1), REGIONS[0]), at_s=NOW_S + 550))
    return write_log(root, entries, close=close)
