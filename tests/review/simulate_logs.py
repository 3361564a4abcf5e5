"""Logs for the tests of review: real decisions of a written policy, recorded by what the sidecar records with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ledger.world import IDENTITY, KEY

from extproc.core.decide import Decision, decide
from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source, Tier
from extproc.core.fitness import Unfit
from extproc.core.ids import ConfigRevision, DataClass, DecisionId, Jurisdiction, ModelId, RegionId, TenantId
from extproc.core.overrides import Suspension
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import UNSEEN, Standing
from extproc.core.snapshot import Shadow, Snapshot
from extproc.ledger.commit import Ledger
from extproc.policy import CompiledPolicy, compile_policy, format_canonical, parse_policy
from extproc.sidecar.recorder import Recorder

EXAMPLES = Path(__file__).parents[2] / "extproc/policy/examples"
DEMO = (EXAMPLES / "demo.yaml").read_text()
START_S = 1_795_600_000.0  # 2026-11-25, when the demo's policy is in force


def demo(*edits: tuple[str, str]) -> CompiledPolicy:
    """Compile the demo's policy with parts of its text replaced; a part that is not there is a fault of the test."""
    return compile_policy(parse_policy(demo_text(*edits)))


def demo_text(*edits: tuple[str, str]) -> str:
    text = DEMO
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text


def request(
    tenant: str = "acme-bank", place: str | None = "FR", *, header: str | None = None, declared: str | None = None
) -> RequestFacts:
    signals = [Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=_place(place))]
    if header is not None:
        signals.append(Signal(source=Source.HEADER, tier=Tier.UNAUTHENTICATED, jurisdiction=Jurisdiction(header)))
    classes = () if declared is None else (ClassSignal(source=ClassSource.HEADER, data_class=DataClass(declared)),)
    return RequestFacts(
        tenant=TenantId(tenant),
        binding=Binding.CLAIM,
        model=ModelId("digits"),
        classes=classes,
        signals=tuple(signals),
    )


def _place(code: str | None) -> Jurisdiction | None:
    return None if code is None else Jurisdiction(code)


@dataclass(slots=True)
class LogMaker:
    """A sidecar without its wires: decides, and records what it decided."""

    root: Path
    live: CompiledPolicy
    shadow: CompiledPolicy | None = None
    orders: tuple[Suspension, ...] = ()
    down: frozenset[str] = frozenset()
    unfit: tuple[Unfit, ...] = ()
    now_s: float = START_S
    decisions: list[Decision] = field(default_factory=list)
    _ledger: Ledger | None = None
    _recorder: Recorder | None = None

    async def __aenter__(self) -> Self:
        self._ledger = await Ledger.open(
            self.root, identity=IDENTITY, key=KEY, program="1", clock=lambda: self.now_s, segment_bytes=1 << 20
        )
        self._recorder = Recorder(self._ledger, program="1", clock=lambda: self.now_s)
        await self.configure()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._ledger is not None
        await self._ledger.close()

    async def configure(self, *, before: tuple[Suspension, ...] = ()) -> None:
        """Record the configuration, as at a start and after each change."""
        assert self._recorder is not None
        shadow = None if self.shadow is None else format_canonical(self.shadow.document)
        await self._recorder.record_overrides(before, self._suspensions(self.live))
        await self._recorder.record_configuration(
            self._snapshot(), None, format_canonical(self.live.document), shadow=shadow
        )

    async def decide(self, *requests: RequestFacts) -> None:
        assert self._recorder is not None
        for facts in requests:
            self.now_s += 1
            number = DecisionId(f"00000000-0000-7000-8000-{len(self.decisions):012x}")
            made = decide(facts, self._snapshot(), now_s=self.now_s, decision_id=number)
            self.decisions.append(made)
            await self._recorder.record_decision(made)

    def _suspensions(self, policy: CompiledPolicy) -> tuple[Suspension, ...]:
        return (*policy.suspensions, *self.orders)

    def _snapshot(self) -> Snapshot:
        regions = [region.id for region in self.live.tables.regions]
        shadow = self.shadow
        return Snapshot(
            revision=ConfigRevision(f"sha256:{self.live.tables.revision[-8:]}{len(self.orders)}{shadow is None}"),
            policy=self.live.tables,
            suspensions=self._suspensions(self.live),
            standings=tuple(self._standing(region) for region in regions),
            fitness={ModelId("digits"): self.unfit} if self.unfit else {},
            shadow=None if shadow is None else Shadow(policy=shadow.tables, suspensions=self._suspensions(shadow)),
        )

    def _standing(self, region: RegionId) -> Standing:
        if region in self.down:
            return Standing(state=HealthState.DOWN, observed_at_s=self.now_s - 1)
        return UNSEEN
