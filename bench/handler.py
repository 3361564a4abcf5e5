"""The sidecar's own work on one request, bytes in and bytes out, in this process and without any I/O.

CPU time of the real functions on the messages that Envoy sends, split by step, for a policy of 4 regions and one of 40.
The whole is measured by itself, not added up; each figure holds the 0.1 us of the loop around it.
"""

import gc
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

import yaml

from bench.messages import CLAIMS, access_log_message, processing_requests
from extproc.core.decide import Decision, decide
from extproc.core.delivery import Delivery
from extproc.core.routing.choose import Moment
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import Standing
from extproc.core.steering import Steer
from extproc.demo.places import write_geo_database
from extproc.ledger.entries import decision_to_entry, delivery_to_entry
from extproc.names import ATTEMPT_LOG, REQUEST_LOG
from extproc.sidecar.configuration import Files, Origin, load_configuration
from extproc.sidecar.deliveries import Deliveries
from extproc.sidecar.identifiers import DecisionIds
from extproc.sidecar.inflight import InFlight, OwnCounters
from extproc.sidecar.live import Live
from extproc.sidecar.metrics import Metrics
from extproc.wire.access_log import AccessLogReader
from extproc.wire.response import Responder

REGIONS: Final = (4, 40)
REPEATS: Final = 7
_LOGGED_TOGETHER: Final = 100
"""Entries in one access log message: what 1,000 requests a second give in one flush interval."""

