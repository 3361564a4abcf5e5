"""What a person reads, whole; and that JSON says the same."""

import json
from dataclasses import replace
from hashlib import sha256

from extproc.core.ids import PolicyRevision, RegionId
from extproc.drill.outcome import DEFAULT, Outcome, Targets
from extproc.drill.record import run_of
from extproc.drill.report import Drill, rows_of, to_json, to_markdown
from extproc.drill.scenarios import Scenario
from extproc.drill.words import sentence
from extproc.ledger.entries import parse_entry
from extproc.ledger.housekeeping import DrillMode, drill_from_entry, drill_to_entry

_LOST = Outcome(
    scenario=Scenario.REGION_LOSS,
    region=RegionId("eu-fra"),
    done="eu-fra is lost: its cell and the way to it are killed",
    began_at_s=1_800_000_000.0,
    ended_at_s=1_800_000_010.0,
    requests=1013,
    failed=1,
    unserved=(("503 without a reason", 1),),
    refused=0,
    interrupted=True,
    recovery_s=0.1434,
    targets=Targets(rto_s=2.0, rpo_records=0, stated=True),
    outside=(),
    lost=(),
    records=1013,
    by_cells=True,
    in_flight=7,
    after_order=0,
    faults=(),
)
_RELOAD = replace(
    _LOST,
    scenario=Scenario.RELOAD,
    done="the policy is replaced by its next version, and that by another",
    requests=900,
    failed=0,
    unserved=(),
    interrupted=False,
    recovery_s=None,
    lost=("01a1ffff-4d03-7df8-a964-f1df65f7d61f",),
    records=899,
    by_cells=False,
    targets=Targets(rto_s=DEFAULT.rto_s, rpo_records=0, stated=False),
    faults=("1 decisions were released of which the log has no record",),
)
_DRILL = Drill(
    mode=DrillMode.DEMO,
    program="0.1",
    policy="demo",
    revision=PolicyRevision("sha256:00"),
    log="/evidence/log",
    per_s=100.0,
    outcomes=(_LOST, _RELOAD),
)
_HEAD = "scenario | time to recover (RTO) | target | requests | failed | outside permitted | records lost (RPO)"
_MARKDOWN = f"""\
# Drill of 2027-01-15: not passed

- system: the demo's world, started for this drill
- policy: demo, `sha256:00`
- decision log: `/evidence/log`
- load: 100 requests a second
- program: situs 0.1

| {_HEAD} | target | passed |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| region-loss | 0.14 s | 2 s | 1,013 | 1 | 0 | 0 | 0 | yes |
| reload | not interrupted | 10 s | 900 | 0 | 0 | 1 | 0 | NO |

The targets are the policy's (`recovery` of the region), or the defaults where it states none.

## region-loss: the region that serves is lost

eu-fra is lost: its cell and the way to it are killed. After the first failure service was there again in 143 ms; 1 of \
1,013 requests failed (1 with 503 without a reason). By the cells' own accounts nothing went where it was not \
permitted; of 1,013 released decisions no record is lost.

2027-01-15T08:00:00Z to 2027-01-15T08:00:10Z.

## reload: the policy is replaced under load

The policy is replaced by its next version, and that by another. Nobody noticed: none of 900 requests failed, and no \
attempt did. By the answers and Envoy's reports nothing went where it was not permitted; of 900 released decisions 1 \
record is lost.

- **1 decisions were released of which the log has no record**
- lost: 01a1ffff-4d03-7df8-a964-f1df65f7d61f

2027-01-15T08:00:00Z to 2027-01-15T08:00:10Z.
"""


def test_the_report_reads_well() -> None:
    text = to_markdown(_DRILL)
    assert text.startswith(_MARKDOWN)
    rest = text.removeprefix(_MARKDOWN)
    assert rest.startswith("\nThe time to recover counts from")
    assert rest.endswith("permits it.\n")


def test_json_says_the_same() -> None:
    read = json.loads(to_json(_DRILL))
    assert read["passed"] is False
    assert [each["scenario"] for each in read["scenarios"]] == ["region-loss", "reload"]
    lost, reload = read["scenarios"]
    assert (lost["recovery_s"], lost["failed_with"], lost["passed"]) == (0.1434, {"503 without a reason": 1}, True)
    assert lost["targets"] == {"rto_s": 2.0, "rpo_records": 0, "stated_by_the_policy": True}
    assert (reload["recovery_s"], reload["interrupted"], reload["records_lost"]) == (None, False, list(_RELOAD.lost))
    assert reload["sentence"] == sentence(_RELOAD)


def test_who_never_came_back_is_told_from_who_was_never_away() -> None:
    never = replace(_LOST, recovery_s=None, faults=("x",))
    assert [row[1] for row in rows_of([_LOST, _RELOAD, never])] == ["0.14 s", "not interrupted", "never"]
    assert "Service did not come back" in sentence(never)


def test_each_scenario_tells_what_matters_in_it() -> None:
    order = replace(_LOST, scenario=Scenario.SUSPENSION, refused=3, after_order=2, recovery_s=1.25)
    told = sentence(order)
    assert "1.25 s after the order" in told
    assert "3 were refused with 451" in told
    assert "Of 7 requests in flight at that moment, 2 were tried again" in told
    assert "in flight" not in sentence(replace(order, in_flight=0, after_order=0))
    assert "as fast as before, or nearly, after 143 ms" in sentence(replace(_LOST, scenario=Scenario.BROWN_OUT))
    assert "2 went where" in sentence(replace(_LOST, outside=("a", "b")))


def test_where_all_targets_are_stated_or_none_is_the_report_says_so() -> None:
    assert "The targets are the policy's (`recovery` of the region)." in to_markdown(replace(_DRILL, outcomes=(_LOST,)))
    assert "these are the defaults" in to_markdown(replace(_DRILL, outcomes=(_RELOAD,)))


def test_what_is_recorded_reads_back_and_bears_the_hash_of_the_report() -> None:
    digest = sha256(to_markdown(_DRILL).encode()).digest()
    lost, run = (run_of(_DRILL, outcome, digest) for outcome in _DRILL.outcomes)
    for each in (lost, run):
        assert drill_from_entry(parse_entry(drill_to_entry(each, at_s=1.0))) == each
        assert each.report == digest
    assert lost.rto_target_s == 2.0
    assert (run.rto_target_s, run.rpo_target, run.records_lost, run.passed) == (None, None, 1, False)
