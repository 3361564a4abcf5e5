"""Witnesses and their clients, one of the two not ours: Tessera's client, and a witness of transparency-dev's code."""

import asyncio
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, CompletedProcess, Popen
from time import time

import pytest
from independent.logs import ORIGIN, Keys
from independent.programs import run

from extproc.ledger.entries import close_to_entry
from extproc.ledger.log import LOG, WAL, LogWriter
from extproc.ledger.proofs import TileTree
from extproc.notes.keys import SigningKey, create_key
from extproc.notes.note import KeyType, VerifierKey, cosigned_at_s, format_vkey, open_note, parse_note, parse_vkey
from extproc.trust.tlog_policy import TrustPolicy, parse_tlog_policy
from extproc.witness.client import Collected, collect, open_client
from extproc.witness.errors import ForkedError, RolledBackError
from extproc.witness.logs import KnownLogs
from extproc.witness.server import start_witness
from extproc.witness.state import State
from extproc.witness.witness import Witness, WitnessKey

pytestmark = pytest.mark.slow

_WITNESS = "witness.example/w"


class Log:
    """A log that grows, and its key as Go writes it."""

    def __init__(self, folder: Path, key: SigningKey, *, origin: str = ORIGIN) -> None:
        (folder / WAL).mkdir(parents=True)
        (folder / LOG).mkdir()
        self.files = folder / LOG
        self._key = key
        self._writer = LogWriter(folder, origin=origin, key=key)

    @property
    def checkpoint(self) -> bytes:
        return (self.files / "checkpoint").read_bytes()

    @property
    def secret(self) -> str:
        return _to_go(self._key.verifier(self._writer.origin), self._key)

    def grow(self, count: int, reason: str = "shutdown") -> None:
        """Add entries and publish. The same number with another reason makes another history."""
        first = self._writer.size
        if count:
            self._writer.append([close_to_entry(at_s=first + number, reason=reason) for number in range(count)])
        self._writer.publish()

    def proof(self, old: int, new: int) -> list[bytes]:
        return TileTree(lambda path: (self.files / path).read_bytes(), new).consistency(old)


def _to_go(name: VerifierKey, key: SigningKey) -> str:
    """Write a private key as a note signer of Go."""
    seed = b64encode(bytes([name.type]) + key._private.private_bytes_raw()).decode()
    return f"PRIVATE+KEY+{name.name}+{name.key_id.hex()}+{seed}"


def _cosigner(key: SigningKey) -> VerifierKey:
    return VerifierKey(name=_WITNESS, public=key.public, type=KeyType.COSIGNATURE)


def _policy(witness: VerifierKey, url: str) -> str:
    return f"witness w {format_vkey(witness)} {url}\nquorum w\n"


@asynccontextmanager
async def _our_witness(folder: Path, keys: Keys) -> AsyncIterator[str]:
    """Run our witness, which knows the log by its first key, and give its address."""
    key = WitnessKey.named(_WITNESS, keys.witnesses[0])
    state = State(folder / "state", vkey=key.vkey)
    logs = KnownLogs([keys.first.verifier(ORIGIN)], state)
    server = await start_witness("127.0.0.1:0", Witness(key, logs=logs, state=state), logs=logs, state=state)
    try:
        yield f"http://{server.address}"
    finally:
        await server.stop()
        state.close()


@contextmanager
def _their_witness(programs: Path, keys: Keys) -> Iterator[str]:
    """Run the witness in Go, which knows the log by its first key, and give its address."""
    secret = _to_go(_cosigner(keys.witnesses[0]), keys.witnesses[0])
    command: list[str | Path] = [programs / "witness", secret, format_vkey(keys.first.verifier(ORIGIN))]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate(timeout=20)
    assert process.returncode == 0


async def _submit(programs: Path, log: Log, policy: Path) -> CompletedProcess[str]:
    return await asyncio.to_thread(run, programs / "submit", log.files, log.secret, policy)


