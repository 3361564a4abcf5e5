"""The signed record of a drill: an entry for each scenario in the keeper's log, with the hash of the report."""

from hashlib import sha256

from extproc.custody.keeper import Keeper, open_keeper
from extproc.drill.outcome import Outcome
from extproc.drill.report import Drill
from extproc.ledger.housekeeping import DrillRun, drill_to_entry


def record(keeper: Keeper, drill: Drill, report: bytes) -> None:
    """Record each scenario, durably and signed. `report` are the bytes of the report's file.

    Raises KeeperBusyError, LedgerError, NoteError and OSError.
    """
    digest = sha256(report).digest()
    for outcome in drill.outcomes:
        with open_keeper(keeper) as log:
            log.record(drill_to_entry(run_of(drill, outcome, digest), at_s=log.now_s()))


def run_of(drill: Drill, outcome: Outcome, digest: bytes) -> DrillRun:
    """Give what is recorded of a scenario: the targets only where the policy states them."""
    stated = outcome.targets if outcome.targets.stated else None
    return DrillRun(
        scenario=outcome.scenario.value,
        region=outcome.region,
        began_at_s=outcome.began_at_s,
        ended_at_s=outcome.ended_at_s,
        requests=outcome.requests,
        failed=outcome.failed,
        outside_permitted=len(outcome.outside),
        recovery_s=outcome.recovery_s,
        passed=outcome.passed,
        report=digest,
        rto_target_s=None if stated is None else stated.rto_s,
        records_lost=len(outcome.lost),
        rpo_target=None if stated is None else stated.rpo_records,
        policy_revision=drill.revision,
        mode=drill.mode,
    )
