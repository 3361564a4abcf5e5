"""Logs in memory, witnesses over them, and policies that name them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from extproc.ledger.checkpoint import Checkpoint, format_checkpoint
from extproc.ledger.merkle import consistency_proof, leaf_hash, root_of, subtree_of
from extproc.notes.keys import SigningKey, generate_key
from extproc.notes.note import VerifierKey, format_vkey, sign_note
from extproc.trust.tlog_policy import TrustPolicy, parse_tlog_policy
from extproc.witness.http import Limits
from extproc.witness.logs import KnownLogs
from extproc.witness.request import AddCheckpoint, format_add_checkpoint
from extproc.witness.server import WitnessServer, longest_body, start_witness
from extproc.witness.state import State
from extproc.witness.witness import Witness, WitnessKey

ORIGIN = "acme/prod/eu/node-1/w0/000001-5f3a90c2"
ROOT_NAME = "acme/prod"
NOW_S = 1_800_000_000


@dataclass
class MemoryLog:
    """A log whose entries are numbers; one of another `history` differs from entry `fork_at` on."""

    key: SigningKey = field(default_factory=generate_key)
    origin: str = ORIGIN
    history: int = 0
    fork_at: int = 0

    def leaves(self, size: int) -> list[bytes]:
        return [leaf_hash(f"{i} {self.history if i >= self.fork_at else 0}".encode()) for i in range(size)]

    def fork(self, at: int) -> "MemoryLog":
        return MemoryLog(key=self.key, origin=self.origin, history=self.history + 1, fork_at=at)

    def head(self, size: int) -> Checkpoint:
        return Checkpoint(origin=self.origin, size=size, root=root_of(self.leaves(size)))

    def checkpoint(self, size: int) -> bytes:
        return sign_note(format_checkpoint(self.head(size)), self.key.verifier(self.origin), self.key.sign)

    def proof(self, old: int, new: int) -> list[bytes]:
        return consistency_proof(old, new, subtree_of(self.leaves(new)))

    def request(self, old: int, new: int, proof: Sequence[bytes] | None = None) -> bytes:
        made = self.proof(old, new) if proof is None else proof
        return format_add_checkpoint(AddCheckpoint(old=old, proof=tuple(made), checkpoint=self.checkpoint(new)))


@dataclass
class Bench:
    """A witness that is called without a network."""

    witness: Witness
    key: WitnessKey
    logs: KnownLogs
    state: State


def witness_key(name: str = "witness.example/w1") -> WitnessKey:
    return WitnessKey.named(name, generate_key())


def bench(
    path: Path,
    *roots: VerifierKey,
    key: WitnessKey | None = None,
    clock: Callable[[], float] = lambda: NOW_S,
) -> Bench:
    key = key or witness_key()
    state = State(path, vkey=key.vkey)
    logs = KnownLogs(roots, state)
    return Bench(witness=Witness(key, logs=logs, state=state, clock=clock), key=key, logs=logs, state=state)


def limits(*, request_s: float = 10, idle_s: float = 10, connections: int = 100, stop_s: float = 1) -> Limits:
    return Limits(body_bytes=longest_body, request_s=request_s, idle_s=idle_s, connections=connections, stop_s=stop_s)


@asynccontextmanager
async def serving(made: Bench, *, heads: bool = False, bounds: Limits | None = None) -> AsyncIterator[WitnessServer]:
    server = await start_witness(
        "127.0.0.1:0", made.witness, logs=made.logs, state=made.state, heads=heads, limits=bounds or limits()
    )
    try:
        yield server
    finally:
        await server.stop()
        await asyncio.to_thread(made.state.close)


def policy_of(quorum: str, *witnesses: tuple[str, WitnessKey, str]) -> TrustPolicy:
    """A policy over witnesses (name, key, address); `quorum` is a number of them, `any` or `all`."""
    lines = [f"witness {name} {format_vkey(key.verifier)} http://{address}" for name, key, address in witnesses]
    lines.append(f"group enough {quorum} {' '.join(name for name, _, _ in witnesses)}")
    return parse_tlog_policy("\n".join([*lines, "quorum enough", ""]), file="policy")
