"""Everything that can be changed is changed under load, through a real Envoy: nobody notices, and nothing is mixed.

What a change costs in latency is measured in `bench`; here nothing depends on how fast the machine is, but for the
second within which a legal order must hold.
"""

import asyncio
import time
from pathlib import Path

import pytest

from extproc.audit.replay import replay
from extproc.audit.show import read_records
from extproc.core.ids import ConfigRevision, PolicyRevision, RegionId
from extproc.core.steering import Steer
from extproc.demo.load import steady_load
from extproc.demo.visits import VISITS, Visitor
from extproc.demo.world import World
from extproc.ledger.entries import decision_from_entry
from extproc.policy.compile import compile_policy
from extproc.policy.parse import parse_policy

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_DXB = RegionId("me-dxb")
_BANK = next(visit for visit in VISITS if visit.who == "bank, France")
_UAE = next(visit for visit in VISITS if visit.who == "UAE")
_CHANGES = 12
_WITHIN_S = 1.0
OK = 200


def _version(text: str, number: int) -> str:
    """Write the policy's next version: odd ones take the bank's mechanism away, so that the answers differ."""
    changed = text.replace("version: 1\n", f"version: {number}\n")
    return changed.replace("mechanisms: {dpf: true}", "mechanisms: {}") if number % 2 else changed


async def _put(path: Path, text: str) -> None:
    beside = path.with_name("next.yaml")
    await asyncio.to_thread(beside.write_text, text)
    beside.replace(path)


async def test_no_decision_mixes_two_policies(world: World, visitor: Visitor) -> None:
    first = world.folder.policy.read_text()
    texts = [first, *(_version(first, number) for number in range(2, _CHANGES + 2))]
    compiled = [compile_policy(parse_policy(text)).tables for text in texts]
    by_revision = {tables.revision: tables for tables in compiled}
    taken = 'situs_reloads_total{result="taken"}'
    async with steady_load(visitor, _BANK, per_s=60.0) as load:
        for number, text in enumerate(texts[1:], 1):
            await asyncio.sleep(0.3)
            await _put(world.folder.policy, text)
            # A database that is put anew between two policies is part of the next configuration, and of no mixture.
            database = world.folder.geo
            await asyncio.to_thread(database.with_name("next.mmdb").write_bytes, database.read_bytes())
            database.with_name("next.mmdb").replace(database)

            async def is_taken(number: int = number) -> bool:
                return await world.metric(taken) >= number

            await world.until(is_taken, f"change {number} is taken")
        await asyncio.sleep(0.5)
    await world.stop()

    # Nobody noticed.
    assert len(load.answers) > 200
    assert load.failed() == 0

    # Each decision is the one that its own configuration gives: as a whole, from one policy.
    policy_of = {}
    decided: dict[str, int] = dict.fromkeys(by_revision, 0)
    permitted: dict[str, set[frozenset[str]]] = {revision: set() for revision in by_revision}
    for record in read_records(world.folder.log):
        if record.entry.HasField("config"):
            config = record.entry.config
            policy_of[ConfigRevision(config.revision)] = by_revision[PolicyRevision(config.policy.revision)]
        if record.entry.HasField("decision"):
            recorded = decision_from_entry(record.entry)
            tables = policy_of[recorded.config]
            assert replay(recorded, tables, ()) == recorded
            assert recorded.verdict is not None
            decided[tables.revision] += 1
            permitted[tables.revision].add(
                frozenset(each.region for each in recorded.verdict.regions if each.exclusion is None)
            )
    assert all(decided.values()), decided
    assert {len(sets) for sets in permitted.values()} == {1}
    assert len(frozenset().union(*permitted.values())) == 2


async def test_a_legal_order_holds_within_a_second(world: World, visitor: Visitor) -> None:
    async with steady_load(visitor, _UAE, per_s=60.0) as load:
        await asyncio.sleep(1.0)
        for target in (["me-dxb"], ["--permit", "uae.ae"], ["--model", "digits"]):
            before_s = time.monotonic()
            await asyncio.to_thread(
                world.run_situs, "suspend", *target, "--overrides", world.folder.overrides, "--reason", "injunction",
                "--until", "2099-01-01", "--approved-by", "a", "--approved-by", "b",
            )  # fmt: skip
            ordered_s = time.monotonic()
            await asyncio.sleep(_WITHIN_S + 0.7)
            assert {answer.status for answer in load.since(ordered_s + _WITHIN_S)} == {451}, target
            assert {answer.status for answer in load.since(before_s)} == {200, 451}, target
            await asyncio.to_thread(
                world.run_situs, "resume", *target, "--overrides", world.folder.overrides, "--reason", "lifted",
                "--approved-by", "a", "--approved-by", "b",
            )  # fmt: skip
            resumed_s = time.monotonic()

            async def is_served(since_s: float = resumed_s + _WITHIN_S) -> bool:
                later = load.since(since_s)
                return bool(later) and later[0].status == OK

            await world.until(is_served, "a second after the end of the order it is served again")
    await world.stop()
    reasons = {}
    for record in read_records(world.folder.log):
        if record.entry.HasField("decision"):
            decision = decision_from_entry(record.entry)
            if not isinstance(decision.steering, Steer) and decision.verdict is not None:
                own = next(each for each in decision.verdict.regions if each.region == _DXB)
                reasons[own.exclusion] = own.excluded_by
    assert {reason for reason in reasons if reason is not None} == {"suspended", "permit_suspended", "model_suspended"}
    assert world.run_situs("audit", "verify", world.folder.log).returncode == 0