Step: TypeAlias = Callable[[int], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """CPU microseconds per request. `steps` in the order of the path; `reported` is off the path, but on the CPU."""

    regions: int
    caller: str
    whole_us: float
    steps_us: Mapping[str, float]
    reported_us: float
    entry_bytes: int
    message_bytes: int


def measure_handler(work: Path, *, calls: int) -> list[Handled]:
    """Measure each size of policy with callers without and with a token; `calls` for each step and repeat."""
    geo = work / "country.mmdb"
    write_geo_database(geo)
    results = []
    for regions in REGIONS:
        policy = work / f"policy-{regions}.yaml"
        write_policy(policy, regions)
        live = Live(load_configuration(Files(policy=Origin(location=str(policy)), geo=geo)))
        for region in live.current.snapshot.policy.regions:
            seen = Standing(state=HealthState.UP, observed_at_s=time.time(), latency_s=0.009, budget=128.0)
            live.standing(region.id, seen)
        for caller, claims in (("without a token", None), ("with a token", CLAIMS)):
            results.append(_measure(live, caller, processing_requests(claims=claims), calls))
    return results


def write_policy(path: Path, regions: int) -> None:
    """Write the demo's policy with as many regions, in four countries that take turns."""
    written: Any = yaml.safe_load((resources.files("extproc.policy") / "examples" / "demo.yaml").read_text())
    first = list(written["regions"].items())
    written["regions"] = {
        (name if i < len(first) else f"{name[:2]}-{i:02}"): {**deepcopy(entry), "rtt_ms": 8 + i}
        for i in range(regions)
        for name, entry in [first[i % len(first)]]
    }
    with path.open("w") as file:
        yaml.safe_dump(written, file, sort_keys=False, default_flow_style=False)


def _measure(live: Live, caller: str, messages: list[bytes], calls: int) -> Handled:
    current = live.current
    now_s = time.time()
    count = len(messages)
    ids = DecisionIds()
    responder = Responder()
    metrics = Metrics()
    made: list[Delivery] = []
    in_flight = InFlight(OwnCounters(len(current.catalogue)), current.catalogue, longest_s=60.0)
    in_flight.opened()
    deliveries = Deliveries(
        clock=time.time, deliver=made.append, tried=lambda _ended, _model: None, in_flight=in_flight
    )

    def decided(message: bytes) -> Decision:
        return decide(
            current.reader.requests.read(message, now_s),
            current.snapshot,
            now_s=now_s,
            decision_id=ids.make(now_s),
            moment=Moment(in_flight=in_flight.at(current.catalogue)),
        )

    facts = [current.reader.requests.read(message, now_s) for message in messages]
    decisions = [decided(message) for message in messages]
    if not all(isinstance(each.steering, Steer) for each in decisions):
        raise ValueError(f"a caller {caller} is refused: what is measured would not be the whole path")
    some_id = decisions[0].id

    def account(i: int) -> None:
        decision = decisions[i % count]
        deliveries.expect(decision, current.regions)
        metrics.decided(decision.steering)
        deliveries.forget(decision.id)

    def whole(i: int) -> bytes:
        now_s = time.time()
        decision_id = ids.make(now_s)
        facts = current.reader.requests.read(messages[i % count], now_s)
        decision = decide(facts, current.snapshot, now_s=now_s, decision_id=decision_id)
        deliveries.expect(decision, current.regions)
        decision_to_entry(decision, sequence=i + 1)
        metrics.decided(decision.steering)
        deliveries.forget(decision_id)
        return responder.respond(decision.steering, decision_id)

    steps: dict[str, Step] = {
        "name the decision": lambda _i: ids.make(time.time()),
        "read the message": lambda i: current.reader.requests.read(messages[i % count], now_s),
        "decide": lambda i: decide(facts[i % count], current.snapshot, now_s=now_s, decision_id=some_id),
        "make the record": lambda i: decision_to_entry(decisions[i % count], sequence=i + 1),
        "account for it": account,
        "answer": lambda i: responder.respond(decisions[i % count].steering, some_id),
    }
    reported = _reported(live, decisions, deliveries, made)
    gc.collect()
    gc.freeze()
    took: dict[str, list[float]] = {name: [] for name in (*steps, "whole", "reported")}
    for _ in range(REPEATS):
        for name, step in steps.items():
            took[name].append(_cpu_us(step, calls))
        took["whole"].append(_cpu_us(whole, calls))
        took["reported"].append(_cpu_us(reported, max(1, calls // _LOGGED_TOGETHER)) / _LOGGED_TOGETHER)
    gc.unfreeze()
    return Handled(
        regions=len(current.snapshot.policy.regions),
        caller=caller,
        whole_us=median(took["whole"]),
        steps_us={name: median(took[name]) for name in steps},
        reported_us=median(took["reported"]),
        entry_bytes=len(decision_to_entry(decisions[0], sequence=1)),
        message_bytes=len(messages[0]),
    )


def _reported(live: Live, decisions: list[Decision], deliveries: Deliveries, made: list[Delivery]) -> Step:
    """Give the work on what Envoy reports of a hundred requests: read it, hold it against the plan, make records."""
    some = decisions[:_LOGGED_TOGETHER]
    attempts, ended = (access_log_message(log, some) for log in (ATTEMPT_LOG, REQUEST_LOG))

    def reported(_i: int) -> None:
        for decision in some:
            deliveries.expect(decision, live.current.regions)
        for message in (attempts, ended):
            for each in AccessLogReader(live.region_of).read(message):
                deliveries.take(each)
        for delivery in made:
            delivery_to_entry(delivery, at_s=delivery.began_at_s)
        if len(made) != len(some):
            raise ValueError(f"{len(made)} of {len(some)} deliveries were found")
        made.clear()

    return reported


def _cpu_us(step: Step, calls: int) -> float:
    began_ns = time.process_time_ns()
    for i in range(calls):
        step(i)
    return (time.process_time_ns() - began_ns) / calls / 1000


def decision_entries(work: Path) -> list[bytes]:
    """Give records as large as the ladder's, for the benchmark of the ledger."""
    geo, policy = work / "country.mmdb", work / "policy-4.yaml"
    write_geo_database(geo)
    write_policy(policy, REGIONS[0])
    current = Live(load_configuration(Files(policy=Origin(location=str(policy)), geo=geo))).current
    ids = DecisionIds()
    now_s = time.time()

    def decided(message: bytes) -> Decision:
        decision_id = ids.make(now_s)
        return decide(
            current.reader.requests.read(message, now_s), current.snapshot, now_s=now_s, decision_id=decision_id
        )

    return [decision_to_entry(decided(message), sequence=i) for i, message in enumerate(processing_requests(), 1)]
