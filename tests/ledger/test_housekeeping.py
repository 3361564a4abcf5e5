"""Entries about the log itself come back as they were written, and nothing else is taken for one of them."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.ledger import housekeeping
from extproc.ledger.entries import close_to_entry, kind_of, parse_entry
from extproc.ledger.housekeeping import (
    DrillRun,
    Erasure,
    ErasureScope,
    Head,
    Heartbeat,
    Hold,
    HoldAction,
    KeyRotation,
    Prune,
)
from extproc.notes.errors import MalformedError

_TIMES = st.floats(0, 4e9, allow_nan=False)
_COUNTS = st.integers(0, 2**63)
_WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_TUPLES = st.lists(_WORDS, max_size=3).map(tuple)
_BYTES = st.binary(max_size=40)

_KINDS: dict[str, st.SearchStrategy[Any]] = {
    "heartbeat": st.builds(Heartbeat, sequence=_COUNTS, running_s=_TIMES, free_bytes=_COUNTS),
    "rotation": st.builds(KeyRotation, delegation=_BYTES, checkpoint=_BYTES),
    "erasure": st.builds(
        Erasure,
        scope=st.sampled_from(ErasureScope),
        tenant=_WORDS,
        days=_TUPLES,
        keys=st.integers(0, 2**31),
        reason=_WORDS,
        pseudonyms=st.lists(_BYTES, max_size=3).map(tuple),
        approved_by=_TUPLES,
    ),
    "prune": st.builds(
        Prune,
        origin=_WORDS,
        end=_COUNTS,
        size=_COUNTS,
        root=_BYTES,
        newest_at_s=_TIMES,
        reason=_WORDS,
        approved_by=_TUPLES,
    ),
    "hold": st.builds(
        Hold,
        action=st.sampled_from(HoldAction),
        id=_WORDS,
        origin=_WORDS,
        reason=_WORDS,
        from_s=st.none() | _TIMES,
        until_s=st.none() | _TIMES,
        approved_by=_TUPLES,
    ),
    "drill": st.builds(
        DrillRun,
        scenario=_WORDS,
        region=_WORDS,
        began_at_s=_TIMES,
        ended_at_s=_TIMES,
        requests=st.integers(0, 2**31),
        failed=st.integers(0, 2**31),
        outside_permitted=st.integers(0, 2**31),
        recovery_s=st.none() | _TIMES,
        passed=st.booleans(),
        report=_BYTES,
    ),
    "head": st.builds(Head, checkpoint=_BYTES),
}


def _pair(kind: str) -> tuple[Callable[..., bytes], Callable[[Any], object]]:
    return getattr(housekeeping, f"{kind}_to_entry"), getattr(housekeeping, f"{kind}_from_entry")


@given(data=st.data(), kind=st.sampled_from(sorted(_KINDS)), at_s=_TIMES)
def test_each_comes_back_equal(data: st.DataObject, kind: str, at_s: float) -> None:
    to_entry, from_entry = _pair(kind)
    value = data.draw(_KINDS[kind])
    entry = parse_entry(to_entry(value, at_s=at_s))
    assert kind_of(entry) == kind
    assert entry.at_s == at_s
    assert from_entry(entry) == value


@pytest.mark.parametrize("kind", sorted(_KINDS))
def test_another_kind_is_refused(kind: str) -> None:
    entry = parse_entry(close_to_entry(at_s=1, reason="shutdown"))
    with pytest.raises(MalformedError, match=f"expected a {kind}, found close"):
        _pair(kind)[1](entry)


def test_an_unknown_word_is_refused() -> None:
    written = housekeeping.hold_to_entry(
        Hold(action=HoldAction.PLACED, id="1", origin="a", reason="b"), at_s=1
    ).replace(b"placed", b"planed")
    with pytest.raises(MalformedError, match="expected one of placed, released, found 'planed'"):
        housekeeping.hold_from_entry(parse_entry(written))
