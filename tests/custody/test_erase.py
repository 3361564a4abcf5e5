"""An erased person: unreadable in every copy, recorded once, whenever the process is killed; all else still proves."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from custody.world import DAY_S, GROUNDS, KEY, NOW_S, check_proofs, keeper, write_log
from ledger.world import decision
from sealed.world import ask, new_store

from extproc.core.evidence import Private
from extproc.custody import erase as erase_module
from extproc.custody.acts import read_acts
from extproc.custody.erase import erase_days, erase_subject, finish
from extproc.custody.errors import KeeperBusyError
from extproc.custody.keeper import open_keeper
from extproc.custody.published import open_published, parse
from extproc.ledger.decision_reader import private_of
from extproc.ledger.entries import kind_of
from extproc.ledger.housekeeping import Erasure, ErasureScope
from extproc.ledger.ids import id_to_bytes
from extproc.ledger.incarnation import WorkerLock
from extproc.sealed.destroy import unrecorded
from extproc.sealed.errors import ErasedError
from extproc.sealed.keys import Keys
from extproc.sealed.store import KeyStore, open_store
from extproc.sealed.unseal import unseal

_SUBJECTS = ("ada", "bob", None)


class _KilledError(BaseException):
    """What a kill is in one process: nothing after it happens."""


def _die(*_args: object, **_named: object) -> NoReturn:
    raise _KilledError


def _world(root: Path) -> tuple[KeyStore, list[Private], Path]:
    """A key store, and a log with a decision of ada's, one of bob's and one of nobody's."""
    store = new_store(root)
    keys = Keys(store.again())
    privates = [ask(keys, subject, at=id_to_bytes(decision(n).id)) for n, subject in enumerate(_SUBJECTS, 1)]
    keys.close()
    return store, privates, write_log(root / "log", at_s=NOW_S, decisions=3, privates=privates)


def _readable(store: KeyStore, log: Path) -> list[str]:
    """The subjects whose blocks open, as they stand in a log; "-" for a block without one."""
    published = open_published(log)
    assert published is not None
    found = []
    for _, data in published.entries(0):
        entry = parse(data, log)
        if kind_of(entry) == "decision" and (private := private_of(entry.decision)) is not None:
            try:
                block = unseal(store, tenant="shop", decision_id=entry.decision.id, private=private)
            except ErasedError:
                continue
            found.append(block.subject or "-")
    return found


def _erasures(root: Path) -> list[Erasure]:
    return [act.what for act in read_acts(root / "log") if isinstance(act.what, Erasure)]


def _erase(root: Path, store: KeyStore) -> tuple[Erasure, ...]:
    return erase_subject(keeper(root / "log"), store, tenant="shop", subject="ada", grounds=GROUNDS)


