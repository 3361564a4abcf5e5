"""Legal orders in a file: written atomically, read strictly, changed by two people at once."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from extproc.core.ids import OverrideId
from extproc.core.overrides import Suspension, TargetKind
from extproc.policy.override_file import change_overrides, load_overrides, new_override_id
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


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    orders = (
        _order(1),
        _order(2, until_s=None),
        replace(_order(3), kind=TargetKind.PERMIT, name="eu-gdpr.dpf"),
        replace(_order(4), kind=TargetKind.MODEL, name="acme/fraud:3"),
    )
    assert change_overrides(path, lambda before: (*before, *orders)) == orders
    assert load_overrides(path) == orders
    assert change_overrides(path, lambda _: ()) == ()
    assert load_overrides(path) == ()
    assert {entry.name for entry in tmp_path.iterdir()} == {"overrides.yaml", ".overrides.yaml.lock"}


def test_a_beginning_without_the_list_is_not_a_file_without_orders(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_text("apiVersion: situs/v1\n")
    with pytest.raises(DocumentError, match="overrides"):
        load_overrides(path)


def test_an_order_that_would_be_refused_does_not_take_the_place_of_good_ones(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    change_overrides(path, lambda _: (_order(1),))
    with pytest.raises(DocumentError, match="characters"):
        change_overrides(path, lambda before: (*before, replace(_order(2), reason="x" * 1001)))
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
        change_overrides(path, lambda before: (*before, _order(2)))
    assert "LT-1" in path.read_text()


def test_two_changes_at_once_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    threads = [
        threading.Thread(target=change_overrides, args=(path, lambda before, n=n: (*before, _order(n))))
        for n in range(8)
    ]
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
    first = new_override_id((), day)
    assert first == "LT-20261121-1"
    taken = replace(_order(1), id=first)
    assert new_override_id((taken,), day) == "LT-20261121-2"
