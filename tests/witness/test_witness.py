"""What a witness cosigns and what it does not, rule by rule and against a log that lies at random."""

import itertools
import sqlite3
import threading
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from witness.world import NOW_S, ORIGIN, Bench, MemoryLog, bench, witness_key

from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.merkle import EMPTY_ROOT
from extproc.notes.errors import NoteError
from extproc.notes.keys import generate_key
from extproc.notes.note import (
    KeyType,
    Note,
    VerifierKey,
    cosigned_at_s,
    format_note,
    make_signature,
    open_note,
    parse_note,
    sign_note,
)
from extproc.witness.errors import (
    ConflictError,
    InconsistentError,
    RequestError,
    StateError,
    UnknownLogError,
    UntrustedError,
    WitnessError,
)
from extproc.witness.request import parse_signatures
from extproc.witness.state import Latest, State
from extproc.witness.witness import Witness

LOG = MemoryLog()
ROOT = LOG.key.verifier("acme/prod")


@pytest.fixture
def made(tmp_path: Path) -> Bench:
    return bench(tmp_path / "state.sqlite", ROOT)


def verified(made: Bench, body: bytes, checkpoint: bytes) -> int:
    """Give the time of the one cosignature in an answer, which must verify."""
    text = parse_note(checkpoint).text
    (signature,) = parse_signatures(body, text)
    assert (signature.name, signature.key_id) == (made.key.verifier.name, made.key.verifier.key_id)
    assert made.key.verifier.verifies(text, signature.signature)
    return cosigned_at_s(signature)


def test_a_log_that_grows(made: Bench) -> None:
    for old, new in itertools.pairwise([0, 1, 2, 7, 8, 200, 256, 257, 257]):
        answer = made.witness.add_checkpoint(LOG.request(old, new))
        assert verified(made, answer, LOG.checkpoint(new)) == NOW_S
    latest = made.state.latest(ORIGIN)
    assert (latest.size, latest.root, latest.cosigned_at_s) == (257, LOG.head(257).root, NOW_S)
    shown = open_note(latest.note, [LOG.key.verifier(ORIGIN), made.key.verifier])
    assert len(shown.signatures) == 2, "SPEC: the log's signature and the witness's"


def test_the_first_checkpoint_may_have_any_size(made: Bench) -> None:
    made.witness.add_checkpoint(LOG.request(0, 100))
    assert made.state.latest(ORIGIN).size == 100


def test_an_empty_log(made: Bench) -> None:
    made.witness.add_checkpoint(LOG.request(0, 0))
    made.witness.add_checkpoint(LOG.request(0, 0))
    made.witness.add_checkpoint(LOG.request(0, 5))
    bad = f"{ORIGIN}\n0\n{b64encode(bytes(32)).decode()}\n"
    note = sign_note(bad.replace(ORIGIN, "acme/prod/other"), LOG.key.verifier("acme/prod/other"), LOG.key.sign)
    with pytest.raises(InconsistentError, match="empty tree"):
        made.witness.add_checkpoint(b"old 0\n\n" + note)
    assert bytes(32) != EMPTY_ROOT


def test_a_conflict_says_the_size(made: Bench) -> None:
    made.witness.add_checkpoint(LOG.request(0, 10))
    for old, new in ((0, 10), (0, 5), (5, 12), (11, 12), (3, 3)):
        with pytest.raises(ConflictError) as raised:
            made.witness.add_checkpoint(LOG.request(old, new))
        assert raised.value.size == 10


def test_the_same_size_again_is_cosigned_again(tmp_path: Path) -> None:
    times = iter([100.9, 100.9, 200.0, 200.0])
    made = bench(tmp_path / "s", ROOT, clock=lambda: next(times))
    made.witness.add_checkpoint(LOG.request(0, 10))
    answer = made.witness.add_checkpoint(LOG.request(10, 10))
    assert verified(made, answer, LOG.checkpoint(10)) == 200


@pytest.mark.parametrize(("now", "expected"), [(99, 100), (41, 100), (40, 40), (7, 7), (101, 101)])
def test_a_clock_that_was_set_back(tmp_path: Path, now: int, expected: int) -> None:
    clock = [100]
    made = bench(tmp_path / "s", ROOT, clock=lambda: clock[0])
    made.witness.add_checkpoint(LOG.request(0, 10))
    clock[0] = now
    assert verified(made, made.witness.add_checkpoint(LOG.request(10, 11)), LOG.checkpoint(11)) == expected


