"""Legal orders in a file: written atomically, read strictly, changed by two people at once."""

import fcntl
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.ids import OverrideId
from extproc.core.overrides import Resumption, Suspension, TargetKind
from extproc.policy import override_file
from extproc.policy.override_file import (
    MOST_RESUMED,
    Orders,
    change_overrides,
    load_orders,
    load_overrides,
    new_override_id,
)
from extproc.strict_yaml import DocumentError


def _order(number: int, *, until_s: float | None = 1_900_000_000.0) -> Suspension:
    return Suspension(
        id=OverrideId(f"LT-{number}"),
        kind=TargetKind.REGION,
        name="me-dxb",
        reason='injunction: "4 O 12/26", Zürich\n#2',
        from_s=1_800_000_000.125,
        until_s=until_s,
        approved_by=("A. Counsel", "B. Officer"),
    )


def _ended(number: int) -> Resumption:
    return Resumption(
        order=OverrideId(f"LT-{number}"),
        reason='lifted: "4 O 12/26", Zürich\n#2',
        approved_by=("A. Counsel", "C. Officer"),
        at_s=1_800_000_100.25,
    )


def _of(*suspensions: Suspension) -> Callable[[Orders], Orders]:
    return lambda before: replace(before, suspensions=suspensions)


def _with(*suspensions: Suspension) -> Callable[[Orders], Orders]:
    return lambda before: replace(before, suspensions=(*before.suspensions, *suspensions))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    orders = (
        _order(1),
        _order(2, until_s=None),
        replace(_order(3), kind=TargetKind.PERMIT, name="eu-gdpr.dpf"),
        replace(_order(4), kind=TargetKind.MODEL, name="acme/fraud:3"),
    )
    assert change_overrides(path, _of(*orders)).suspensions == orders
    assert load_overrides(path) == orders
    assert "resumed" not in path.read_text()
    resumed = Orders(suspensions=orders[:1], resumptions=(_ended(2), _ended(3), _ended(2)))
    assert change_overrides(path, lambda _: resumed) == resumed
    assert load_orders(path) == resumed
    assert change_overrides(path, lambda _: Orders()) == Orders()
    assert load_orders(path) == Orders()
    assert {entry.name for entry in tmp_path.iterdir()} == {"overrides.yaml", ".overrides.yaml.lock"}


def test_a_beginning_without_the_list_is_not_a_file_without_orders(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_text("apiVersion: situs/v1\n")
    with pytest.raises(DocumentError, match="overrides"):
        load_overrides(path)


def test_an_order_that_would_be_refused_does_not_take_the_place_of_good_ones(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    change_overrides(path, _of(_order(1)))
    with pytest.raises(DocumentError, match="characters"):
        change_overrides(path, _with(replace(_order(2), reason="x" * 1001)))
    assert load_overrides(path) == (_order(1),)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("", "about one thing, and 0 are named"),
        ("region: a, permit: b.c,", "about one thing, and 2 are named"),
        ("tenant: acme,", "unknown field 'tenant'"),
    ],
)
def test_an_order_is_about_one_thing(tmp_path: Path, named: str, message: str) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_text(
        "apiVersion: situs/v1\noverrides:\n"
        f"  - {{id: LT-1, effect: suspend, {named} reason: x, from: 2026-01-01, approved_by: [a]}}\n"
    )
    with pytest.raises(DocumentError, match=message):
        load_overrides(path)


def test_a_faulty_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_text("apiVersion: situs/v1\noverrides: [{id: LT-1}]\n")
    with pytest.raises(DocumentError, match=r"overrides.yaml:2:"):
        change_overrides(path, _with(_order(2)))
    assert "LT-1" in path.read_text()


def test_two_changes_at_once_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    threads = [threading.Thread(target=change_overrides, args=(path, _with(_order(n)))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {order.id for order in load_overrides(path)} == {f"LT-{n}" for n in range(8)}


def test_a_folder_that_is_not_there_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be written"):
        change_overrides(tmp_path / "nowhere" / "overrides.yaml", lambda before: before)


def test_new_ids_are_unique_and_sort_by_day() -> None:
    day = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)
    first = new_override_id(Orders(), day)
    assert first == "LT-20261121-1"
    taken = Orders(suspensions=(replace(_order(1), id=first),))
    second = new_override_id(taken, day)
    assert second == "LT-20261121-2"
    # The id of an order that ended names it in the log for ever.
    ended = replace(taken, resumptions=(replace(_ended(1), order=second),))
    assert new_override_id(ended, day) == "LT-20261121-3"


def test_only_the_last_thousand_resumptions_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    many = tuple(_ended(number) for number in range(MOST_RESUMED + 2))
    kept = change_overrides(path, lambda before: replace(before, resumptions=many)).resumptions
    assert kept == many[2:]
    assert load_orders(path).resumptions == kept


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{id: LT-1, reason: x, approved_by: [a]}", "at"),
        ("{id: LT-1, reason: x, at: 2026-01-01}", "approved_by"),
        ("{id: LT-1, reason: x, at: soon, approved_by: [a]}", "'soon' is not a"),
        ("{id: LT-1, reason: x, at: 2026-01-01, approved_by: [a], region: b}", "unknown field 'region'"),
        ("{id: '-', reason: x, at: 2026-01-01, approved_by: [a]}", "not a usable name"),
    ],
)
def test_a_resumption_that_is_not_complete_is_refused_with_its_place(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_text(f"apiVersion: situs/v1\noverrides: []\nresumed:\n  - {row}\n")
    with pytest.raises(DocumentError, match=message) as refused:
        load_orders(path)
    assert f"{path}:4:" in str(refused.value)


def test_a_lock_that_somebody_keeps_is_told_of_and_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "overrides.yaml"
    change_overrides(path, _of(_order(1)))
    monkeypatch.setattr(override_file, "LOCK_S", 0.05)
    with (tmp_path / ".overrides.yaml.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DocumentError, match=r"somebody else has been changing it.*Mend: see who holds"):
            change_overrides(path, _of())
    assert load_overrides(path) == (_order(1),)


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    change_overrides(path, _of(_order(1)))
    before = path.read_bytes()

    def change(_: Orders) -> Orders:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        change_overrides(path, change)
    assert path.read_bytes() == before
    assert change_overrides(path, lambda orders: orders).suspensions == (_order(1),)
    assert path.read_bytes() == before


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "overrides.yaml"
    change_overrides(path, _of(_order(1)))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        change_overrides(path, _with(_order(2)))
    assert load_overrides(path) == (_order(1),)


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@pytest.mark.slow
@given(reason=_TEXTS, name=_TEXTS)
def test_any_words_come_back_as_they_were_written_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, reason: str, name: str
) -> None:
    path = tmp_path_factory.mktemp("orders") / "overrides.yaml"
    orders = Orders(
        suspensions=(replace(_order(1), reason=reason, name=name),), resumptions=(replace(_ended(2), reason=reason),)
    )
    try:
        change_overrides(path, lambda _: orders)
    except DocumentError:
        assert not path.exists()
    else:
        assert load_orders(path) == orders
