"""What is over its time goes, after a record of it, and everything else still proves; a hold stands against it."""

import json
import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from custody.world import DAY_S, GROUNDS, NOW_S, check_proofs, keeper, write_log

from extproc.custody import retention
from extproc.custody.acts import read_acts
from extproc.custody.errors import CustodyError, HeldError, TooYoungError, UnsoundLogError
from extproc.custody.holds import Standing, against, covers, place, release, standing
from extproc.custody.keeper import open_keeper
from extproc.custody.nodes import identity_of
from extproc.custody.prune import Pruned, prune
from extproc.custody.published import open_published
from extproc.custody.retention import Order, check_age, parse_age, plan
from extproc.custody.shipped import shipped_sizes
from extproc.ledger.housekeeping import Hold, HoldAction, Prune

_OLD_S = NOW_S - 500 * DAY_S
_ORDER = Order(before_s=NOW_S - 400 * DAY_S)
_HOLD = Hold(action=HoldAction.PLACED, id="case-17", origin="", reason="letter", approved_by=("B. Counsel",))


class _KilledError(BaseException):
    """What a kill is in one process."""


def _origin(log: Path) -> str:
    return f"acme/test/eu/node-1/w0/{log.name}"


def _prune(root: Path, order: Order = _ORDER, *, except_held: bool = False) -> Pruned:
    return prune(keeper(root), order, GROUNDS, except_held=except_held)


def _prunes(root: Path) -> list[Prune]:
    return [act.what for act in read_acts(root) if isinstance(act.what, Prune)]


def _entries_left(log: Path) -> int:
    published = open_published(log)
    assert published is not None
    return published.size - published.first()


def _place(root: Path, hold: Hold = _HOLD) -> None:
    with open_keeper(keeper(root)) as log:
        place(log, read_acts(root), hold)


@pytest.mark.slow
def test_an_old_log_goes_whole_and_all_else_still_proves(tmp_path: Path) -> None:
    old = write_log(tmp_path, at_s=_OLD_S, decisions=600)
    young = write_log(tmp_path, at_s=NOW_S)
    before, checkpoint = check_proofs(old)
    assert before == 604
    others = check_proofs(young)

    pruned = _prune(tmp_path)
    (record,) = pruned.recorded
    assert record == Prune(
        origin=_origin(old),
        end=604,
        size=604,
        root=checkpoint.root,
        newest_at_s=_OLD_S,
        reason=GROUNDS.reason,
        approved_by=GROUNDS.approved_by,
    )
    assert _prunes(tmp_path) == [record]
    assert list((old / "log" / "tile").glob("entries/**/*")) == []
    assert list((old / "wal").iterdir()) == []
    # The hash tiles still give the signed root, and so every proof about other entries.
    assert check_proofs(old) == (0, checkpoint)
    assert check_proofs(young) == others
    (kept,) = (tmp_path / "node-1" / "keeper").glob("000001-*")
    assert check_proofs(kept)[0] == 3

    again = _prune(tmp_path)
    assert (again.recorded, again.finished, again.plan.parts) == ((), (), ())
    assert len(_prunes(tmp_path)) == 1
    # And the worker starts anew as ever.
    assert check_proofs(write_log(tmp_path, at_s=NOW_S))[0] == 6


@pytest.mark.slow
def test_the_beginning_of_a_log_goes_in_bundles_where_that_is_asked(tmp_path: Path) -> None:
    log = write_log(tmp_path, at_s=_OLD_S, decisions=700, step_s=DAY_S / 4)
    write_log(tmp_path, at_s=NOW_S)
    whole = _prune(tmp_path)
    assert whole.recorded == ()
    (spared,) = whole.plan.spared
    assert spared.origin == _origin(log)
    assert "only its first 401 entries" in spared.why
    assert _entries_left(log) == 704

    before, checkpoint = check_proofs(log)
    (record,) = _prune(tmp_path, replace(_ORDER, partial=True)).recorded
    assert (record.end, record.size) == (256, before)
    assert record.newest_at_s < _ORDER.before_s
    assert check_proofs(log) == (before - 256, checkpoint)
    # Later the next part of it goes, and at last all.
    later = Order(before_s=NOW_S - 360 * DAY_S, partial=True)
    (record,) = _prune(tmp_path, later).recorded
    assert record.end == 512
    (record,) = _prune(tmp_path, Order(before_s=NOW_S)).recorded
    assert record.end == before
    assert check_proofs(log) == (0, checkpoint)


