"""Asking witnesses: quorums, sizes that are learned, other histories, and witnesses that lie or are away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest
from witness.world import NOW_S, ORIGIN, Bench, MemoryLog, bench, limits, policy_of, serving, witness_key

from extproc.ledger.checkpoint import parse_checkpoint
from extproc.notes.errors import MalformedError
from extproc.notes.note import Note, format_note, make_cosignature, open_note, parse_note
from extproc.trust.tlog_policy import TrustPolicy, open_cosigned, parse_tlog_policy
from extproc.witness.client import Collected, collect, open_client
from extproc.witness.errors import ForkedError, RolledBackError
from extproc.witness.http import Answer, Request, Response, start_http_server
from extproc.witness.request import SIZE_TYPE, format_signatures
from extproc.witness.witness import WitnessKey

LOG = MemoryLog()
ROOT = LOG.key.verifier("acme/prod")
KEYS = [LOG.key.verifier(ORIGIN)]


@asynccontextmanager
async def witnesses(folder: Path, count: int) -> AsyncIterator[list[tuple[Bench, str]]]:
    """Start so many; give each with its address."""
    async with AsyncExitStack() as stack:
        started = []
        for number in range(count):
            made = bench(folder / f"{number}.sqlite", ROOT, key=witness_key(f"witness.example/{number}"))
            server = await stack.enter_async_context(serving(made))
            started.append((made, server.address))
        yield started


@asynccontextmanager
async def liar(answer: Answer) -> AsyncIterator[str]:
    server = await start_http_server("127.0.0.1:0", answer, limits=limits(stop_s=0.05))
    yield server.address
    await server.stop()


async def ask(
    policy: TrustPolicy, size: int, *, log: MemoryLog = LOG, seen: dict[str, int] | None = None, timeout_s: float = 5
) -> Collected:
    async with open_client() as client:
        return await collect(
            log.checkpoint(size),
            policy,
            seen={} if seen is None else seen,
            proof_for=log.proof,
            client=client,
            timeout_s=timeout_s,
        )


@pytest.mark.slow
async def test_all_cosign(tmp_path: Path) -> None:
    async with witnesses(tmp_path, 3) as made:
        policy = policy_of("all", *((f"w{i}", each.key, address) for i, (each, address) in enumerate(made)))
        seen: dict[str, int] = {}
        for size in (1, 5, 5, 300):
            collected = await ask(policy, size, seen=seen)
            assert collected.reached
            assert collected.names == {"w0", "w1", "w2"}
            assert (collected.failures, collected.diverged) == ({}, ())
            assert seen == dict.fromkeys(collected.names, size)
            note = open_cosigned(collected.note, policy, KEYS)
            assert policy.cosigned(note) == dict.fromkeys(collected.names, NOW_S)
            assert [each.name for each in note.signatures[1:]] == [f"witness.example/{i}" for i in range(3)]


async def test_a_size_is_learned(tmp_path: Path) -> None:
    async with witnesses(tmp_path, 1) as made:
        made[0][0].witness.add_checkpoint(LOG.request(0, 7))
        policy = policy_of("1", ("w", made[0][0].key, made[0][1]))
        for seen in ({}, {"w": 3}, {"w": 7}, {"w": 9}):
            collected = await ask(policy, 9, seen=seen)
            assert collected.reached, collected.failures
            assert seen == {"w": 9}


async def test_two_of_three_with_one_dead(tmp_path: Path) -> None:
    async with witnesses(tmp_path, 2) as made:
        listed = [(f"w{i}", each.key, address) for i, (each, address) in enumerate(made)]
        policy = policy_of("2", *listed, ("dead", witness_key("dead"), "127.0.0.1:1"))
        collected = await ask(policy, 9)
        assert collected.reached
        assert collected.names == {"w0", "w1"}
        assert list(collected.failures) == ["dead"]
        assert "cannot be asked" in collected.failures["dead"]
        both = policy_of("all", *listed, ("dead", witness_key("dead"), "127.0.0.1:1"))
        collected = await ask(both, 10)
        assert not collected.reached
        assert len(parse_note(collected.note).signatures) == 3, "what there is"


@pytest.mark.slow
async def test_one_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    async def hang(_: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with witnesses(tmp_path, 1) as made, liar(hang) as address:
        listed = [("w", made[0][0].key, made[0][1]), ("slow", witness_key("slow"), address)]
        began = asyncio.get_running_loop().time()
        collected = await ask(policy_of("any", *listed), 9, timeout_s=30)
        assert collected.reached
        assert collected.failures.keys() == {"slow"}
        collected = await ask(policy_of("all", *listed), 9, timeout_s=0.3)
        assert not collected.reached
        assert collected.names == {"w"}
        assert asyncio.get_running_loop().time() - began < 10


async def test_a_disk_that_was_set_back(tmp_path: Path) -> None:
    async with witnesses(tmp_path, 2) as made:
        made[0][0].witness.add_checkpoint(LOG.request(0, 20))
        policy = policy_of("any", *((f"w{i}", each.key, address) for i, (each, address) in enumerate(made)))
        collected = await ask(policy, 9)
        assert collected.names == {"w1"}
        (error,) = collected.diverged
        assert isinstance(error, RolledBackError)
        assert (error.witness, error.size, error.ours) == ("w0", 20, LOG.checkpoint(9))
        assert error.theirs is not None
        theirs = open_note(error.theirs, [*KEYS, made[0][0].key.verifier])
        assert parse_checkpoint(theirs.text) == LOG.head(20)
        assert len(theirs.signatures) == 2, "the log's own signature and the witness's: proof enough"
        assert "bring back what is missing" in str(error)


@pytest.mark.parametrize("size", [9, 12])
async def test_two_histories_under_one_key(tmp_path: Path, size: int) -> None:
    async with witnesses(tmp_path, 1) as made:
        made[0][0].witness.add_checkpoint(LOG.request(0, 9))
        fork = LOG.fork(4)
        policy = policy_of("any", ("w", made[0][0].key, made[0][1]))
        seen: dict[str, int] = {}
        collected = await ask(policy, size, log=fork, seen=seen)
        assert not collected.reached
        (error,) = collected.diverged
        assert isinstance(error, ForkedError)
        assert (error.witness, error.size, error.ours) == ("w", 9, fork.checkpoint(size))
        assert error.theirs is not None
        assert parse_checkpoint(open_note(error.theirs, KEYS).text) == LOG.head(9)
        assert len(made[0][0].state.forks()) == (size == 9), "of one size they are proof by themselves"
        assert seen == {}


def cosignature(key: WitnessKey, text: str, *, at_s: int = NOW_S) -> bytes:
    return format_signatures([make_cosignature(text, key.verifier, key.signer.sign, at_s=at_s)])


def passed_off() -> bytes:
    """A cosignature by another key, under the true one's id."""
    made = make_cosignature(TEXT, OTHER.verifier, OTHER.signer.sign, at_s=1)
    return format_signatures([replace(made, key_id=TRUE.verifier.key_id)])