def test_another_history_is_not_cosigned_and_is_kept_as_proof(made: Bench) -> None:
    made.witness.add_checkpoint(LOG.request(0, 10))
    fork = LOG.fork(5)
    with pytest.raises(InconsistentError, match="another root at 10 entries"):
        made.witness.add_checkpoint(fork.request(10, 10))
    for new in (11, 16, 100):
        with pytest.raises(InconsistentError, match="does not lead"):
            made.witness.add_checkpoint(fork.request(10, new))
    (kept,) = made.state.forks()
    keys = [LOG.key.verifier(ORIGIN)]
    one, two = (parse_checkpoint(open_note(note, keys).text) for note in (kept.cosigned, kept.refused))
    assert (one.size, two.size) == (10, 10)
    assert one.root != two.root
    assert made.state.latest(ORIGIN).root == LOG.head(10).root
    with pytest.raises(InconsistentError):
        made.witness.add_checkpoint(fork.request(10, 10))
    assert len(made.state.forks()) == 1, "the same proof twice says nothing new"


def test_forks_that_are_kept_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.witness.state._FORKS_KEPT", 3)
    made = bench(tmp_path / "s", ROOT)
    made.witness.add_checkpoint(LOG.request(0, 4))
    fork = LOG
    for _ in range(5):
        fork = fork.fork(1)
        with pytest.raises(InconsistentError):
            made.witness.add_checkpoint(fork.request(4, 4))
    assert len(made.state.forks()) == 3


def test_an_old_checkpoint_replayed(made: Bench) -> None:
    first = LOG.request(0, 10)
    made.witness.add_checkpoint(first)
    made.witness.add_checkpoint(LOG.request(10, 20))
    with pytest.raises(ConflictError):
        made.witness.add_checkpoint(first)
    with pytest.raises(RequestError, match="old size 20 is larger"):
        made.witness.add_checkpoint(LOG.request(0, 10).replace(b"old 0", b"old 20"))
    assert made.state.latest(ORIGIN).size == 20


def proofs(good: list[bytes]) -> list[tuple[str, list[bytes]]]:
    flipped = [bytes([good[0][0] ^ 1]) + good[0][1:], *good[1:]]
    return [
        ("none", []),
        ("one short", good[:-1]),
        ("one more", [*good, bytes(32)]),
        ("turned round", good[::-1]),
        ("a bit", flipped),
        ("another's", LOG.proof(20, 33)),
        ("63 lines", [bytes(32)] * 63),
    ]


@pytest.mark.parametrize("number", range(7))
def test_a_proof_that_proves_nothing(made: Bench, number: int) -> None:
    made.witness.add_checkpoint(LOG.request(0, 21))
    name, proof = proofs(LOG.proof(21, 33))[number]
    with pytest.raises(InconsistentError):
        made.witness.add_checkpoint(LOG.request(21, 33, proof))
    assert made.state.latest(ORIGIN).size == 21, name


def test_a_proof_where_none_is_due(made: Bench) -> None:
    with pytest.raises(InconsistentError):
        made.witness.add_checkpoint(LOG.request(0, 3, [bytes(32)]))
    made.witness.add_checkpoint(LOG.request(0, 3))
    with pytest.raises(InconsistentError):
        made.witness.add_checkpoint(LOG.request(3, 3, [bytes(32)]))


@pytest.mark.parametrize("origin", ["acme", "acme/production/x", "acme/prod-2", "other", "acme/prodx", "ACME/prod/x"])
def test_a_log_of_nobodys(made: Bench, origin: str) -> None:
    with pytest.raises(UnknownLogError, match="--log"):
        made.witness.add_checkpoint(MemoryLog(key=LOG.key, origin=origin).request(0, 3))


def test_whose_signatures_count(made: Bench) -> None:
    text = parse_note(LOG.checkpoint(3)).text
    own = make_signature(text, LOG.key.verifier(ORIGIN), LOG.key.sign)
    stranger = generate_key()
    other = make_signature(text, stranger.verifier(ORIGIN), stranger.sign)
    above = make_signature(text, ROOT, LOG.key.sign)

    def request(*signatures: object) -> bytes:
        return b"old 0\n\n" + format_note(Note(text=text, signatures=tuple(signatures)))  # type: ignore[arg-type]

    for bad in ([other], [above], [other, above]):
        with pytest.raises(UntrustedError, match="no trusted key"):
            made.witness.add_checkpoint(request(*bad))
    forged = make_signature(text.replace("3", "4", 1), LOG.key.verifier(ORIGIN), LOG.key.sign)
    for lie in ([forged], [own, forged], [forged, own]):
        with pytest.raises(UntrustedError, match="does not verify"):
            made.witness.add_checkpoint(request(*lie))
    assert made.state.latest(ORIGIN).size == 0
    made.witness.add_checkpoint(request(other, own, above))
    kept = parse_note(made.state.latest(ORIGIN).note)
    assert len(kept.signatures) == 2, "signatures of unknown keys are ignored, and not passed on"


