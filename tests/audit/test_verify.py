import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from ledger.world import (
    CANDIDATE,
    IDENTITY,
    KEY,
    NOW_S,
    REGIONS,
    REVISION,
    config,
    decision,
    delivery,
    open_log,
    shadow_refuses,
    shadowed,
    small_log,
    write_log,
)

from extproc.archive import ArchiveError
from extproc.audit.findings import Category, Verification
from extproc.audit.show import read_records
from extproc.audit.trust import Trust, load_trust
from extproc.audit.verify import NoLogError, verify
from extproc.core.decide import Decision
from extproc.core.delivery import Finding
from extproc.core.ids import OverrideId
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Refusal
from extproc.core.steering import Deny, Steer
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.entries import (
    close_to_entry,
    decision_to_entry,
    delivery_to_entry,
    gap_to_entry,
    genesis_to_entry,
    override_to_entry,
)
from extproc.ledger.log import LogWriter
from extproc.notes.errors import MalformedError
from extproc.notes.keys import generate_key

TRUST = Trust(keys=(KEY.verifier(IDENTITY.signer),))


def _messages(result: Verification, category: Category) -> list[str]:
    return [str(finding) for finding in result.findings if finding.category is category]


def test_a_sound_log_verifies(tmp_path: Path) -> None:
    small_log(tmp_path)
    result = verify(tmp_path, TRUST)
    (log,) = result.logs
    assert (result.exit_status, result.result, list(result.findings)) == (0, "verified", [])
    assert (log.size, log.closed, log.tiles, log.frames) == (8, True, 4, 4)
    assert log.kinds == {"genesis": 1, "config": 1, "decision": 4, "delivery": 1, "close": 1}
    assert (result.deliveries, result.undelivered) == ({"matched": 1}, 3)


@pytest.mark.slow
@pytest.mark.parametrize("wal", [True, False])
def test_every_flipped_byte_is_found_and_its_file_named(tmp_path: Path, *, wal: bool) -> None:
    log = small_log(tmp_path, 1)
    if not wal:
        shutil.rmtree(log / "wal")
    files = [path for path in log.rglob("*") if path.is_file() and path.name != "log.vkey"]
    assert len(files) == (6 if wal else 5)
    for path in files:
        data = path.read_bytes()
        tile = path.relative_to(log).as_posix().removeprefix("log/tile/").partition("/")[0]
        for at in range(len(data)):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            result = verify(log, TRUST)
            if path.name == "checkpoint" and not wal:
                # A signature by another name or key is nobody's: without the other copy that is a question of trust.
                assert result.exit_status in (2, 4)
            else:
                assert result.exit_status == 2, (path, at)
            found = [each for each in result.findings if each.category in (Category.INTEGRITY, Category.TRUST)]
            if tile in ("0", "entries"):
                assert any(each.entry is not None and each.file.startswith("log/tile") for each in found)
            else:
                assert any(path.relative_to(log).as_posix() == each.file for each in found)
        path.write_bytes(data)
    assert verify(log, TRUST).exit_status == 0


def _drop(path: Path, _: Path) -> None:
    path.unlink()


