"""What a policy costs by its size: to parse, to compile, to ask, and to hold.

One dimension at a time from a realistic middle, and the far corners. Each size in a process of its own
(`python -m bench.policies REGIONS REGIMES TENANTS`), so that memory is its own and no size warms another's caches.
Times are CPU; nothing else runs in that process.
"""

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Final, TypeVar

from bench.meter import peak_rss_mib, rss_mib
from bench.synthetic import AS_OF, MODELS, Size, write_synthetic
from extproc.core.decide import decide
from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source, Tier
from extproc.core.ids import ConfigRevision, DataClass, DecisionId, Jurisdiction, ModelId, OverrideId
from extproc.core.jurisdiction import Jurisdictions, classes_of, judge, jurisdictions_of, ruling_for
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import Standing
from extproc.core.snapshot import Snapshot
from extproc.core.tables import Epoch, PolicyTables, Tenant
from extproc.demo.process import ProcessFailedError, python
from extproc.policy.compile import compile_policy
from extproc.policy.compile.epochs import midnight_s
from extproc.policy.parse import parse_policy

T = TypeVar("T")

MIDDLE: Final = Size()
AROUND: Final = (
    MIDDLE,
    *(Size(regions=regions) for regions in (4, 100, 200)),
    *(Size(regimes=regimes) for regimes in (1, 5, 60)),
    *(Size(tenants=tenants) for tenants in (1, 100, 10_000)),
)
FAR: Final = (
    Size(tenants=100_000),
    Size(regions=60, regimes=25, tenants=10_000),
    Size(regions=200, regimes=60, tenants=100_000),
)
ONE_TENANT: Final = Size(tenants=1)

QUESTIONS: Final = 400
"""Most questions that are put to each policy, all of them different to tier 1."""

_PLACES: Final = ("DE", "FR", "US", "AE", "GB", "JP", "SG", "CA", "IN", "AU", "BR", "KR", "CH", "ZA")
_SOME_ID: Final = DecisionId("01890a5d-ac96-774b-bcce-b302099a8057")
_PATIENCE_S: Final = 600.0
_ROUNDS: Final = 5
_SHORT_S: Final = 0.5
"""What takes longer than this is measured once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one size costs. CPU: milliseconds for the policy, microseconds for a question, on average.

    A decision is `new` while nobody has asked the question before, and `known` from then on; with `order` while one
    legal order is in force. `table_us` is one look into the compiled tables and the intersection of four masks.
    `rss_mib` is what the document and the tables add to an empty process, `peak_mib` the most that it held.
    """

    size: Size
    text_bytes: int
    epochs: int
    profiles: int
    parse_ms: float
    compile_ms: float
    table_us: float
    judge_known_us: float
    new_us: float
    known_us: float
    order_new_us: float
    order_known_us: float
    rss_mib: float
    peak_mib: float


def measure_policies(sizes: Sequence[Size], say: Callable[[str], None] = lambda _line: None) -> list[Costs]:
    """Measure each size in a process of its own. Raises ProcessFailedError where one ends badly."""
    found = []
    for size in sizes:
        command = python("bench.policies", str(size.regions), str(size.regimes), str(size.tenants))
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
        if done.returncode:
            raise ProcessFailedError(f"measuring {size}: {done.stderr.strip()}")
        written = json.loads(done.stdout)
        costs = Costs(**{**written, "size": Size(**written["size"])})
        found.append(costs)
        say(
            f"{size.regions:>4} regions {size.regimes:>3} regimes {size.tenants:>7,} tenants  parse "
            f"{costs.parse_ms:>7,.0f} ms  compile {costs.compile_ms:>6,.0f} ms  {costs.rss_mib:>4,.0f} MiB  "
            f"decide {costs.new_us:>4.0f} us, then {costs.known_us:.1f} us"
        )
    return found


def measure_here(size: Size) -> Costs:
    """Measure one size in this process, which should have done nothing before."""
    text = write_synthetic(size)
    empty_mib = rss_mib(os.getpid())
    parse_ms = _least_ms(lambda: parse_policy(text))
    document = parse_policy(text)
    compile_ms = _least_ms(lambda: compile_policy(document))
    compiled = compile_policy(document)
    gc.collect()
    held_mib = rss_mib(os.getpid()) - empty_mib
    tables = compiled.tables
    gc.freeze()
    order = Suspension(
        id=OverrideId("LT-1"), kind=TargetKind.REGION, name=tables.regions[-1].id, reason="injunction",
        from_s=0.0, until_s=None, approved_by=("a", "b"),
    )  # fmt: skip
    now_s = midnight_s(AS_OF) + 3600.0
    epoch = tables.epoch_at(now_s)
    if epoch is None:
        raise ValueError("the synthetic policy is not in force")
    questions = list(_questions(tables, epoch))
    new_us, known_us = _decide_us(tables, questions, (), now_s)
    order_new_us, order_known_us = _decide_us(tables, questions, (order,), now_s)
    table_us, judge_known_us = _tier_1_us(tables, epoch, questions, now_s)
    return Costs(
        size=size,
        text_bytes=len(text.encode()),
        epochs=len(tables.epochs),
        profiles=len(tables.epochs[0].profiles),
        parse_ms=parse_ms,
        compile_ms=compile_ms,
        table_us=table_us,
        judge_known_us=judge_known_us,
        new_us=new_us,
        known_us=known_us,
        order_new_us=order_new_us,
        order_known_us=order_known_us,
        rss_mib=held_mib,
        peak_mib=peak_rss_mib(os.getpid()),
    )