TRUE, OTHER = witness_key("w"), witness_key("w")
TEXT = parse_note(LOG.checkpoint(9)).text
LIES: list[tuple[str, int, bytes, str]] = [
    ("a key of its name that is not its own", 200, cosignature(OTHER, TEXT), "no cosignature that its key"),
    ("a text that is not ours", 200, cosignature(TRUE, TEXT.replace("9", "8", 1)), "no cosignature that its key"),
    ("no time", 200, cosignature(TRUE, TEXT, at_s=0), "no cosignature that its key"),
    ("its key id over another's signature", 200, passed_off(), "no cosignature that its key"),
    ("nothing", 200, b"", "does not speak tlog-witness"),
    ("a page", 200, b"<html>welcome</html>\n", "does not speak tlog-witness"),
    ("a whole note", 200, LOG.checkpoint(9), "does not speak tlog-witness"),
    ("too much", 200, b"x" * 100_000, "more than 65536 bytes"),
    ("not found", 404, b"what?\x1b[31m\n", r"answers 404: what\?\?\[31m"),
    ("forbidden", 403, b"no\n", "answers 403: no"),
    ("a failure", 500, b"", "answers 500: nothing said"),
    ("elsewhere", 302, b"", "answers 302"),
    ("a size that is none", 409, b"ten\n", "expected a tree size"),
    ("a size with more behind it", 409, b"5\n5\n", "expected a tree size"),
    ("the same size for ever", 409, b"5\n", "another size at each of 4 tries"),
]