@pytest.mark.slow
def test_the_last_log_of_a_worker_keeps_its_end(tmp_path: Path) -> None:
    log = write_log(tmp_path, at_s=_OLD_S, decisions=600)
    (spared,) = _prune(tmp_path).plan.spared
    assert "all but its end" in spared.why
    (record,) = _prune(tmp_path, replace(_ORDER, partial=True)).recorded
    assert record.end == 512
    assert _entries_left(log) == 604 - 512
    again = _prune(tmp_path, replace(_ORDER, partial=True))
    assert again.recorded == ()
    assert "less than a bundle" in again.plan.spared[0].why
    following = write_log(tmp_path, at_s=NOW_S)
    published = open_published(following)
    assert published is not None
    assert b"closed" in next(published.entries(0))[1]
    (record,) = _prune(tmp_path).recorded
    assert record.end == 604


def test_what_is_not_pruned(tmp_path: Path) -> None:
    quarantined = write_log(tmp_path, at_s=_OLD_S)
    (quarantined / "QUARANTINED").write_text("why\n")
    elsewhere = write_log(tmp_path, at_s=_OLD_S)
    living = write_log(tmp_path, at_s=_OLD_S, close=False)
    found = plan(tmp_path, replace(_ORDER, origin=f"{_origin(living)[:-1]}"), ())
    assert (found.parts, found.spared) == ((), ())
    found = plan(tmp_path, replace(_ORDER, origin="acme/test/eu"), ())
    assert [part.log.directory for part in found.parts] == [elsewhere]
    assert [(kept.origin, kept.why) for kept in found.spared] == [
        (_origin(living), "it has not ended. Mend: start its worker anew")
    ]


def test_the_keepers_own_logs_are_never_pruned(tmp_path: Path) -> None:
    write_log(tmp_path, at_s=NOW_S)
    with open_keeper(replace(keeper(tmp_path), clock=lambda: _OLD_S)):
        pass
    assert plan(tmp_path, Order(before_s=NOW_S - DAY_S, partial=True), ()).parts == ()


@pytest.mark.slow
def test_a_hold_stands_against_it(tmp_path: Path) -> None:
    held = write_log(tmp_path, at_s=_OLD_S)
    free = write_log(tmp_path, at_s=_OLD_S + 10 * DAY_S)
    write_log(tmp_path, at_s=NOW_S)
    _place(tmp_path, replace(_HOLD, origin=_origin(held)))
    with pytest.raises(HeldError, match="the hold case-17 stands against pruning acme/test") as caught:
        _prune(tmp_path)
    assert caught.value.holds == ("case-17",)
    assert (_entries_left(held), _entries_left(free), _prunes(tmp_path)) == (6, 6, [])
    done = _prune(tmp_path, except_held=True)
    assert [each.origin for each in done.recorded] == [_origin(free)]
    assert (_entries_left(held), _entries_left(free)) == (6, 0)
    with open_keeper(keeper(tmp_path)) as log:
        release(log, read_acts(tmp_path), "case-17", reason="closed")
    assert [each.origin for each in _prune(tmp_path).recorded] == [_origin(held)]


@pytest.mark.parametrize(
    ("changes", "stands"),
    [
        ({}, True),
        ({"origin": "acme"}, True),
        ({"origin": "acme/test/eu/node-1/w0/1"}, True),
        ({"origin": "acme/test/eu/node-1/w"}, False),
        ({"origin": "acme/test/eu/node-1/w0/1/2"}, False),
        ({"from_s": 200.0}, True),
        ({"from_s": 200.1}, False),
        ({"until_s": 100.0}, False),
        ({"until_s": 100.1}, True),
        ({"from_s": 150.0, "until_s": 160.0}, True),
    ],
)
def test_what_a_hold_is_about(changes: dict[str, str], stands: bool) -> None:  # noqa: FBT001 - an expectation
    hold = replace(_HOLD, **changes)  # type: ignore[arg-type]  # each of its own field
    found = against(
        [Standing(hold=hold, placed_s=0.0)], origin="acme/test/eu/node-1/w0/1", oldest_s=100.0, newest_s=200.0
    )
    assert (found == (hold,)) is stands
    assert covers("", "anything")


