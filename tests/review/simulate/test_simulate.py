"""A simulation says what the other policy would have decided: counted here by deciding again, one at a time."""

from dataclasses import replace
from pathlib import Path

import pytest
from review.simulate_logs import START_S, LogMaker, demo, request

from extproc.audit.verify import verify
from extproc.core.fitness import Unfit
from extproc.core.ids import DependencyId, OverrideId, RegionId
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.steering import Deny
from extproc.policy import CompiledPolicy
from extproc.review.simulate import Move, NoDecisionsError, Simulation, simulate, simulation_in_words

WITHOUT_DPF = ("    mechanisms: {dpf: true}\n", "")
BRAZIL = ("subject_in: US, class_not", "subject_in: [US, BR], class_not")
ORDER = Suspension(
    id=OverrideId("LT-1"),
    kind=TargetKind.REGION,
    name="eu-ams",
    reason="injunction",
    from_s=0.0,
    until_s=None,
    approved_by=("a", "b"),
)


async def _log(root: Path, live: CompiledPolicy | None = None) -> LogMaker:
    async with LogMaker(root, live or demo()) as log:
        await log.decide(request(), request(place="AE"), request(place="BR"), request("eu-clinic", "DE"))
        await log.decide(request(place=None), request(), request(place="US"))
    return log


def _sentences(found: Simulation) -> str:
    return "\n".join(simulation_in_words(found))


async def test_the_same_policy_changes_nothing(tmp_path: Path) -> None:
    await _log(tmp_path)
    assert verify(tmp_path).exit_status == 0
    found = simulate(demo(), tmp_path)
    assert found.tally.decisions == found.tally.moves[Move.SAME] == 7
    assert not found.tally.groups
    assert not found.missing
    assert (found.plans_same, found.plans_changed, found.plans_unknown) == (7, 0, 0)
    assert found.transfers_before == found.transfers_after == 0, "both regions at home come first"


async def test_a_region_that_was_unfit_then_is_no_difference(tmp_path: Path) -> None:
    unfit = (
        Unfit(region=RegionId("eu-ams"), why=Exclusion.MODEL_UNVERIFIED),
        Unfit(region=RegionId("me-dxb"), why=Exclusion.DEPENDENCY_STALE, by=DependencyId("vectors")),
    )
    async with LogMaker(tmp_path, demo(), unfit=unfit) as log:
        await log.decide(request(place="DE"), request(place="AE"))
    (_, refused) = log.decisions
    assert isinstance(refused.steering, Deny)
    assert refused.steering.refusal is Refusal.NO_ELIGIBLE_REGION
    found = simulate(demo(), tmp_path)
    assert found.tally.moves[Move.SAME] == found.plans_same == 2
    assert not found.tally.groups
    found = simulate(demo(WITHOUT_DPF), tmp_path)
    assert found.tally.moves[Move.NARROWER] == 1


async def test_a_drain_changes_plans_and_no_answer(tmp_path: Path) -> None:
    await _log(tmp_path)
    drained = ("conflict:", "deployment: {pattern: active-active, drain: [eu-fra]}\nconflict:")
    found = simulate(demo(drained), tmp_path)
    assert found.tally.decisions == found.tally.moves[Move.SAME] == 7
    assert found.plans_changed > 0


async def test_a_narrower_policy(tmp_path: Path) -> None:
    log = await _log(tmp_path)
    found = simulate(demo(WITHOUT_DPF), tmp_path)
    assert found.tally.moves[Move.NARROWER] == 2
    ((group, entry),) = found.tally.groups.items()
    assert (group.tenant, group.classes, group.jurisdictions, group.lost) == (
        "acme-bank", ("personal",), ("FR",), ("us-iad",),
    )  # fmt: skip
    assert (entry.count, entry.example) == (2, log.decisions[0].id)
    assert (entry.first_s, entry.last_s) == (START_S + 1, START_S + 6)
    assert "personal data from FR, tenant acme-bank, model digits: could no longer go to us-iad" in _sentences(found)


async def test_refusals_that_end_and_begin(tmp_path: Path) -> None:
    await _log(tmp_path)
    found = simulate(demo(BRAZIL, ("id: ae\n        to: AE", "id: ae\n        to: CN")), tmp_path)
    assert (found.tally.moves[Move.SERVED], found.tally.moves[Move.REFUSED]) == (1, 1)
    assert found.plans_unknown == 1, "nobody had looked whether anything serves a Brazilian request"
    words = _sentences(found)
    assert "would be permitted in eu-ams, eu-fra and us-iad (refused: ungoverned_jurisdiction)" in words
    assert "would be refused: no_permitted_region" in words


async def test_transfers_that_would_be(tmp_path: Path) -> None:
    async with LogMaker(tmp_path, demo(), down=frozenset({"eu-fra", "eu-ams"})) as log:
        await log.decide(request(), request())
    assert simulate(demo(), tmp_path).transfers_before == 2
    found = simulate(demo(WITHOUT_DPF), tmp_path)
    assert (found.transfers_before, found.transfers_after, found.plans_changed) == (2, 0, 2)
    again = simulate(demo(("basis: adequacy ", "basis: safeguards ")), tmp_path)
    assert again.transfers == {("eu-gdpr.dpf", "us-iad"): 2}


async def test_another_basis_is_told_though_the_regions_are_the_same(tmp_path: Path) -> None:
    await _log(tmp_path)
    found = simulate(
        demo(("basis: internal\n        cite: Federal", "basis: derogation\n        cite: Federal")), tmp_path
    )
    assert found.tally.moves[Move.SAME] == 7
    ((group, entry),) = found.tally.groups.items()
    assert (group.transfers_begin, entry.count) == (("me-dxb",), 1)
    assert "would be a transfer to me-dxb" in _sentences(found)


