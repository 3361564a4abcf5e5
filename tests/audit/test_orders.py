"""Deliveries held against legal orders: a retry after an order is named, in whichever log the order stands."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ledger.world import IDENTITY, KEY, NOW_S, REGIONS, config, decision, delivery, suspension, write_log

from extproc.archive import open_archive
from extproc.audit.checks.edges import fits, join_edges
from extproc.audit.checks.jobs import Edge, Needs
from extproc.audit.checks.orders import Ordered
from extproc.audit.checks.reading import PartReader
from extproc.audit.findings import Category, Verification
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.cli.main import main
from extproc.core.delivery import Finding, Order, intent_of
from extproc.core.ids import DecisionId
from extproc.core.overrides import Suspension, TargetKind
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.decision_reader import intent_of_record, permitted_regions
from extproc.ledger.entries import decision_to_entry, delivery_to_entry, override_to_entry, parse_entry
from extproc.ledger.housekeeping import Heartbeat, heartbeat_to_entry

TRUST = Trust(keys=(KEY.verifier(IDENTITY.signer),))
_FRA, _AMS, _IAD, _SGP = REGIONS
_ORDER_S = NOW_S + 10
_FRA_OUT = suspension(_FRA)


def _notes(result: Verification) -> list[str]:
    return [each.message for each in result.findings if each.category is Category.NOTE]


def _delivered(number: int, at_s: float, *orders: Order, region: str = _FRA, finding: Finding | None = None) -> bytes:
    made = delivery(decision(number), *(each for each in REGIONS if each == region), began_at_s=at_s, orders=orders)
    return delivery_to_entry(made if finding is None else replace(made, finding=finding), at_s=at_s + 0.5)


def _log(*after: bytes, order: Suspension = _FRA_OUT, decisions: int = 3) -> list[bytes]:
    made = [decision_to_entry(decision(n), sequence=n) for n in range(1, decisions + 1)]
    return [config(), *made, override_to_entry(order, at_s=_ORDER_S), *after]


def _order(order: Suspension = _FRA_OUT, ended_s: float | None = None) -> Order:
    return Order(suspension=order, since_s=_ORDER_S, ended_s=ended_s)


@pytest.mark.parametrize(
    ("order", "region"),
    [
        (_FRA_OUT, _FRA),
        (suspension("digits", TargetKind.MODEL), _FRA),
        (suspension("gdpr.dpf", TargetKind.PERMIT), _IAD),
    ],
)
def test_a_retry_after_an_order_is_named_and_no_violation(tmp_path: Path, order: Suspension, region: str) -> None:
    write_log(
        tmp_path,
        _log(
            _delivered(1, _ORDER_S - 1, region=region),
            _delivered(2, _ORDER_S + 1, _order(order), region=region),
            order=order,
        ),
    )
    result = verify(tmp_path, TRUST)
    assert (result.exit_status, dict(result.deliveries)) == (0, {"matched": 1, "after_order": 1})
    (note,) = _notes(result)
    assert f"request of decision {decision(2).id} was sent to {region} after order {order.id} had taken out" in note
    assert note.endswith(f"the {order.kind} {order.name}: after_order")


def test_an_order_counts_from_its_record_to_its_end(tmp_path: Path) -> None:
    resumed = override_to_entry(_FRA_OUT, at_s=_ORDER_S + 20, resumed=True)
    moments = ((1, _ORDER_S - 0.1), (2, _ORDER_S), (3, _ORDER_S + 19.9), (4, _ORDER_S + 20), (5, _ORDER_S + 30))
    ended = _order(ended_s=_ORDER_S + 20)
    write_log(tmp_path, _log(resumed, *(_delivered(n, at_s, ended) for n, at_s in moments), decisions=5))
    result = verify(tmp_path, TRUST)
    assert (result.exit_status, dict(result.deliveries)) == (0, {"matched": 3, "after_order": 2})
    assert [decision(n).id in " ".join(_notes(result)) for n in range(1, 6)] == [False, True, True, False, False]


def test_a_program_that_knew_no_such_finding_is_believed_and_it_is_named(tmp_path: Path) -> None:
    write_log(tmp_path, _log(_delivered(1, _ORDER_S + 1, finding=Finding.MATCHED)))
    result = verify(tmp_path, TRUST)
    assert (result.exit_status, dict(result.deliveries), len(_notes(result))) == (0, {"after_order": 1}, 1)


def test_what_was_recorded_stands_without_the_order(tmp_path: Path) -> None:
    entries = _log(_delivered(1, _ORDER_S + 1, finding=Finding.AFTER_ORDER))
    write_log(tmp_path, [each for each in entries if not parse_entry(each).HasField("override")])
    result = verify(tmp_path, TRUST)
    assert (result.exit_status, dict(result.deliveries)) == (0, {"after_order": 1})
    assert "the order is in none of these logs" in _notes(result)[0]


def test_an_order_excuses_nothing(tmp_path: Path) -> None:
    write_log(tmp_path, _log(_delivered(1, _ORDER_S + 1, region=_SGP, finding=Finding.AFTER_ORDER)))
    result = verify(tmp_path, TRUST)
    assert result.exit_status == 2  # recorded as less than it is
    assert result.deliveries == {"outside_permitted": 1}


@pytest.mark.parametrize("order_in", ["decision", "delivery", "both", "another"])
def test_a_delivery_in_another_log_is_held_against_the_orders_of_both(tmp_path: Path, order_in: str) -> None:
    said = override_to_entry(_FRA_OUT, at_s=_ORDER_S)
    delivered = _delivered(1, _ORDER_S + 1, finding=Finding.DECIDED_ELSEWHERE)
    decided = [config(), decision_to_entry(decision(1), sequence=1)]
    write_log(tmp_path, [*decided, *([said] if order_in in ("decision", "both") else [])])
    write_log(tmp_path, [*([said] if order_in in ("delivery", "both") else []), delivered])
    write_log(tmp_path, [said] if order_in == "another" else [])
    result = verify(tmp_path, TRUST)
    assert result.exit_status == 0
    assert dict(result.deliveries) == ({"matched": 1} if order_in == "another" else {"after_order": 1})


def _read(entries: Sequence[bytes], first: int, before: Edge | None, root: Path) -> PartReader:
    reader = PartReader(open_archive(str(root)), "log", first=first, before=before, buckets=1)
    reader.take(first, entries)
    return reader


def test_a_part_is_read_again_where_an_order_of_before_may_meet_its_deliveries(tmp_path: Path) -> None:
    part = [config(), decision_to_entry(decision(4), sequence=1), _delivered(4, _ORDER_S + 5)]
    alone = _read(part, 65_536, None, tmp_path).meaning()
    assert alone.gathered.deliveries == {"matched": 1}
    known = Ordered(entry=7, order=_order())
    before = Edge(sequence=0, at_s=NOW_S, orders=(known,))
    assert not fits(before, alone.needs)
    again = _read(part, 65_536, before, tmp_path).meaning()
    assert again.gathered.deliveries == {"after_order": 1}
    # The same where nothing can be met: no order, one of another region, one that is over, one that is still to come.
    other = replace(known, order=_order(suspension(_SGP)))
    over = replace(known, order=_order(ended_s=_ORDER_S - 500))
    coming = replace(known, order=_order(suspension(_FRA, from_s=_ORDER_S + 10_000)))
    for orders in ((), (other,), (over,), (coming,)):
        assert fits(replace(before, orders=orders), alone.needs)


def test_orders_are_carried_from_part_to_part_until_they_are_long_over(tmp_path: Path) -> None:
    taken = _read([override_to_entry(_FRA_OUT, at_s=_ORDER_S)], 65_536, None, tmp_path).meaning()
    edge = join_edges(Edge(), taken)
    assert [each.order for each in edge.orders] == [_order()]
    ended = _read([override_to_entry(_FRA_OUT, at_s=_ORDER_S + 9, resumed=True)], 131_072, None, tmp_path).meaning()
    edge = join_edges(edge, ended)
    assert [each.order for each in edge.orders] == [_order(ended_s=_ORDER_S + 9)]
    later = heartbeat_to_entry(Heartbeat(sequence=0, running_s=9000.0, free_bytes=0), at_s=_ORDER_S + 9000)
    assert join_edges(edge, _read([later], 196_608, None, tmp_path).meaning()).orders == ()


def test_what_a_record_allowed_is_what_the_decision_did() -> None:
    for made in (decision(1), replace(decision(2), transfers=())):
        recorded = parse_entry(decision_to_entry(made, sequence=1)).decision
        assert intent_of_record(recorded, permitted_regions(recorded.verdict)) == intent_of(made)


def test_needs_without_an_entry_fit_whatever_was_ordered() -> None:
    needs = Needs(starts=False, sequence=None, at_s=None, configurations=frozenset(), beat=None, close_at_s=None)
    assert fits(Edge(orders=(Ordered(entry=1, order=_order()),)), needs)


def test_the_command_names_decision_and_region(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(tmp_path, _log(_delivered(1, _ORDER_S + 1, _order())))
    assert main(["audit", "verify", str(tmp_path), "--engine", "serial"]) == 0
    said = capsys.readouterr().out
    assert f"request of decision {decision(1).id} was sent to eu-fra after order LT-eu-fra" in said
    assert "deliveries: 1 after_order; 2 decisions" in said
    assert "0 differences between intent and fact" in said
    assert main(["audit", "verify", str(tmp_path), "--engine", "serial", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["deliveries"] == {"after_order": 1}


def test_an_order_of_no_known_kind_is_no_order(tmp_path: Path) -> None:
    entry = pb.Entry(at_s=NOW_S, override=pb.Override(action="suspended"))
    write_log(tmp_path, [config(), entry.SerializeToString()])
    assert verify(tmp_path, TRUST).exit_status == 2


def test_a_decision_that_is_nowhere_cannot_be_held_against_orders(tmp_path: Path) -> None:
    lost = replace(
        delivery(decision(1), _FRA, began_at_s=_ORDER_S + 1),
        decision=DecisionId("00000000-0000-7000-8000-00000000ffff"),
        finding=Finding.DECIDED_ELSEWHERE,
    )
    write_log(tmp_path, _log(delivery_to_entry(lost, at_s=_ORDER_S + 2)))
    result = verify(tmp_path, TRUST)
    assert (result.exit_status, dict(result.deliveries)) == (3, {"decided_elsewhere": 1})