@pytest.mark.slow
def test_holds_are_placed_once_and_released_once(tmp_path: Path) -> None:
    write_log(tmp_path, at_s=NOW_S)
    _place(tmp_path)
    assert [each.hold for each in standing(read_acts(tmp_path))] == [_HOLD]
    with pytest.raises(CustodyError, match="'case-17' is in force already"):
        _place(tmp_path)
    with (
        open_keeper(keeper(tmp_path)) as log,
        pytest.raises(CustodyError, match="the holds in force are case-17"),
    ):
        release(log, read_acts(tmp_path), "case-18", reason="closed")
    with open_keeper(keeper(tmp_path)) as log:
        assert release(log, read_acts(tmp_path), "case-17", reason="closed").action is HoldAction.RELEASED
    assert standing(read_acts(tmp_path)) == ()
    with (
        open_keeper(keeper(tmp_path)) as log,
        pytest.raises(CustodyError, match="no hold is in force"),
    ):
        release(log, read_acts(tmp_path), "case-17", reason="closed")
    _place(tmp_path)
    assert len(standing(read_acts(tmp_path))) == 1


def test_a_keepers_log_that_was_changed_stops_all_pruning(tmp_path: Path) -> None:
    write_log(tmp_path, at_s=_OLD_S)
    write_log(tmp_path, at_s=NOW_S)
    _place(tmp_path)
    (kept,) = (tmp_path / "node-1" / "keeper").glob("000001-*")
    (bundle,) = (kept / "log" / "tile" / "entries").glob("000.p/3")
    bundle.write_bytes(bundle.read_bytes().replace(b"placed", b"Placed"))
    with pytest.raises(UnsoundLogError, match="is not the one that"):
        _prune(tmp_path)
    (kept / "QUARANTINED").write_text("why\n")
    with pytest.raises(UnsoundLogError, match="cannot be told which holds"):
        _prune(tmp_path)


def test_a_log_that_contradicts_itself_is_kept(tmp_path: Path) -> None:
    log = write_log(tmp_path, at_s=_OLD_S)
    write_log(tmp_path, at_s=NOW_S)
    (tile,) = (log / "log" / "tile" / "0").glob("000.p/6")
    good = tile.read_bytes()
    tile.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(UnsoundLogError, match="entry 5 is not the one"):
        _prune(tmp_path)
    tile.unlink()
    with pytest.raises(UnsoundLogError, match="Mend: keep this log as it is"):
        _prune(tmp_path)
    tile.write_bytes(good)
    checkpoint = log / "log" / "checkpoint"
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b"\n6\n", b"\n5\n"))
    with pytest.raises(UnsoundLogError):
        _prune(tmp_path)
    assert _prunes(tmp_path) == []


def _killed_at(root: Path, step: int) -> bool:
    """Prune, killed before the given step; tell whether it came so far."""
    left = step

    def count(_what: str) -> None:
        nonlocal left
        if left == 0:
            raise _KilledError
        left -= 1

    try:
        prune(keeper(root), _ORDER, GROUNDS, step=count)
    except _KilledError:
        return True
    return False


@pytest.mark.slow
def test_killed_before_any_step_it_is_finished_by_the_next(tmp_path: Path) -> None:
    made = tmp_path / "made"
    log = write_log(made, at_s=_OLD_S, decisions=600)
    write_log(made, at_s=NOW_S)
    step = 0
    while True:
        root = tmp_path / f"killed-{step}"
        shutil.copytree(made, root)
        killed = _killed_at(root, step)
        _prune(root)
        assert len(_prunes(root)) == 1
        assert check_proofs(root / log.relative_to(made))[0] == 0
        assert list((root / log.relative_to(made) / "wal").iterdir()) == []
        if not killed:
            break
        step += 1
    assert step >= 5  # a record, a segment at least, three bundles