def test_several_logs_and_several_keys(tmp_path: Path) -> None:
    first, second, third = generate_key(), generate_key(), generate_key()
    made = bench(
        tmp_path / "s",
        first.verifier("acme/prod"),
        second.verifier("acme/prod/eu"),
        VerifierKey(name="exact.example/log", public=third.public, type=KeyType.COSIGNATURE),
    )
    for key, origin in ((first, "acme/prod/us/a"), (first, "acme/prod/eu/a"), (second, "acme/prod/eu/b")):
        made.witness.add_checkpoint(MemoryLog(key=key, origin=origin).request(0, 3))
    with pytest.raises(UntrustedError):
        made.witness.add_checkpoint(MemoryLog(key=second, origin="acme/prod/us/b").request(0, 3))
    text = parse_note(MemoryLog(key=first, origin="acme/prod/eu/c").checkpoint(2)).text
    both = tuple(make_signature(text, key.verifier("acme/prod/eu/c"), key.sign) for key in (first, second))
    made.witness.add_checkpoint(b"old 0\n\n" + format_note(Note(text=text, signatures=both)))
    assert len(parse_note(made.state.latest("acme/prod/eu/c").note).signatures) == 3
    assert [each.origin for each in made.state.all_latest()] == [
        "acme/prod/eu/a", "acme/prod/eu/b", "acme/prod/eu/c", "acme/prod/us/a",
    ]  # fmt: skip


def test_extension_lines_are_cosigned_with_the_rest(made: Bench) -> None:
    text = parse_note(LOG.checkpoint(3)).text + "an extension\n"
    note = sign_note(text, LOG.key.verifier(ORIGIN), LOG.key.sign)
    verified(made, made.witness.add_checkpoint(b"old 0\n\n" + note), note)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[:-1],
        lambda body: body.replace(b"\n\n", b"\n", 1),
        lambda body: body.replace(b"\n9\n", b"\n09\n"),
        lambda body: body.replace(b"\n9\n", b"\n-9\n"),
        lambda body: body.replace("— ".encode(), b"- "),
        lambda body: b"\xff" + body,
        lambda body: body.replace(b"acme", b"ac\x00me", 1),
        lambda body: body[: len(b"old 0\n\n")],
        lambda body: body[:0],
    ],
)
def test_a_request_in_another_form(made: Bench, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(RequestError):
        made.witness.add_checkpoint(change(LOG.request(0, 9)))


@pytest.mark.slow
@pytest.mark.slow
@given(st.data())
def test_every_altered_byte_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    made = bench(tmp_path_factory.mktemp("w") / "s", ROOT)
    made.witness.add_checkpoint(LOG.request(0, 21))
    body = LOG.request(21, 33)
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + bytes([data.draw(st.integers(0, 255).filter(lambda byte: byte != body[at]))]) + body[at + 1 :]
    with pytest.raises(WitnessError):
        made.witness.add_checkpoint(changed)
    assert made.state.latest(ORIGIN).size == 21
    made.state.close()


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(0, 40)), max_size=40))
def test_all_that_was_cosigned_is_one_history(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[int, int, int]]
) -> None:
    """Three histories under one key, asked for in any order: what the witness cosigns always fits into one of them."""
    histories = [LOG, LOG.fork(0), LOG.fork(12).fork(12)]
    made = bench(tmp_path_factory.mktemp("w") / "s", ROOT)
    cosigned: list[tuple[int, bytes]] = []
    for which, old, new in asked:
        log = histories[which]
        try:
            proof = log.proof(old, new) if old <= new else []
            made.witness.add_checkpoint(log.request(old, new, proof))
        except (WitnessError, NoteError):
            continue
        cosigned.append((new, log.head(new).root))
    made.state.close()
    assert [size for size, _ in cosigned] == sorted(size for size, _ in cosigned)
    assert any(all(log.head(size).root == root for size, root in cosigned) for log in histories)