def _least_ms(work: Callable[[], object]) -> float:
    """Give the least CPU of several runs: what disturbs a run can only add to it."""
    took: list[float] = []
    while len(took) < _ROUNDS and (not took or took[0] < _SHORT_S * 1000):
        gc.collect()
        began_ns = time.process_time_ns()
        work()
        took.append((time.process_time_ns() - began_ns) / 1e6)
    return min(took)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What tier 1 is asked. Equal ones are answered from memory."""

    tenant: Tenant
    model: ModelId
    jurisdictions: Jurisdictions
    classes: tuple[DataClass, ...]


def _asked(tables: PolicyTables, facts: RequestFacts) -> _Asked:
    if facts.tenant is None or facts.model is None:
        raise ValueError("a question names its tenant and its model")
    tenant = tables.tenants[facts.tenant]
    return _Asked(
        tenant,
        facts.model,
        jurisdictions_of(facts, tables),
        classes_of(facts, tenant, tables.models[facts.model], tables),
    )


def _questions(tables: PolicyTables, epoch: Epoch) -> Iterator[RequestFacts]:
    """Give questions that differ for tier 1 and that it answers with a verdict: tenants, places, declared classes."""
    seen: set[object] = set()
    tenants = list(tables.tenants.values())
    for place, declared, tenant in product(_PLACES, (None, "health", "special"), tenants[:: 1 + len(tenants) // 40]):
        facts = RequestFacts(
            tenant=tenant.id,
            binding=Binding.CLAIM,
            model=ModelId(MODELS[0]),
            classes=()
            if declared is None
            else (ClassSignal(source=ClassSource.HEADER, data_class=DataClass(declared)),),
            signals=(Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=Jurisdiction(place)),),
        )
        asked = _asked(tables, facts)
        key = (tenant.profile, tenant.allowed, asked.jurisdictions, asked.classes)
        rulings = [epoch.profiles[tenant.profile][name] for name in asked.classes]
        if key not in seen and all(place in by_place for by_place in rulings) and len(seen) < QUESTIONS:
            seen.add(key)
            yield facts


def _decide_us(
    tables: PolicyTables, questions: list[RequestFacts], orders: tuple[Suspension, ...], now_s: float
) -> tuple[float, float]:
    """Give what a decision takes for a question that is new, and for one that is known."""
    up = Standing(state=HealthState.UP, observed_at_s=now_s, latency_s=0.009, budget=128.0)
    snapshot = Snapshot(
        revision=ConfigRevision("sha256:0"), policy=tables, suspensions=orders, standings=(up,) * len(tables.regions)
    )

    def ask(facts: RequestFacts) -> object:
        return decide(facts, snapshot, now_s=now_s, decision_id=_SOME_ID)

    tables.verdicts.clear()
    return _each_us(ask, questions), _known_us(ask, questions)


def _tier_1_us(tables: PolicyTables, epoch: Epoch, questions: list[RequestFacts], now_s: float) -> tuple[float, float]:
    """Give what one look into the tables takes, and what a verdict takes that is known."""

    def look(asked: _Asked) -> object:
        ruling = ruling_for(epoch.profiles[asked.tenant.profile], asked.classes[0], asked.jurisdictions.names[0])
        return ruling.permitted & asked.tenant.allowed & tables.models[asked.model].serving

    def known(asked: _Asked) -> object:
        return judge(
            policy=tables,
            epoch=epoch,
            tenant=asked.tenant,
            model=asked.model,
            jurisdictions=asked.jurisdictions,
            classes=asked.classes,
            suspensions=(),
            now_s=now_s,
        )

    asked = [_asked(tables, facts) for facts in questions]
    return _known_us(look, asked), _known_us(known, asked)


def _known_us(step: Callable[[T], object], items: Sequence[T]) -> float:
    """Give what asking takes when all has been asked before: the least of several rounds."""
    return min(_each_us(step, items) for _ in range(_ROUNDS + 1))


def _each_us(step: Callable[[T], object], items: Sequence[T]) -> float:
    began_ns = time.process_time_ns()
    for item in items:
        step(item)
    return (time.process_time_ns() - began_ns) / len(items) / 1000


def main() -> int:
    """Measure the size that the arguments give; print the costs in JSON."""
    regions, regimes, tenants = map(int, sys.argv[1:])
    print(json.dumps(asdict(measure_here(Size(regions=regions, regimes=regimes, tenants=tenants)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