async def test_their_client_and_our_witness(tmp_path: Path, programs: Path, keys: Keys) -> None:
    log = Log(tmp_path / "log", keys.first)
    log.grow(300)
    witness = _cosigner(keys.witnesses[0])
    async with _our_witness(tmp_path, keys) as url:
        (tmp_path / "policy").write_text(_policy(witness, url))
        for more in (0, 700, 0):
            log.grow(more)
            done = await _submit(programs, log, tmp_path / "policy")
            assert done.returncode == 0, done.stderr
            note = open_note(done.stdout.encode(), [keys.first.verifier(ORIGIN), witness])
            assert note.text == parse_note(log.checkpoint).text
            assert [each.name for each in note.signatures] == [ORIGIN, _WITNESS]
            assert abs(cosigned_at_s(note.signatures[1]) - time()) < 60


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("another history", "consistency proof is bad: 422"),
        ("fewer entries", "larger than log size"),
        ("another key", "no signatures verify against trusted public key: 403"),
        ("another log", "checkpoint origin is unknown: 404"),
    ],
)
async def test_their_client_hears_why_our_witness_refuses(
    tmp_path: Path, programs: Path, keys: Keys, what: str, said: str
) -> None:
    log = Log(tmp_path / "log", keys.first)
    log.grow(300)
    other = Log(
        tmp_path / "other",
        keys.second if what == "another key" else keys.first,
        origin="somebody/else" if what == "another log" else ORIGIN,
    )
    other.grow(200 if what == "fewer entries" else 400, reason="recovery")
    async with _our_witness(tmp_path, keys) as url:
        (tmp_path / "policy").write_text(_policy(_cosigner(keys.witnesses[0]), url))
        assert (await _submit(programs, log, tmp_path / "policy")).returncode == 0
        done = await _submit(programs, other, tmp_path / "policy")
        assert done.returncode == 1
        assert said in done.stderr


async def _ask_theirs(log: Log, policy: TrustPolicy, seen: dict[str, int]) -> Collected:
    async with open_client() as client:
        return await collect(log.checkpoint, policy, seen=seen, proof_for=log.proof, client=client)


async def test_our_client_and_their_witness(tmp_path: Path, programs: Path, keys: Keys) -> None:
    log = Log(tmp_path / "log", keys.first)
    log.grow(300)
    witness = _cosigner(keys.witnesses[0])
    with _their_witness(programs, keys) as url:
        policy = parse_tlog_policy(_policy(witness, url), file="policy")
        # Remembering what the witness has seen, and having to learn it.
        remembered: dict[str, int] = {}
        for more, seen in ((0, remembered), (700, remembered), (0, {}), (66_000, {})):
            log.grow(more)
            found = await _ask_theirs(log, policy, seen)
            assert (found.reached, found.failures) == (True, {})
            note = open_note(found.note, [witness])
            assert abs(cosigned_at_s(note.signatures[0]) - time()) < 60


async def test_our_client_notices_what_their_witness_has_seen(tmp_path: Path, programs: Path, keys: Keys) -> None:
    log, other = Log(tmp_path / "log", keys.first), Log(tmp_path / "other", keys.first)
    log.grow(300)
    with _their_witness(programs, keys) as url:
        policy = parse_tlog_policy(_policy(_cosigner(keys.witnesses[0]), url), file="policy")
        assert (await _ask_theirs(log, policy, {})).reached
        other.grow(200)
        (found,) = (await _ask_theirs(other, policy, {})).diverged
        assert isinstance(found, RolledBackError)
        other.grow(200, reason="recovery")
        (found,) = (await _ask_theirs(other, policy, {})).diverged
        assert isinstance(found, ForkedError)
        stranger = Log(tmp_path / "stranger", keys.second)
        stranger.grow(400)
        assert "403" in (await _ask_theirs(stranger, policy, {})).failures["w"]


def test_both_as_programs(tmp_path: Path, programs: Path, keys: Keys) -> None:
    """`situs audit witness` serves their client, and asks their witness; a third judge reads what that has cosigned."""
    log = Log(tmp_path / "log", keys.first)
    log.grow(300)
    vkey = format_vkey(keys.first.verifier(ORIGIN))
    (tmp_path / "log.vkey").write_text(f"{vkey}\n")
    create_key(tmp_path / "witness.pem")
    situs: list[str | Path] = [sys.executable, "-m", "extproc", "audit", "witness"]
    serve = [
        *situs, "serve", "--listen", "127.0.0.1:0", "--key", tmp_path / "witness.pem", "--name", _WITNESS,
        "--state", tmp_path / "state", "--log", tmp_path / "log.vkey",
    ]  # fmt: skip
    with Popen(serve, stdout=PIPE, stderr=DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            words = (process.stdout.readline() + process.stdout.readline()).split()
            (tmp_path / "policy").write_text(_policy(parse_vkey(words[1]), words[-1]))
            done = run(programs / "submit", log.files, log.secret, tmp_path / "policy")
            assert done.returncode == 0, done.stderr
            assert len(open_note(done.stdout.encode(), [parse_vkey(words[1])]).signatures) == 1
        finally:
            process.terminate()
            process.wait(20)
    with _their_witness(programs, keys) as url:
        (tmp_path / "policy").write_text(_policy(_cosigner(keys.witnesses[0]), url))
        done = run(*situs, "cosign", tmp_path / "log", "--policy", tmp_path / "policy")
        assert done.returncode == 0, done.stderr
    done = run(programs / "tessera", tmp_path / "log", vkey, tmp_path / "policy")
    assert (done.returncode, done.stdout) == (0, "300\n"), done.stderr
