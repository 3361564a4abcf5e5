"""Silence and steps of the clock in logs that have heartbeats."""

import json
from pathlib import Path

import pytest
from audit.evidence import beat, begin, decisions, end, messages, write
from ledger.world import KEY, NOW_S, config

from extproc.audit.findings import Category, Verification
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.cli.audit.verify_text import verification_to_json
from extproc.ledger.entries import parse_entry, recovered_to_entry


def _verify(root: Path, *entries: bytes, end_at_s: float = NOW_S + 40) -> Verification:
    writer = begin(root)
    write(writer, [config(), *entries])
    end(writer, at_s=end_at_s)
    return verify(root, Trust(keys=(KEY.verifier("acme"),)))


def _counted(result: Verification) -> tuple[int, int]:
    (log,) = result.logs
    return log.tallies["heartbeat_gaps"], log.tallies["clock_steps"]


def test_a_steady_heart_is_no_finding(tmp_path: Path) -> None:
    result = _verify(tmp_path, *(beat(running_s) for running_s in (0.0, 10.0, 20.1, 40.0)))
    assert (result.exit_status, list(result.findings), _counted(result)) == (0, [], (0, 0))


@pytest.mark.parametrize(
    ("beats", "end_at_s", "entry"),
    [((0, 10, 41), 45, 4), ((0, 10), 41, 4), ((31, 40), 45, 2)],
    ids=["in the middle", "at the end", "at the start"],
)
def test_a_silence_is_found(tmp_path: Path, beats: tuple[float, ...], end_at_s: float, entry: int) -> None:
    result = _verify(tmp_path, *map(beat, beats), end_at_s=NOW_S + end_at_s)
    assert (result.exit_status, _counted(result)) == (3, (1, 0))
    (message,) = messages(result, Category.INCOMPLETE)
    assert f"entry {entry}: heartbeats are missing before this entry: expected 10 s, found 31.0 s" in message


def test_a_silence_that_a_recovery_explains_is_none(tmp_path: Path) -> None:
    recovered = recovered_to_entry(at_s=NOW_S + 900, size=3, segment="x", offset=0, cut=0)
    result = _verify(tmp_path, beat(0), beat(10), recovered, end_at_s=NOW_S + 900)
    assert _counted(result) == (0, 0)
    # What is missing is the log of that recovery's process, and nothing else.
    (message,) = messages(result, Category.INCOMPLETE)
    assert "a later process recovered this log, and its own log is not here" in message


def test_what_is_recorded_without_a_heart_before_a_recovery_is_found(tmp_path: Path) -> None:
    recovered = recovered_to_entry(at_s=NOW_S + 900, size=3, segment="x", offset=0, cut=0)
    result = _verify(tmp_path, beat(0), *decisions(1, 40), recovered, end_at_s=NOW_S + 900)
    assert _counted(result) == (1, 0)


def test_a_log_without_any_heart_is_found_where_somebody_decides(tmp_path: Path) -> None:
    result = _verify(tmp_path, *decisions(1, 3), end_at_s=NOW_S + 901)
    assert (result.exit_status, _counted(result)) == (3, (1, 0))
    (message,) = messages(result, Category.INCOMPLETE)
    assert "there are decisions, and no heartbeat: expected 10 s, found 901.0 s" in message


def test_a_heart_that_stops_before_the_end_of_a_running_log_is_found(tmp_path: Path) -> None:
    writer = begin(tmp_path)
    write(writer, [config(), beat(0), *decisions(1, 40)])
    writer.publish()
    writer.abandon()
    result = verify(tmp_path, Trust(keys=(KEY.verifier("acme"),)))
    assert (result.exit_status, _counted(result)) == (3, (1, 0))
    assert "heartbeats are missing at the end" in messages(result, Category.INCOMPLETE)[0]


@pytest.mark.parametrize("at_s", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_time_that_no_calendar_has_is_refused_and_hides_nothing(tmp_path: Path, at_s: float) -> None:
    odd = parse_entry(decisions(2, 2)[0])
    odd.at_s = at_s
    late = beat(600, at_s=at_s)
    result = _verify(
        tmp_path, beat(0), *decisions(1, 1), odd.SerializeToString(), late, *decisions(3, 3), end_at_s=NOW_S - 3600
    )
    assert result.exit_status == 2
    found = [each for each in messages(result, Category.INTEGRITY) if "no calendar has" in each]
    assert len(found) == 2
    # The clock that was really set back is still seen, and the result is JSON that others read.
    assert _counted(result)[1] >= 1
    json.loads(json.dumps(verification_to_json(result)), parse_constant=pytest.fail)


@pytest.mark.parametrize(("step_s", "way"), [(3600.0, "forward"), (-3600.0, "back")])
def test_a_clock_that_was_set_is_told(tmp_path: Path, step_s: float, way: str) -> None:
    beats = [beat(0), beat(10), beat(20, at_s=NOW_S + 20 + step_s), beat(30, at_s=NOW_S + 30 + step_s)]
    result = _verify(tmp_path, *beats, end_at_s=NOW_S + 35 + step_s)
    assert (result.exit_status, _counted(result)) == (0, (0, 1))
    (message,) = messages(result, Category.NOTE)
    assert f"the clock was set {way} by 36" in message or f"the clock was set {way} by 35" in message


def test_a_clock_that_nobody_sets_cannot_run_backwards(tmp_path: Path) -> None:
    result = _verify(tmp_path, beat(0), beat(20), beat(10))
    assert result.exit_status == 2
    assert "ran backwards: expected 20.0 s or more, found 10.0 s" in messages(result, Category.INTEGRITY)[0]
