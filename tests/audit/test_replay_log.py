"""Replaying whole logs: decisions by real policies come out equal, and what was changed is named by its field."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from ledger.world import NOW_S, write_log
from ledger.world import config as bare_config
from ledger.world import decision as bare_decision

from extproc.archive import open_archive
from extproc.audit.replay_log import Replayed, replay_logs
from extproc.audit.show import read_records
from extproc.audit.stored_policy import StoredPolicyError, load_stored, parse_canonical
from extproc.cli.main import main
from extproc.core.decide import Decision, decide
from extproc.core.facts import Binding, RequestFacts, Signal, Source, Tier
from extproc.core.fitness import Unfit
from extproc.core.ids import ConfigRevision, DecisionId, DependencyId, Jurisdiction, ModelId, OverrideId, TenantId
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Exclusion
from extproc.core.routing.choose import UNCOUNTED, Estimate, Moment
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import Standing
from extproc.core.snapshot import Shadow, Snapshot
from extproc.engine import ProcessEngine
from extproc.ledger.entries import config_to_entry, decision_to_entry, override_to_entry
from extproc.policy.compile import CompiledPolicy, compile_policy
from extproc.policy.load import load_policy

_ROOT = Path(__file__).parents[2]
DEMO = load_policy(_ROOT / "extproc/policy/examples/demo.yaml")
# Another policy with other verdicts: Germany's requests may go nowhere abroad by a plan of one region.
CANDIDATE = compile_policy(replace(DEMO.document, plan_length=1))
AT_S = 1_795_305_600.25
"""2026-11-22: a day on which the policy is in force."""
SAMPLES = sorted(
    [*(_ROOT / "extproc/policy/examples").glob("*.yaml"), _ROOT / "tests/policy/full.yaml"], key=lambda path: path.name
)


def _order(number: int, region: str) -> Suspension:
    return Suspension(
        id=OverrideId(f"o-{number}"),
        kind=TargetKind.REGION,
        name=region,
        reason="order",
        from_s=0,
        until_s=None,
        approved_by=("a", "b"),
    )


def _snapshot(number: int, orders: tuple[Suspension, ...], *, shadow: bool) -> Snapshot:
    standings = tuple(
        Standing(
            state=HealthState.HALF_OPEN if i == number else HealthState.UP,
            observed_at_s=AT_S + 1000 * number - i,
            latency_s=0.01 * (i + 1),
            budget=4.0 * (i + 1),
            missing_slo=i == number + 1,
        )
        for i, _ in enumerate(DEMO.tables.regions)
    )
    # Not those of the orders, which the law takes out before anybody asks whether they are fit.
    others = [region.id for region in DEMO.tables.regions[2:4]]
    by = DependencyId("vectors")
    return Snapshot(
        revision=ConfigRevision(f"sha256:{number:064x}"),
        policy=DEMO.tables,
        suspensions=(*DEMO.suspensions, *orders),
        standings=standings,
        # Of each reason in turn, and none at first.
        fitness={
            model: tuple(
                Unfit(region=each, why=why, by=by if why is Exclusion.DEPENDENCY_STALE else None) for each in others
            )
            for model in (DEMO.tables.models if number else ())
            for why in (list(Exclusion)[-(number % 3) - 1],)
        },
        shadow=Shadow(policy=CANDIDATE.tables, suspensions=(*CANDIDATE.suspensions, *orders)) if shadow else None,
    )


def _moment(number: int, regions: int) -> Moment:
    """Some requests are counted and some are of a session, some are neither; regions fill up and are full."""
    counts = [(number * (i + 3)) % (6 * (i + 1)) for i in range(regions)]
    ranks = [(number + i) % regions for i in range(regions)]
    full = [1000] * regions
    return (
        UNCOUNTED,
        Moment(in_flight=counts),
        Moment(in_flight=counts, preference=ranks),
        Moment(preference=ranks),
        Moment(in_flight=full),
    )[number % 5]


def _decisions(snapshot: Snapshot, first: int) -> list[Decision]:
    places = ("DE", "FR", "AE", "US", None)
    tenants = [*DEMO.tables.tenants, TenantId("nobody")]
    models = [*DEMO.tables.models, ModelId("nothing")]
    return [
        decide(
            RequestFacts(
                tenant=tenant,
                binding=Binding.CLAIM,
                model=model,
                classes=(),
                signals=(
                    Signal(
                        source=Source.GEOIP,
                        tier=Tier.TRUSTED_EDGE,
                        jurisdiction=None if place is None else Jurisdiction(place),
                    ),
                ),
            ),
            snapshot,
            now_s=AT_S + first + number,
            decision_id=DecisionId(f"00000000-0000-7000-8000-{first + number:012x}"),
            moment=_moment(number, len(snapshot.policy.regions)),
        )
        for number, (tenant, model, place, _) in enumerate(product(tenants, models, places, range(2)))
    ]


def _write(
    root: Path,
    *,
    shadow: bool = False,
    stored: bool = True,
    change: Callable[[Decision], Decision] = lambda decision: decision,
) -> tuple[Path, int]:
    """Write a log in which an order comes and goes; the decisions on the way of each change are recorded late."""
    entries: list[bytes] = []
    late: list[Decision] = []
    sequence = 0
    orders = (_order(1, "eu-fra"), _order(2, "eu-ams"))
    for number, holding in enumerate(((), orders[:1], orders, orders[1:], ())):
        before = ((), orders[:1], orders, orders[1:], ())[number - 1] if number else ()
        entries += [override_to_entry(each, at_s=NOW_S) for each in holding if each not in before]
        entries += [override_to_entry(each, at_s=NOW_S, resumed=True) for each in before if each not in holding]
        snapshot = _snapshot(number, holding, shadow=shadow)
        entries.append(
            config_to_entry(
                snapshot, at_s=NOW_S, program="0.0.1", policy_stored=stored, shadow_stored=stored and shadow
            )
        )
        made = _decisions(snapshot, 1000 * number)
        for each in (*late, *made[:-1]):
            sequence += 1
            entries.append(decision_to_entry(change(each), sequence=sequence))
        late = made[-1:]
    log = write_log(root, entries)
    if stored:
        (log / "policies").mkdir()
        for policy in (DEMO, CANDIDATE):
            _keep(log / "policies", policy)
    return log, sequence


def _keep(folder: Path, policy: CompiledPolicy) -> None:
    (folder / f"{policy.tables.revision.removeprefix('sha256:')}.json").write_bytes(policy.canonical)


def _replay(root: Path) -> Replayed:
    return replay_logs(open_archive(str(root)))


@pytest.mark.slow
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_stored_policy_compiles_to_the_same(path: Path) -> None:
    compiled = load_policy(path)
    again = load_stored(compiled.canonical)
    assert (again.tables, again.suspensions) == (compiled.tables, compiled.suspensions)
    assert again.canonical == compiled.canonical


def test_a_form_that_is_not_canonical_is_not_read() -> None:
    form = DEMO.canonical
    for wrong, why in (
        (b"", "no canonical form"),
        (b"[]", "no canonical form"),
        (b'{"apiVersion":"situs/v1"}', "no canonical form"),
        (form.replace(b"situs/v1", b"situs/v9"), "this program reads situs/v1"),
        (form + b" ", "does not know"),
        (form.replace(b'"document":{', b'"document":{"later":1,'), "unknown"),
        (form.replace(b'"plan_length":', b'"plan_lengths":'), "unknown|no canonical form|does not know"),
        (form.replace(b'"version":1', b'"version":"1"'), "expected int"),
    ):
        if wrong == form:
            continue
        with pytest.raises(StoredPolicyError, match=why):
            parse_canonical(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("shadow", [False, True])
def test_every_decision_comes_out_equal(tmp_path: Path, *, shadow: bool) -> None:
    _, count = _write(tmp_path, shadow=shadow)
    found = _replay(tmp_path)
    assert found.differences == []
    assert (found.equal, found.different, dict(found.missing)) == (count, 0, {})
    assert dict(found.programs) == {"0.0.1": count}
    kinds = Counter(record.summary().partition("refused: ")[2].split(",")[0] for record in read_records(tmp_path))
    assert kinds.keys() >= {"", "unknown_tenant", "unknown_model", "no_permitted_region", "spill_refused"}
    told = [record.entry.decision for record in read_records(tmp_path, kinds=frozenset({"decision"}))]
    estimates = [each for decided in told for each in decided.choice.estimates]
    assert {each.state for each in estimates} == {"up", "half_open", "unknown"}
    assert {each.HasField("budget") for each in estimates} == {True, False}
    assert {each.HasField("preference") for each in estimates} == {True, False}
    assert {each.missing_slo for each in estimates} == {True, False}
    unfit = {each.exclusion for decided in told for each in decided.verdict.answers}
    assert unfit >= {"model_unapproved", "model_unverified", "dependency_stale"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda each: each._replace(in_flight=1000), "choice"),
        (lambda each: each._replace(preference=(each.preference or 0) + 1), "choice"),
        (lambda each: each._replace(state=HealthState.DOWN), "choice"),
    ],
)
def test_a_plan_that_does_not_follow_from_its_estimates_is_named(
    tmp_path: Path, wrong: Callable[[Estimate], Estimate], told: str
) -> None:
    def change(decision: Decision) -> Decision:
        choice = decision.choice
        if choice is None or len(choice.plan) < 2:
            return decision
        # Only the region that was chosen first: the others would be better then.
        first = DEMO.tables.regions[choice.plan[0]].id
        estimates = tuple(wrong(each) if each.region == first else each for each in choice.estimates)
        return replace(decision, choice=replace(choice, estimates=estimates))

    _write(tmp_path, change=change)
    found = _replay(tmp_path)
    assert found.different > 0
    assert all(any(line.startswith(told) for line in each.fields) for each in found.differences)


@pytest.mark.slow
def test_a_changed_decision_is_named_by_its_fields(tmp_path: Path) -> None:
    def widen(decision: Decision) -> Decision:
        if not decision.id.endswith("000") or decision.verdict is None:
            return decision
        regions = tuple(
            replace(each, exclusion=Exclusion.TENANT) if each.exclusion is not None else each
            for each in decision.verdict.regions
        )
        return replace(decision, verdict=replace(decision.verdict, regions=regions))

    _write(tmp_path, change=widen)
    found = _replay(tmp_path)
    assert found.different == len(found.differences) > 0
    for difference in found.differences:
        assert all(line.startswith("verdict.regions[") and "recorded tenant" in line for line in difference.fields)
        assert difference.decision.endswith("000")


@pytest.mark.slow
def test_a_shadow_that_is_not_kept_leaves_the_decision_comparable(tmp_path: Path) -> None:
    log, count = _write(tmp_path, shadow=True)
    (log / "policies" / f"{CANDIDATE.tables.revision.removeprefix('sha256:')}.json").unlink()
    found = _replay(tmp_path)
    assert (found.equal, found.without_shadow) == (count, count)


@pytest.mark.slow
def test_a_policy_that_is_missing_or_another_is_named(tmp_path: Path) -> None:
    log, count = _write(tmp_path / "a", stored=False)
    found = _replay(tmp_path / "a")
    assert (found.equal, sum(found.missing.values())) == (0, count)
    assert "is not stored. Mend: hand it over with --policies" in next(iter(found.missing))
    given: dict[str, bytes] = {DEMO.tables.revision: DEMO.canonical}
    assert replay_logs(open_archive(str(log)), policies=given).equal == count
    log, count = _write(tmp_path / "b")
    path = log / "policies" / f"{DEMO.tables.revision.removeprefix('sha256:')}.json"
    path.write_bytes(path.read_bytes() + b" ")
    assert "not the policy of this digest" in next(iter(_replay(tmp_path / "b").missing))


def test_decisions_that_nothing_describes_are_missing(tmp_path: Path) -> None:
    write_log(tmp_path / "a", [decision_to_entry(bare_decision(1), sequence=1), b"\xff nonsense"])
    found = _replay(tmp_path / "a")
    assert sorted(found.missing.values()) == [1, 1]
    write_log(tmp_path / "b", [bare_config(), decision_to_entry(bare_decision(1), sequence=1)])
    assert "is not stored" in next(iter(_replay(tmp_path / "b").missing))


@pytest.mark.slow
def test_parts_in_other_processes_know_what_came_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.audit.replay_log._STEP", 256)
    _, count = _write(tmp_path)
    steps: list[int] = []
    found = replay_logs(open_archive(str(tmp_path)), engine=ProcessEngine(2), progress=steps.append)
    assert (found.equal, len(steps) > 1) == (count, True)


@pytest.mark.slow
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["audit", "replay", *map(str, arguments), "--engine", "serial"])
        return code, *capsys.readouterr()

    _, count = _write(tmp_path / "equal")
    code, out, _ = run(tmp_path / "equal")
    assert (code, f"{count:,} equal, 0 different" in out, "made by version 0.0.1" in out) == (0, True, True)
    _write(tmp_path / "changed", change=lambda each: replace(each, transfers=()))
    code, out, _ = run(tmp_path / "changed")
    assert (code, "transfers: recorded none, replayed" in out) == (2, True)
    _write(tmp_path / "bare", stored=False)
    code, out, _ = run(tmp_path / "bare", "--json")
    assert (code, json.loads(out)["equal"]) == (3, 0)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/demo.yaml").write_bytes((_ROOT / "extproc/policy/examples/demo.yaml").read_bytes())
    assert run(tmp_path / "bare", "--policies", tmp_path / "policies")[0] == 0
    _keep(tmp_path / "policies", CANDIDATE)
    assert run(tmp_path / "bare", "--policies", tmp_path / "policies", "--json")[0] == 0
    assert run(tmp_path / "none")[0] == 1
    assert run(tmp_path / "policies")[0] == 1
