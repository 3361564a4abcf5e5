"""Pseudonyms and sealed blocks: noise without their keys, and readable with them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sealed.world import DAY_S, EVERYTHING, GROUNDS, ID, NOW_S, TODAY, ask, new_store

from extproc.core.evidence import Evidence, Private, SealedField
from extproc.ledger import entry_pb2 as pb
from extproc.sealed import keys as keys_module
from extproc.sealed.destroy import destroy_days, destroy_subject
from extproc.sealed.errors import ErasedError, KeyStoreError, UnsealError
from extproc.sealed.keys import Keys, day_of
from extproc.sealed.sealer import Sealer
from extproc.sealed.store import KeyStore
from extproc.sealed.unseal import pseudonyms_of, unseal

_WHOLE = pb.SealedBlock(subject="ada", request_id="5d3f-1", address="31.0.0.7")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KeyStore]:
    opened = new_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def keys(store: KeyStore) -> Iterator[Keys]:
    opened = Keys(store.again(), look_s=0.01)
    yield opened
    opened.close()


def _open(store: KeyStore, private: Private, at: bytes = ID, tenant: str = "shop") -> pb.SealedBlock:
    return unseal(store, tenant=tenant, decision_id=at, private=private)


def test_what_is_sealed_opens_with_the_store(store: KeyStore, keys: Keys) -> None:
    made = ask(keys)
    assert made.day == TODAY
    assert (len(made.pseudonym), len(made.request)) == (16, 16)
    assert _open(store, made) == _WHOLE


def test_a_request_without_a_subject_is_sealed_under_the_day(store: KeyStore, keys: Keys) -> None:
    made = ask(keys, None)
    assert made.pseudonym == b""
    assert _open(store, made) == pb.SealedBlock(request_id="5d3f-1", address="31.0.0.7")
    made = replace(made, day="1999-01-01")
    with pytest.raises(ErasedError, match="this record's day"):
        _open(store, made)


def test_a_pseudonym_tells_one_persons_requests_of_one_day_and_tenant(keys: Keys) -> None:
    first = ask(keys)
    again = ask(keys)
    assert first.pseudonym == again.pseudonym
    assert first.request == again.request
    assert first.sealed != again.sealed
    others = [ask(keys, "bob"), ask(keys, tenant="bank"), ask(keys, now_s=NOW_S + DAY_S)]
    assert len({first.pseudonym, *(other.pseudonym for other in others)}) == 4
    assert others[0].request == first.request
    assert first.request not in {other.request for other in others[1:]}


def test_the_same_after_a_restart(store: KeyStore, keys: Keys) -> None:
    other = Keys(store.again())
    assert ask(other).pseudonym == ask(keys).pseudonym
    other.close()


def test_only_what_the_policy_asks_for(store: KeyStore, keys: Keys) -> None:
    def made(evidence: Evidence, subject: str | None = "ada") -> Private | None:
        return Sealer(keys, evidence).private(
            tenant="shop", decision_id=ID, now_s=NOW_S, subject=subject, request_id="5d3f-1", address="31.0.0.7"
        )

    assert made(Evidence()) is None
    assert made(Evidence(subject_claim="sub"), None) is None
    named = made(Evidence(subject_claim="sub"))
    assert named == Private(day=TODAY, pseudonym=ask(keys).pseudonym)
    address = made(Evidence(sealed=frozenset({SealedField.ADDRESS})))
    assert address is not None
    assert (address.pseudonym, address.request) == (b"", b"")
    assert _open(store, address) == pb.SealedBlock(address="31.0.0.7")
    unnamed = made(replace(EVERYTHING, sealed=frozenset({SealedField.REQUEST_ID})))
    assert unnamed is not None
    assert unnamed.request == ask(keys).request
    assert _open(store, unnamed) == pb.SealedBlock(request_id="5d3f-1")


def test_a_request_of_no_tenant(store: KeyStore, keys: Keys) -> None:
    made = Sealer(keys, EVERYTHING).private(
        tenant=None, decision_id=ID, now_s=NOW_S, subject=None, request_id=None, address="31.0.0.7"
    )
    assert made is not None
    assert _open(store, made, tenant="") == pb.SealedBlock(address="31.0.0.7")


def test_a_block_is_of_its_decision_alone(store: KeyStore, keys: Keys) -> None:
    made = ask(keys)
    with pytest.raises(UnsealError):
        _open(store, made, bytes(16))
    for i in (0, 12, len(made.sealed) - 1):
        flipped = bytearray(made.sealed)
        flipped[i] ^= 1
        with pytest.raises(UnsealError):
            _open(store, replace(made, sealed=bytes(flipped)))
    for short in (b"", made.sealed[:12], made.sealed[:27]):
        with pytest.raises(UnsealError):
            _open(store, replace(made, sealed=short))


def test_an_erased_subject_is_unreadable_and_others_are_not(store: KeyStore, keys: Keys) -> None:
    mine, yesterday, other = ask(keys), ask(keys, now_s=NOW_S - DAY_S), ask(keys, "bob")
    destroyed = destroy_subject(store, tenant="shop", subject="ada", grounds=GROUNDS)
    assert destroyed is not None
    assert set(destroyed.pseudonyms) == {mine.pseudonym, yesterday.pseudonym}
    for each in (mine, yesterday):
        with pytest.raises(ErasedError, match="this record's subject"):
            _open(store, each)
    assert pseudonyms_of(store, tenant="shop", subject="ada") == {}
    assert pseudonyms_of(store, tenant="shop", subject="bob") == {TODAY: other.pseudonym}
    assert _open(store, other).subject == "bob"


def test_a_running_process_notices_within_a_second(store: KeyStore, keys: Keys) -> None:
    before = ask(keys)
    destroy_subject(store, tenant="shop", subject="ada", grounds=GROUNDS)
    until = time.monotonic() + 1.0
    while ask(keys).pseudonym == before.pseudonym:
        assert time.monotonic() < until
        time.sleep(0.01)
    # What comes after the erasure is a new record of a new day's key, which another erasure would find.
    after = ask(keys)
    assert _open(store, after) == _WHOLE
    assert pseudonyms_of(store, tenant="shop", subject="ada") == {TODAY: after.pseudonym}
    with pytest.raises(ErasedError):
        _open(store, before)


def test_a_key_read_while_the_cache_was_dropped_is_not_kept(
    store: KeyStore, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.subject_key

    def slow(tenant: str, day: str, row: bytes) -> bytes:
        key = real(tenant, day, row)
        keys._days = {}  # the thread saw an erasure just now
        return key

    monkeypatch.setattr(KeyStore, "subject_key", lambda _, tenant, day, row: slow(tenant, day, row))
    ask(keys)
    assert keys._days == {}


def test_the_default_look_is_soon_enough() -> None:
    assert keys_module.LOOK_S <= 0.5


def test_without_its_store_nothing_is_sealed(store: KeyStore) -> None:
    keys = Keys(store.again(), look_s=0.01)
    ask(keys)
    store._connection.execute("DROP TABLE state")
    until = time.monotonic() + 5.0
    while keys.failure is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    with pytest.raises(KeyStoreError, match="no such table"):
        ask(keys)
    keys.close()


def _until(holds: Callable[[], object]) -> None:
    until = time.monotonic() + 5.0
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_store_that_was_moved_away_is_noticed_and_one_that_came_back_too(store: KeyStore, keys: Keys) -> None:
    before = ask(keys)
    folder, away = store.path.parent, store.path.parent.with_name("away")
    folder.rename(away)
    _until(lambda: keys.failure is not None)
    for subject in ("ada", "bob"):
        with pytest.raises(KeyStoreError, match=r"moved, removed or replaced.*Mend"):
            ask(keys, subject)
    assert not folder.exists()
    away.rename(folder)
    _until(lambda: keys.failure is None)
    assert ask(keys).pseudonym == before.pseudonym


def test_another_store_in_the_place_of_ours_is_not_taken(store: KeyStore, keys: Keys, tmp_path: Path) -> None:
    ask(keys)
    other = new_store(tmp_path / "other")
    other.close()
    other.path.replace(store.path)
    _until(lambda: keys.failure is not None)
    with pytest.raises(KeyStoreError, match="replaced"):
        ask(keys)


def test_a_store_that_takes_no_new_key_is_asked_once_and_goes_on_by_itself(store: KeyStore, keys: Keys) -> None:
    known = ask(keys)
    with store.changing():  # as another process that writes and does not come to an end
        began = time.monotonic()
        for subject in ("bob", "eve", "dan", "kim", "joe"):
            with pytest.raises(KeyStoreError, match=r"locked.*Mend"):
                ask(keys, subject)
        assert time.monotonic() - began < 2 * keys_module._BUSY_S  # all wait once, together
        assert keys.failure is not None
        assert ask(keys).pseudonym == known.pseudonym
    _until(lambda: keys.failure is None)
    assert ask(keys, "bob").pseudonym


def test_an_error_holds_on_to_nobody(store: KeyStore, keys: Keys) -> None:
    ask(keys)
    store._connection.execute("DROP TABLE state")
    _until(lambda: keys.failure is not None)
    raised = []
    for _ in range(2):
        with pytest.raises(KeyStoreError) as error:
            ask(keys)
        raised.append(error.value)
    assert raised[0] is not raised[1]


def test_keys_are_durable_soon(store: KeyStore, keys: Keys) -> None:
    ask(keys)
    until = time.monotonic() + 5.0
    while b"2025-11-21" not in store.path.read_bytes():  # out of the write-ahead log, which a checkpoint flushes first
        assert time.monotonic() < until
        time.sleep(0.01)


def test_memory_is_bounded(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "_SUBJECTS_KEPT", 3)
    monkeypatch.setattr(keys_module, "_DAYS_KEPT", 3)
    made = [ask(keys, f"person {n}").pseudonym for n in range(10)]
    assert [ask(keys, f"person {n}").pseudonym for n in range(10)] == made
    for n in range(10):
        ask(keys, now_s=NOW_S + n * DAY_S)
        assert len(keys._days) <= 3
        assert sum(len(day.subjects) for day in keys._days.values()) <= 3


def test_a_whole_day(store: KeyStore, keys: Keys) -> None:
    ask(keys), ask(keys, "bob"), ask(keys, None)
    tomorrow = ask(keys, now_s=NOW_S + DAY_S)
    today = [ask(keys), ask(keys, "bob"), ask(keys, None)]
    destroyed = destroy_days(store, tenant="shop", days=[TODAY], grounds=GROUNDS)
    assert destroyed is not None
    assert (destroyed.keys, destroyed.days) == (3, (TODAY,))
    for each in today:
        with pytest.raises(ErasedError):
            _open(store, each)
    assert _open(store, tomorrow) == _WHOLE


def test_days_are_of_utc() -> None:
    assert [day_of(s) for s in (0.0, 86_399.9, 86_400.0, NOW_S)] == ["1970-01-01", "1970-01-01", "1970-01-02", TODAY]


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(subject=st.text(min_size=1, max_size=50), address=st.ip_addresses().map(str), request_id=st.text(max_size=50))
def test_all_that_was_sealed_comes_back_and_none_of_it_shows(
    store: KeyStore, keys: Keys, subject: str, address: str, request_id: str
) -> None:
    made = Sealer(keys, EVERYTHING).private(
        tenant="shop", decision_id=ID, now_s=NOW_S, subject=subject, request_id=request_id, address=address
    )
    assert made is not None
    assert _open(store, made) == pb.SealedBlock(subject=subject, request_id=request_id, address=address)
    bytes_of_it = b"".join((made.pseudonym, made.request, made.sealed))
    for clear in (subject, address, request_id):
        # Shorter ones stand in random bytes by chance.
        if len(clear.encode()) > 3:
            assert clear.encode() not in bytes_of_it