def _ask(  # noqa: PLR0913, PLR0917 - what a thread is given
    witness: Witness, log: MemoryLog, old: int, new: int, barrier: threading.Barrier, won: list[bytes]
) -> None:
    body = log.request(old, new)
    barrier.wait()
    try:
        witness.add_checkpoint(body)
    except (ConflictError, InconsistentError):
        return
    won.append(log.head(new).root)


def test_two_at_once_cannot_both_win(tmp_path: Path) -> None:
    """Two processes' worth of witnesses over one state, each asked by threads for its own history."""
    key = witness_key()
    both = [bench(tmp_path / "s", ROOT, key=key) for _ in range(2)]
    histories = [LOG, LOG.fork(0)]
    for size in range(1, 15):
        old = both[0].state.latest(ORIGIN).size
        continued = next(log for log in histories if not old or log.head(old).root == both[0].state.latest(ORIGIN).root)
        other = continued.fork(old)
        barrier = threading.Barrier(6)
        won: list[bytes] = []

        threads = [
            threading.Thread(target=_ask, args=(both[i % 2].witness, log, old, old + size, barrier, won))
            for i, log in enumerate([continued, other] * 3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(won)) == 1
        histories.append(other)
        assert both[1].state.latest(ORIGIN).root == won[0]


def test_requests_judged_together_are_judged_in_order(made: Bench) -> None:
    """One flush for all, and each as if it had come alone: the second for a size that is taken is too late."""
    other = MemoryLog(key=LOG.key, origin="acme/prod/us/a")
    fork = LOG.fork(0)
    asked = [
        LOG.request(0, 5),
        fork.request(0, 5),
        b"nonsense",
        LOG.request(5, 9),
        fork.request(9, 9),
        other.request(0, 3),
        MemoryLog(origin="nobody").request(0, 3),
        MemoryLog().request(9, 10),
        LOG.request(9, 12, [bytes(32)]),
        LOG.request(9, 11),
    ]
    answers = made.witness.add_checkpoints(asked)
    assert [type(each) for each in answers] == [
        bytes, ConflictError, RequestError, bytes, InconsistentError, bytes, UnknownLogError, UntrustedError,
        InconsistentError, bytes,
    ]  # fmt: skip
    assert [each.size for each in made.state.all_latest()] == [11, 3]
    assert len(made.state.forks()) == 1, "the proof of a fork is kept beside what is well"


def test_the_state_belongs_to_one_key(tmp_path: Path) -> None:
    bench(tmp_path / "s", ROOT).state.close()
    with pytest.raises(StateError, match="give each key a state of its own"):
        bench(tmp_path / "s", ROOT)


def test_what_is_remembered_outlives_the_process(tmp_path: Path) -> None:
    key = witness_key()
    first = bench(tmp_path / "s", ROOT, key=key)
    first.witness.add_checkpoint(LOG.request(0, 10))
    first.state.close()
    second = bench(tmp_path / "s", ROOT, key=key)
    with pytest.raises(ConflictError):
        second.witness.add_checkpoint(LOG.fork(0).request(0, 10))
    reader = State(tmp_path / "s", vkey=None)
    assert [each.size for each in reader.all_latest()] == [10]
    with pytest.raises(StateError, match="readonly"), reader.transaction() as transaction:
        transaction.put(Latest(origin=ORIGIN))


def test_every_commit_waits_for_the_disk(made: Bench) -> None:
    database = made.state._database
    assert database.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_disk_that_takes_nothing_gives_no_cosignature(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made.witness.add_checkpoint(LOG.request(0, 10))

    class Full:
        """The database on a disk that is full at the commit."""

        def __getattr__(self, name: str) -> object:
            return getattr(database, name)

        def execute(self, query: str, *values: object) -> object:
            if query == "COMMIT":
                raise sqlite3.OperationalError("database or disk is full")
            return database.execute(query, *values)  # type: ignore[arg-type]

    database = made.state._database
    monkeypatch.setattr(made.state, "_database", Full())
    with pytest.raises(StateError, match="disk is full"):
        made.witness.add_checkpoint(LOG.request(10, 20))
    monkeypatch.setattr(made.state, "_database", database)
    assert made.state.latest(ORIGIN).size == 10
    made.witness.add_checkpoint(LOG.request(10, 20))


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be taken for one" * 20])
def test_a_file_that_is_no_state(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(StateError, match="cannot be used"):
        State(tmp_path / "s", vkey="x")
    with pytest.raises(StateError, match="cannot be used"):
        State(tmp_path / "missing" / "s", vkey="x")
    with pytest.raises(StateError, match="cannot be used"):
        State(tmp_path / "missing", vkey=None)