@pytest.mark.slow
def test_a_hold_that_comes_between_keeps_what_is_left(tmp_path: Path) -> None:
    log = write_log(tmp_path, at_s=_OLD_S, decisions=600)
    write_log(tmp_path, at_s=NOW_S)
    assert _killed_at(tmp_path, 3)
    _place(tmp_path)
    left = _entries_left(log)
    assert left > 0
    done = _prune(tmp_path)
    assert (done.finished, [part.holds for part in done.plan.unfinished]) == ((), [(_HOLD,)])
    assert _entries_left(log) == left
    with open_keeper(keeper(tmp_path)) as opened:
        release(opened, read_acts(tmp_path), "case-17", reason="closed")
    assert _prune(tmp_path).finished == (_origin(log),)
    assert _entries_left(log) == 0


def _kill_at_the_second_bundle(what: str) -> None:
    if what.startswith("remove 001"):
        os.kill(os.getpid(), signal.SIGKILL)


def _prune_and_be_killed(root: Path) -> None:
    # A process of its own has a key of its own; whoever reads the record finds both beside it.
    prune(keeper(root), _ORDER, GROUNDS, step=_kill_at_the_second_bundle)


@pytest.mark.slow
def test_a_real_kill_between_the_record_and_the_end(tmp_path: Path) -> None:
    log = write_log(tmp_path, at_s=_OLD_S, decisions=600)
    write_log(tmp_path, at_s=NOW_S)
    child = multiprocessing.get_context("spawn").Process(target=_prune_and_be_killed, args=(tmp_path,))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert _entries_left(log) == 604 - 256
    assert _prune(tmp_path).finished == (_origin(log),)
    assert (_entries_left(log), len(_prunes(tmp_path))) == (0, 1)


def test_only_what_is_shipped_everywhere_goes_where_that_is_asked(tmp_path: Path) -> None:
    log = write_log(tmp_path, at_s=_OLD_S)
    write_log(tmp_path, at_s=NOW_S)
    state = tmp_path / "state.json"

    def ship(**sizes: int) -> Order:
        found = {place: {"name": {"origin": _origin(log), "size": size}} for place, size in sizes.items()}
        state.write_text(json.dumps(found))
        return replace(_ORDER, shipped=shipped_sizes(state))

    for order in (ship(one=6, other=5), ship()):
        (spared,) = _prune(tmp_path, order).plan.spared
        assert "not shipped to every store" in spared.why
    assert shipped_sizes(state) == {}
    state.write_text('{"one": {"name": {"origin": "a", "size": 5}}, "other": {"name": {"origin": "b", "size": 7}}}')
    assert shipped_sizes(state) == {"a": 5, "b": 7}
    assert len(_prune(tmp_path, ship(one=6, other=6)).recorded) == 1
    state.write_text("[]")
    with pytest.raises(CustodyError, match=r"state\.json: not what"):
        shipped_sizes(state)
    with pytest.raises(CustodyError, match="FileNotFoundError"):
        shipped_sizes(tmp_path / "none.json")


def test_ages() -> None:
    assert parse_age("400d") == 400 * DAY_S
    for wrong in ("400", "d", "0d", "-1d", "1y", "999999d"):
        with pytest.raises(CustodyError, match="such as 400d"):
            parse_age(wrong)
    check_age(NOW_S - 184 * DAY_S, now_s=NOW_S)
    with pytest.raises(TooYoungError, match=r"Art\. 19"):
        check_age(NOW_S - 184 * DAY_S + 1, now_s=NOW_S)
    assert retention.LEAST_DAYS == 184


def test_whose_node_a_place_is(tmp_path: Path) -> None:
    with pytest.raises(CustodyError, match="name the folder"):
        identity_of(tmp_path)
    write_log(tmp_path, at_s=NOW_S)
    found = identity_of(tmp_path)
    assert found.signer == "acme/test/eu/node-1/keeper"
    assert identity_of(tmp_path, "node-1") == found
    with pytest.raises(CustodyError, match="give --node, one of node-1"):
        identity_of(tmp_path, "node-2")
    shutil.copytree(tmp_path / "node-1", tmp_path / "node-2")
    with pytest.raises(CustodyError, match="give --node, one of node-1, node-2"):
        identity_of(tmp_path)