def _truncate(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _grow(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\x01")


def _swap(path: Path, other: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(data)


def _duplicate(path: Path, other: Path) -> None:
    shutil.copy(path, other.with_name("999"))


@pytest.mark.slow
@pytest.mark.parametrize("harm", [_drop, _truncate, _grow, _swap, _duplicate])
def test_files_dropped_cut_grown_swapped_or_copied_are_found(
    tmp_path: Path, harm: Callable[[Path, Path], None]
) -> None:
    log = write_log(tmp_path, [config(), *(decision_to_entry(decision(n), sequence=n) for n in range(1, 600))])
    files = sorted(path for path in log.rglob("*") if path.is_file() and path.name != "log.vkey")
    assert len(files) > 8
    for i, path in enumerate(files):
        shutil.copytree(log, tmp_path / "kept")
        harm(path, files[i - 1])
        assert verify(log, TRUST).exit_status == 2, path
        shutil.rmtree(log)
        (tmp_path / "kept").rename(log)
    assert verify(log, TRUST).exit_status == 0


def test_a_log_that_was_rolled_back_does_not_match_the_next(tmp_path: Path) -> None:
    log = small_log(tmp_path, close=False)
    shutil.copytree(log, tmp_path / "before")
    open_log(tmp_path).abandon()
    shutil.rmtree(log)
    (tmp_path / "before").rename(log)
    result = verify(tmp_path, TRUST)
    assert result.exit_status == 2
    assert "does not end as" in _messages(result, Category.INTEGRITY)[0]
    assert verify(log, TRUST).exit_status == 0


def test_a_log_that_was_set_aside_as_corrupt_says_so(tmp_path: Path) -> None:
    log = small_log(tmp_path)
    (log / "QUARANTINED").write_text("byte 7\n")
    assert "set it aside: byte 7" in _messages(verify(log, TRUST), Category.INTEGRITY)[0]


def test_missing_and_forked_logs_are_found(tmp_path: Path) -> None:
    logs = [small_log(tmp_path, n) for n in (1, 0, 0)]
    shutil.copytree(logs[2], logs[2].with_name("copy"))
    assert any("a fork" in each for each in _messages(verify(tmp_path, TRUST), Category.INTEGRITY))
    shutil.rmtree(logs[2].with_name("copy"))
    shutil.rmtree(logs[0])
    (message,) = [m for m in _messages(verify(tmp_path, TRUST), Category.INCOMPLETE) if "log before" in m]
    assert "is not here" in message


def test_trust_is_by_name_or_by_the_name_above(tmp_path: Path) -> None:
    log = small_log(tmp_path)
    origin = f"{IDENTITY.signer}/{log.name}"
    for name in (origin, IDENTITY.signer, "acme"):
        assert verify(log, Trust(keys=(KEY.verifier(name),))).exit_status == 0
    for key in (KEY.verifier("acm"), KEY.verifier(f"{origin}/x"), generate_key().verifier(origin)):
        assert verify(log, Trust(keys=(key,))).exit_status == 4
    untold = verify(log)
    assert untold.exit_status == 0
    assert "not authorship" in _messages(untold, Category.NOTE)[0]
    (log / "log.vkey").write_text("nonsense\n")
    assert verify(log).exit_status == 4
    (log / "log.vkey").unlink()
    assert verify(log).exit_status == 4


def test_trust_is_read_from_files_and_folders(tmp_path: Path) -> None:
    log = small_log(tmp_path / "logs")
    assert load_trust([log]).keys == load_trust([log / "log.vkey"]).keys
    with pytest.raises(MalformedError, match=r"no \.vkey"):
        load_trust([tmp_path])


def test_where_there_is_no_log_there_is_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError):
        verify(tmp_path / "nowhere")
    with pytest.raises(NoLogError):
        verify(tmp_path)


def _verify_entries(root: Path, *entries: bytes) -> Verification:
    write_log(root, [config(), *entries])
    return verify(root, TRUST)


def _decided(number: int, sequence: int) -> bytes:
    return decision_to_entry(decision(number), sequence=sequence)


def test_holes_repeats_and_gaps_are_found(tmp_path: Path) -> None:
    hole = _verify_entries(tmp_path / "hole", _decided(1, 1), _decided(2, 3))
    assert "expected sequence 2, found 3" in _messages(hole, Category.INCOMPLETE)[0]
    repeat = _verify_entries(tmp_path / "repeat", _decided(1, 1), _decided(2, 1))
    assert "comes again" in _messages(repeat, Category.INTEGRITY)[0]
    twice = _verify_entries(tmp_path / "twice", _decided(1, 1), _decided(1, 2))
    assert "recorded before" in _messages(twice, Category.INTEGRITY)[0]
    gap = _verify_entries(tmp_path / "gap", gap_to_entry(at_s=NOW_S, entries=7, first_at_s=1, last_at_s=2))
    assert "7 entries were not recorded" in _messages(gap, Category.INCOMPLETE)[0]
    other = decision_to_entry(replace(decision(1), config=REVISION.replace("5a", "5b")), sequence=1)  # type: ignore[arg-type]
    assert "described nowhere" in _messages(_verify_entries(tmp_path / "other", other), Category.INCOMPLETE)[0]


def test_entries_out_of_place_are_found(tmp_path: Path) -> None:
    result = _verify_entries(
        tmp_path,
        pb.Entry(genesis=pb.Genesis(origin="x")).SerializeToString(),
        b"\xff",
        pb.Entry(delivery=pb.Delivery(finding="odd")).SerializeToString(),
        pb.Entry(override=pb.Override(suspension=pb.Suspension(kind="planet"))).SerializeToString(),
        close_to_entry(at_s=NOW_S, reason="shutdown"),
        config(),
    )
    messages = " ".join(_messages(result, Category.INTEGRITY))
    for part in (
        "entry 2: a genesis where",
        "entry 3: not an entry",
        "'odd' is not",
        "'planet' is not",
        "a config after the Close",
    ):
        assert part in messages
    assert "set back" in _messages(result, Category.NOTE)[0]


def test_deliveries_are_held_against_their_decisions_again(tmp_path: Path) -> None:
    made = decision(1)
    deliveries = {
        Finding.MATCHED: delivery(made, REGIONS[2]),
        Finding.UNDELIVERED: delivery(made),
        Finding.OUTSIDE_PLAN: delivery(made, REGIONS[1]),
        Finding.OUTSIDE_PERMITTED: delivery(made, REGIONS[3]),
        Finding.NO_DECISION: replace(delivery(made, REGIONS[0]), decision=None, finding=Finding.NO_DECISION),
    }
    for finding, each in deliveries.items():
        assert each.finding is finding
        result = _verify_entries(tmp_path / finding.value, _decided(1, 1), delivery_to_entry(each, at_s=NOW_S))
        assert result.exit_status == (5 if finding.is_violation else 0)
        assert result.deliveries == {finding.value: 1}
    lie = replace(deliveries[Finding.OUTSIDE_PERMITTED], finding=Finding.MATCHED)
    result = _verify_entries(tmp_path / "lie", _decided(1, 1), delivery_to_entry(lie, at_s=NOW_S))
    assert result.exit_status == 2
    assert "expected outside_permitted, found matched" in _messages(result, Category.INTEGRITY)[0]
    fewer = replace(deliveries[Finding.MATCHED], attempts_expected=2)
    result = _verify_entries(tmp_path / "fewer", _decided(1, 1), delivery_to_entry(fewer, at_s=NOW_S))
    assert any("1 of 2 attempts" in message for message in _messages(result, Category.NOTE))
    assert result.exit_status == 0


def test_a_delivery_finds_its_decision_in_another_log(tmp_path: Path) -> None:
    elsewhere = replace(delivery(decision(1), REGIONS[3]), finding=Finding.DECIDED_ELSEWHERE)
    first = write_log(tmp_path, [config(), delivery_to_entry(elsewhere, at_s=NOW_S)])
    assert "none of these logs" in _messages(verify(first, TRUST), Category.INCOMPLETE)[0]
    write_log(tmp_path, [config(), _decided(1, 1)])
    result = verify(tmp_path, TRUST)
    assert (result.exit_status, result.deliveries) == (5, {"outside_permitted": 1})
    assert "ap-sgp" in _messages(result, Category.VIOLATION)[0]


def test_a_plan_outside_its_own_verdict_is_a_violation(tmp_path: Path) -> None:
    wrong = replace(decision(1), steering=Steer(plan=(REGIONS[3],), route="ap-sgp"))
    result = _verify_entries(tmp_path, decision_to_entry(wrong, sequence=1))
    assert "its own verdict excludes" in _messages(result, Category.VIOLATION)[0]


@pytest.mark.parametrize("which", ["policy", "shadow"])
def test_a_stored_policy_is_checked_by_its_digest(tmp_path: Path, which: str) -> None:
    entry = pb.Entry.FromString(config(shadow=True))
    policy = getattr(entry.config, which)
    policy.stored = True
    policy.revision = f"sha256:{sha256(b'{}').hexdigest()}"
    log = write_log(tmp_path, [entry.SerializeToString()])
    assert "is missing" in _messages(verify(log, TRUST), Category.INCOMPLETE)[0]
    kept = log / "policies" / f"{sha256(b'{}').hexdigest()}.json"
    kept.parent.mkdir()
    kept.write_bytes(b"{}")
    assert verify(log, TRUST).exit_status == 0
    kept.write_bytes(b"{ }")
    assert "is another" in _messages(verify(log, TRUST), Category.INTEGRITY)[0]


def test_a_decision_is_held_against_its_configuration(tmp_path: Path) -> None:
    def verify_beside(name: str, before: bytes, made: Decision) -> Verification:
        write_log(tmp_path / name, [before, decision_to_entry(made, sequence=1)])
        return verify(tmp_path / name, TRUST)

    assert verify_beside("sound", config(shadow=True), shadowed(decision(1))).exit_status == 0
    deny = Deny(refusal=Refusal.UNKNOWN_TENANT)
    undecided = replace(decision(1), verdict=None, choice=None, transfers=(), steering=deny)
    assert verify_beside("undecided", config(), undecided).exit_status == 0
    assert (
        verify_beside("refused", config(shadow=True), shadow_refuses(decision(1), Refusal.UNKNOWN_MODEL)).exit_status
        == 0
    )
    for name, before, made, found in (
        ("none", config(shadow=True), decision(1), f"expected {CANDIDATE}, found none"),
        ("other", config(), shadowed(decision(1)), f"expected none, found {CANDIDATE}"),
    ):
        (message,) = _messages(verify_beside(name, before, made), Category.INTEGRITY)
        assert "the shadow policy is not that of the configuration" in message
        assert found in message
    entry = pb.Entry.FromString(config())
    del entry.config.regions[3]
    (message,) = _messages(verify_beside("fewer", entry.SerializeToString(), decision(1)), Category.INTEGRITY)
    assert "the verdict is over other regions" in message
    assert "expected eu-fra eu-ams us-east, found eu-fra eu-ams us-east ap-sgp" in message


def test_a_region_that_is_judged_twice_is_found(tmp_path: Path) -> None:
    for name, made in (("verdict", decision(1)), ("shadow", shadowed(decision(1)))):
        entry = pb.Entry.FromString(decision_to_entry(made, sequence=1))
        verdict = entry.decision.verdict if name == "verdict" else entry.decision.shadow.verdict
        verdict.answers[0].regions.append(3)
        write_log(tmp_path / name, [config(shadow=name == "shadow"), entry.SerializeToString()])
        (message,) = _messages(verify(tmp_path / name, TRUST), Category.INTEGRITY)
        assert "one answer for each region" in message


def test_a_running_log_is_sound_and_open(tmp_path: Path) -> None:
    log = small_log(tmp_path, close=False)
    result = verify(tmp_path, TRUST)
    assert (result.exit_status, result.logs[0].closed) == (0, False)
    shutil.rmtree(log / "log")
    assert verify(tmp_path, TRUST).exit_status == 2


def test_a_published_log_that_lags_is_a_note_while_it_runs_and_a_lack_when_it_ended(tmp_path: Path) -> None:
    writer = open_log(tmp_path)
    writer.append([config()])
    writer.sync()
    assert "covers 1 of the 2" in " ".join(_messages(verify(tmp_path, TRUST), Category.NOTE))
    writer.append([close_to_entry(at_s=NOW_S, reason="shutdown")])
    writer.sync()
    writer.abandon()
    assert "covers 1 of the 3" in _messages(verify(tmp_path, TRUST), Category.INCOMPLETE)[0]


def test_what_a_later_process_says_of_the_log_before_counts(tmp_path: Path) -> None:
    log = small_log(tmp_path, close=False)
    segment = next((log / "wal").iterdir())
    data = segment.read_bytes()
    segment.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    open_log(tmp_path).abandon()
    segment.write_bytes(data)
    (log / "QUARANTINED").unlink()
    assert "found corrupt at that start" in _messages(verify(tmp_path, TRUST), Category.INTEGRITY)[0]


def test_a_genesis_of_another_log_is_found(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    (directory / "wal").mkdir(parents=True)
    writer = LogWriter(directory, origin=f"{IDENTITY.signer}/000001-00000000", key=KEY)
    writer.append([genesis_to_entry(at_s=NOW_S, origin="another", durability="fsync", program="1")])
    writer.append([override_to_entry(_SUSPENSION, at_s=NOW_S)] * 2000)
    writer.close()
    steps: list[tuple[int, int]] = []
    result = verify(directory, TRUST, progress=lambda entries, total: steps.append((entries, total)))
    assert "Genesis is that of another log" in _messages(result, Category.INTEGRITY)[0]
    assert [each for each in steps if each[0]] == [(2001, 2001)]


_SUSPENSION = Suspension(
    id=OverrideId("o-1"),
    kind=TargetKind.PERMIT,
    name="gdpr.dpf",
    reason="order 7",
    from_s=NOW_S,
    until_s=None,
    approved_by=("a", "b"),
)


def test_every_kind_of_record_has_a_summary(tmp_path: Path) -> None:
    denied = replace(decision(1), steering=Deny(refusal=Refusal.UNKNOWN_TENANT), choice=None, transfers=())
    entries = [
        config(),
        decision_to_entry(denied, sequence=1),
        override_to_entry(_SUSPENSION, at_s=NOW_S),
        gap_to_entry(at_s=NOW_S, entries=7, first_at_s=1, last_at_s=2),
        delivery_to_entry(delivery(decision(1)), at_s=NOW_S),
    ]
    first = write_log(tmp_path, entries, close=False)
    shutil.rmtree(first / "log")
    open_log(tmp_path).abandon()
    summaries = [record.summary() for record in read_records(tmp_path)]
    assert summaries[:8] == [
        "the first on its disk",
        "policy acme version 1 (hybrid)",
        "shop digits DE, special by payload detector:iban, refused: unknown_tenant, duties gdpr.dpia",
        "permit gdpr.dpf suspended: order 7",
        "7 entries were not recorded: overflow",
        "undelivered: no attempt (200)",
        "6 entries were good, 0 bytes were cut",
        "recovery",
    ]
    assert summaries[8].endswith(f"{first.name}, recovered")


def test_records_are_read_before_anything_is_published(tmp_path: Path) -> None:
    log = small_log(tmp_path, 1, close=False)
    shutil.rmtree(log / "log")
    assert [record.kind for record in read_records(log)] == ["genesis", "config", "decision", "delivery"]
