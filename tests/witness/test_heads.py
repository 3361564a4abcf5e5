"""What checkpoints in a root log prove: alone, and with the log at hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from witness.world import ORIGIN, MemoryLog

from extproc.ledger.housekeeping import Head
from extproc.witness.heads import HeadFault, check_heads, compare_heads

LOG = MemoryLog()


def heads(*checkpoints: bytes) -> list[tuple[int, Head]]:
    return [(3 + 2 * number, Head(checkpoint=each)) for number, each in enumerate(checkpoints)]


def test_logs_that_grow_are_well() -> None:
    other = MemoryLog(key=LOG.key, origin="acme/prod/us/a")
    report = check_heads(
        heads(LOG.checkpoint(3), other.checkpoint(9), LOG.checkpoint(3), LOG.checkpoint(8), other.checkpoint(10))
    )
    assert report.findings == []
    assert {origin: [(each.index, each.checkpoint.size) for each in seen] for origin, seen in report.heads.items()} == {
        ORIGIN: [(3, 3), (7, 3), (9, 8)],
        other.origin: [(5, 9), (11, 10)],
    }
    assert report.heads[ORIGIN][0].note == LOG.checkpoint(3)


def test_what_checkpoints_alone_show() -> None:
    fork = LOG.fork(2)
    report = check_heads(
        heads(
            LOG.checkpoint(5), fork.checkpoint(5), LOG.checkpoint(4), b"nonsense", LOG.checkpoint(5), LOG.checkpoint(6)
        )
    )
    assert [(each.fault, each.index, each.origin) for each in report.findings] == [
        (HeadFault.FORKED, 5, ORIGIN),
        (HeadFault.SHRUNK, 7, ORIGIN),
        (HeadFault.MALFORMED, 9, ""),
    ]
    forked, shrunk, malformed = report.findings
    assert (forked.expected, forked.found) == (LOG.head(5).root.hex(), fork.head(5).root.hex())
    assert forked.before is not None
    assert (forked.before.index, forked.before.note) == (3, LOG.checkpoint(5))
    assert (shrunk.expected, shrunk.found) == ("at least 5 entries", "4")
    assert malformed.before is None
    assert len(report.heads[ORIGIN]) == 5


def test_what_the_log_at_hand_shows() -> None:
    report = check_heads(heads(LOG.checkpoint(3), LOG.fork(4).checkpoint(6), LOG.checkpoint(9)))
    assert report.findings == [], "a fork of another size shows only beside the log"
    seen = report.heads[ORIGIN]
    assert compare_heads(seen[::2], size=9, root_at=lambda size: LOG.head(size).root) == ()
    found = compare_heads(seen, size=8, root_at=lambda size: LOG.head(size).root)
    assert [(each.fault, each.index) for each in found] == [(HeadFault.FORKED, 5), (HeadFault.BEYOND, 7)]
    assert (found[1].expected, found[1].found) == ("at least 9 entries", "8")
    assert found[0].before == seen[1]


@pytest.mark.slow
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=12))
def test_no_fault_is_found_exactly_where_there_is_none(asked: list[tuple[bool, int]]) -> None:
    fork = LOG.fork(6)
    report = check_heads(heads(*((fork if other else LOG).checkpoint(size) for other, size in asked)))
    sizes = [size for _, size in asked]
    roots: dict[int, set[bytes]] = {}
    for other, size in asked:
        roots.setdefault(size, set()).add((fork if other else LOG).head(size).root)
    if not report.findings:
        assert sizes == sorted(sizes)
        assert all(len(each) == 1 for each in roots.values())
    if sizes == sorted(sizes) and all(len(each) == 1 for each in roots.values()):
        assert report.findings == []
