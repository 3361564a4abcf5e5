"""The key of a session: equal for equal sessions, and none where none is named."""

from hypothesis import given
from hypothesis import strategies as st

from extproc.core.reading import Reading
from extproc.wire.request import Received
from extproc.wire.session import session_key

READING = Reading(session_header="x-session-id")


def received(**headers: bytes) -> Received:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Received(headers=named, conflicting=frozenset(), claims=None, address="", peer="")


def test_there_is_none_where_the_policy_reads_none_or_the_request_names_none() -> None:
    assert session_key(received(x_session_id=b"a"), Reading()) is None
    assert session_key(received(), READING) is None
    assert session_key(received(x_session_id=b""), READING) is None
    assert session_key(None, READING) is None


@given(st.binary(min_size=1), st.binary(min_size=1))
def test_it_is_equal_for_equal_sessions_alone_and_always_as_long(one: bytes, other: bytes) -> None:
    first, second = (session_key(received(x_session_id=named), READING) for named in (one, other))
    assert first is not None
    assert second is not None
    assert (first == second) == (one == other)
    assert len(first) == len(second) == 16


def test_nothing_of_a_session_can_be_read_in_it() -> None:
    key = session_key(received(x_session_id=b"alice@example.org"), READING)
    assert key is not None
    assert b"alice" not in key