def test_an_erased_person_is_unreadable_in_every_copy_and_all_else_still_proves(tmp_path: Path) -> None:
    store, privates, log = _world(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(log, copy)
    assert _readable(store, log) == ["ada", "bob", "-"]
    before = check_proofs(log)

    (erasure,) = _erase(tmp_path, store)
    assert erasure == Erasure(
        scope=ErasureScope.SUBJECT,
        tenant="shop",
        days=(privates[0].day,),
        keys=1,
        reason=GROUNDS.reason,
        pseudonyms=(privates[0].pseudonym,),
        approved_by=GROUNDS.approved_by,
    )
    assert _erasures(tmp_path) == [erasure]
    for place in (log, copy):
        assert _readable(store, place) == ["bob", "-"]
        assert check_proofs(place) == before
    (kept_by,) = (tmp_path / "log" / "node-1" / "keeper").glob("000001-*")
    assert check_proofs(kept_by)[0] == 3


def test_a_second_time_there_is_nothing_left(tmp_path: Path) -> None:
    store, _, _ = _world(tmp_path)
    _erase(tmp_path, store)
    assert _erase(tmp_path, store) == ()
    assert erase_days(keeper(tmp_path / "log"), store, tenant="shop", days=["1999-01-01"], grounds=GROUNDS) == ()
    assert len(_erasures(tmp_path)) == 1


def test_a_whole_day(tmp_path: Path) -> None:
    store, privates, log = _world(tmp_path)
    (erasure,) = erase_days(keeper(tmp_path / "log"), store, tenant="shop", days=[privates[0].day], grounds=GROUNDS)
    assert (erasure.scope, erasure.keys, erasure.pseudonyms) == (ErasureScope.DAY, 3, ())
    assert _readable(store, log) == []


@pytest.mark.slow
def test_keys_made_after_an_erasure_are_erased_by_another(tmp_path: Path) -> None:
    store, _, _ = _world(tmp_path)
    first = _erase(tmp_path, store)
    keys = Keys(store.again())
    ask(keys)
    keys.close()
    second = _erase(tmp_path, store)
    assert len(second) == 1
    assert first != second
    assert _erasures(tmp_path) == [*first, *second]


# What is killed at: before this is called, the step before it is done.
_KILLS: dict[str, tuple[object, str, Callable[..., Any]]] = {
    "before the keys are deleted": (erase_module, "destroy_subject", _die),
    "before the write-ahead log is emptied": (KeyStore, "scrub", _die),
    "before the keeper's log begins": (erase_module, "open_keeper", _die),
    "before the record": (erase_module, "erasure_to_entry", _die),
    "before the note goes": (erase_module, "forget", _die),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", _KILLS)
def test_killed_between_any_two_steps_it_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    store, _, log = _world(tmp_path)
    owner, name, died = _KILLS[moment]
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, died)
        with pytest.raises(_KilledError):
            _erase(tmp_path, store)
    begun = moment != "before the keys are deleted"
    assert ("ada" in _readable(store, log)) is not begun
    _erase(tmp_path, store)
    assert _readable(store, log) == ["bob", "-"]
    assert len(_erasures(tmp_path)) == 1
    assert unrecorded(store) == ()


def _erase_and_be_killed(root: Path) -> None:
    KeyStore.scrub = lambda *_args, **_named: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    _erase(root, open_store(root / "keys" / "keys.db"))


@pytest.mark.slow
def test_a_real_kill_after_the_keys_are_deleted(tmp_path: Path) -> None:
    store, _, log = _world(tmp_path)
    child = multiprocessing.get_context("spawn").Process(target=_erase_and_be_killed, args=(tmp_path,))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert _readable(store, log) == ["bob", "-"]
    assert _erasures(tmp_path) == []
    assert len(_erase(tmp_path, store)) == 1
    assert len(_erasures(tmp_path)) == 1


def test_what_was_left_is_finished_by_the_erasure_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _, _ = _world(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(KeyStore, "scrub", _die)
        with pytest.raises(_KilledError):
            _erase(tmp_path, store)
    recorded = erase_subject(keeper(tmp_path / "log"), store, tenant="shop", subject="bob", grounds=GROUNDS)
    assert len(recorded) == 2
    assert _erasures(tmp_path) == list(recorded)
    assert finish(keeper(tmp_path / "log"), store) == ()


@pytest.mark.slow
def test_an_equal_erasure_of_another_time_is_recorded_again(tmp_path: Path) -> None:
    store, privates, _ = _world(tmp_path)
    who = keeper(tmp_path / "log")
    erase_days(who, store, tenant="shop", days=[privates[0].day], grounds=GROUNDS)
    for _ in range(2):
        store.day_key("shop", privates[0].day)
        later = replace(GROUNDS, at_s=GROUNDS.at_s + DAY_S)
        erase_days(
            replace(who, clock=lambda: NOW_S + DAY_S), store, tenant="shop", days=[privates[0].day], grounds=later
        )
    # Three acts; the last two are the same to the second, as only a clock that stands can make them.
    assert len(_erasures(tmp_path)) == 2


def test_one_act_at_a_time(tmp_path: Path) -> None:
    write_log(tmp_path / "log", at_s=NOW_S)
    who = keeper(tmp_path / "log")
    folder = tmp_path / "log" / "node-1" / "keeper"
    folder.mkdir(parents=True)
    lock = WorkerLock(folder)
    with pytest.raises(KeeperBusyError, match="Mend: wait"), open_keeper(who, wait_s=0.1):
        pass
    lock.release()
    with open_keeper(who) as log:
        assert log.origin.startswith("acme/test/eu/node-1/keeper/000001-")
        assert log.directory.parent == folder
    assert who.key is KEY