async def test_legal_orders_of_the_file_hold_and_those_of_the_deciding_policy_do_not(tmp_path: Path) -> None:
    own = (
        "\noverrides: [{id: LT-9, effect: suspend, region: us-iad, reason: x, from: 2026-11-21, approved_by: [a, b]}]\n"
    )
    live = demo(("\nplan: {length: 2}", f"{own}\nplan: {{length: 2}}"))
    async with LogMaker(tmp_path, live, orders=(ORDER,)) as log:
        await log.decide(request())
        before = (*live.suspensions, *log.orders)
        log.orders = ()
        await log.configure(before=before)
        await log.decide(request())
    found = simulate(demo(), tmp_path)
    assert found.tally.moves == {**dict.fromkeys(Move, 0), Move.WIDER: 2}
    assert {group.gained for group in found.tally.groups} == {("us-iad",)}, "eu-ams stays suspended where it was"
    assert simulate(live, tmp_path).tally.moves[Move.SAME] == 2


async def test_the_tenants_word_for_its_subjects_is_the_other_policys(tmp_path: Path) -> None:
    await _log(tmp_path)
    found = simulate(demo(("exporter: FR", "exporter: FR\n    subjects: AE")), tmp_path)
    ((group, _),) = found.tally.groups.items()
    assert (group.tenant, group.move, group.refused_after) == ("eu-clinic", Move.REFUSED, "no_permitted_region")


async def test_what_it_does_not_read_does_not_count(tmp_path: Path) -> None:
    async with LogMaker(tmp_path, demo()) as log:
        await log.decide(request("walk-in", "US", header="DE"), request(declared="special"))
    line = (
        "  header: {tier: 3, name: x-data-jurisdiction}            # declared by the client: counts beside the others\n"
    )
    found = simulate(demo((line, "")), tmp_path)
    assert found.tally.moves[Move.WIDER] == 1
    reading = "  class: {header: x-data-class}"
    assert simulate(demo((reading, "")), tmp_path).tally.moves[Move.WIDER] == 1


@pytest.mark.parametrize(
    ("edit", "fact"),
    [
        (("name: x-data-jurisdiction", "name: x-place"), "the header x-place: x-data-jurisdiction was read instead"),
        (("claim: residency", "claim: home"), "the claim home: residency was read instead"),
        (("header: x-data-class", "header: x-kind"), "the class header x-kind: x-data-class was read instead"),
        (("unknown: deny", "also: [registered]"), "where networks are registered: it was not looked up"),
        (("unknown: deny", "anonymous: locate"), "where anonymising networks are: they were taken in the other way"),
        (("unknown: deny", "max_age_days: 30"), "how old the database was: another limit held"),
        (("trusted_hops: 1", "trusted_hops: 2"), "1 proxies were trusted, and this policy trusts 2"),
        (("jwt.tenant: clinic", "jwt.tenant: clinics"), "how requests are matched to eu-clinic"),
        (
            ("{header: x-data-class}", "{body: {limit_kib: 1, unreadable: special, detectors: {iban: special}}}"),
            "what is in payloads: none was looked at",
        ),
        (("  walk-in:", "  stranger:"), "tenant stranger: not known then, so not recorded"),
        (("classes: [public,", "classes: [health, public,"), "class health: not known then, so not recorded"),
    ],
)  # fmt: skip
async def test_facts_that_were_not_recorded_are_named(tmp_path: Path, edit: tuple[str, str], fact: str) -> None:
    await _log(tmp_path)
    found = simulate(demo(edit), tmp_path)
    assert [count for said, count in found.missing.items() if fact in said] == [7]
    assert fact in _sentences(found)


async def test_a_log_that_does_not_keep_its_policy(tmp_path: Path) -> None:
    await _log(tmp_path)
    for kept in list(tmp_path.rglob("policies/*.json")):  # noqa: ASYNC240 - a test waits for nobody
        kept.unlink()
    found = simulate(demo(), tmp_path)
    assert found.tally.moves[Move.SAME] == 7
    assert list(found.missing.values()) == [7]


async def test_times_and_progress(tmp_path: Path) -> None:
    await _log(tmp_path)
    assert simulate(demo(), tmp_path, from_s=START_S + 2, until_s=START_S + 4).tally.decisions == 2
    with pytest.raises(NoDecisionsError, match="Mend"):
        simulate(demo(), tmp_path, from_s=START_S + 100)
    with pytest.raises(NoDecisionsError):
        simulate(demo(), tmp_path / "nothing")


@pytest.mark.slow
async def test_a_long_log_streams_and_reports_progress(tmp_path: Path) -> None:
    async with LogMaker(tmp_path, demo()) as log:
        for _ in range(21):
            await log.decide(*(request(place=place) for place in ("FR", "US", "AE", "BR", None) * 10))
    read: list[int] = []
    found = simulate(demo(WITHOUT_DPF), tmp_path, progress=read.append)
    assert read == [1024]
    assert (found.tally.decisions, found.tally.moves[Move.NARROWER], len(found.tally.groups)) == (1050, 210, 1)


async def test_it_stands_where_the_sidecar_stood(tmp_path: Path) -> None:
    there = demo()
    there = replace(there, tables=replace(there.tables, ingress_region=there.tables.regions[2].id))
    async with LogMaker(tmp_path, there) as log:
        await log.decide(request(place="AE"))
    strict = demo(("trusted_hops: 1}", "trusted_hops: 1}\n  on_mismatch: refuse"))
    assert simulate(strict, tmp_path).tally.moves[Move.SAME] == 1, "me-dxb may receive it, and eu-fra might not"