@pytest.mark.parametrize(("what", "status", "body", "failure"), LIES, ids=[lie[0] for lie in LIES])
async def test_a_witness_that_lies(what: str, status: int, body: bytes, failure: str) -> None:
    async def lie(_: Request) -> Response:
        return Response(status=HTTPStatus(status), body=body, content_type=SIZE_TYPE)

    async with liar(lie) as address:
        collected = await ask(policy_of("any", ("w", TRUE, address)), 9)
    assert not collected.reached, what
    assert collected.diverged == ()
    assert collected.note == LOG.checkpoint(9), "nothing of a liar gets into our note"
    with pytest.raises(AssertionError, match=failure):
        raise AssertionError(collected.failures["w"])


async def test_a_liar_does_not_spoil_the_quorum_of_the_others(tmp_path: Path) -> None:
    async def lie(_: Request) -> Response:
        return Response(status=HTTPStatus.CONFLICT, body=b"999\n", content_type=SIZE_TYPE)

    async with witnesses(tmp_path, 1) as made, liar(lie) as address:
        policy = policy_of("any", ("w", made[0][0].key, made[0][1]), ("liar", TRUE, address))
        collected = await ask(policy, 9)
        assert collected.reached
        (error,) = collected.diverged
        assert (error.witness, error.size, error.theirs) == ("liar", 999, None), "it shows no checkpoint of that size"


async def test_what_else_a_witness_says_is_ignored() -> None:
    """SPEC: cosignatures from unknown keys are ignored."""
    lines = cosignature(OTHER, TEXT) + cosignature(TRUE, TEXT) + cosignature(witness_key("v"), "else\n")

    async def answer(_: Request) -> Response:
        return Response(status=HTTPStatus.OK, body=lines)

    async with liar(answer) as address:
        policy = policy_of("any", ("w", TRUE, address))
        collected = await ask(policy, 9)
    assert collected.reached
    assert len(open_cosigned(collected.note, policy, KEYS).signatures) == 2
    assert len(parse_note(collected.note).signatures) == 2


async def test_a_witness_without_an_address() -> None:
    policy = parse_tlog_policy(f"witness w {TRUE.vkey}\nquorum w\n", file="p")
    collected = await ask(policy, 9)
    assert collected.failures == {"w": "w: has no URL; add one to its line in the policy"}
    broken = parse_tlog_policy(f"witness w {TRUE.vkey} nonsense\nquorum w\n", file="p")
    assert "cannot be asked" in (await ask(broken, 9)).failures["w"]


async def test_our_own_files_may_fail_too(tmp_path: Path) -> None:
    def missing(_: int, __: int) -> list[bytes]:
        raise FileNotFoundError("tile/0/000")

    async with witnesses(tmp_path, 1) as made, open_client() as client:
        made[0][0].witness.add_checkpoint(LOG.request(0, 7))
        policy = policy_of("any", ("w", made[0][0].key, made[0][1]))
        collected = await collect(LOG.checkpoint(9), policy, seen={}, proof_for=missing, client=client)
    assert "our own files: tile/0/000" in collected.failures["w"]


async def test_no_witness_is_asked_where_none_is_wanted() -> None:
    collected = await ask(parse_tlog_policy("quorum none\n", file="p"), 9)
    assert collected.reached
    assert collected.note == LOG.checkpoint(9)


async def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    async with open_client() as client:
        for data in (
            b"",
            b"text\n",
            format_note(Note(text="a\nb\n", signatures=parse_note(LOG.checkpoint(1)).signatures)),
        ):
            with pytest.raises(MalformedError):
                await collect(
                    data, parse_tlog_policy("quorum none\n", file="p"), seen={}, proof_for=LOG.proof, client=client
                )
    with pytest.raises(OSError, match="nothing"):
        open_client(ca=tmp_path / "nothing")


def test_the_lies_are_lies(tmp_path: Path) -> None:
    """The truth in the same form would be taken: so what is refused is refused for what it says."""
    made = bench(tmp_path / "s", ROOT, key=TRUE)
    assert made.witness.add_checkpoint(LOG.request(0, 9)) == cosignature(TRUE, TEXT)
