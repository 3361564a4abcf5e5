"""Asking witnesses: one checkpoint goes to all of them at once, and what they say is verified.

Owns one round. What passes between us and one witness is :mod:`extproc.witness.question`; when rounds take place, and
where a log lies, is for :mod:`extproc.witness.cosigner`.

SPEC: https://c2sp.org/tlog-witness
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping, MutableMapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import httpx

from extproc.notes.note import Note, Signature, format_note, parse_note
from extproc.trust.tlog_policy import TrustPolicy
from extproc.witness.errors import DivergedError, WitnessError
from extproc.witness.question import ProofFor, Question
from extproc.witness.request import parse_head

TIMEOUT_S: Final = 5.0
GRACE_S: Final = 1.0
"""How long the other witnesses are waited for once the quorum is there."""
_LOOPBACK: Final[Mapping[str, None]] = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a round has brought.

    `note` is our checkpoint with the verified cosignatures, in the policy's order; `names` are their witnesses' names
    in the policy. `reached` says whether they are the quorum. `failures` says of the other witnesses what went wrong.
    `diverged` holds what must not be passed over, even where the quorum was reached.
    """

    note: bytes
    names: frozenset[str]
    reached: bool
    failures: Mapping[str, str]
    diverged: tuple[DivergedError, ...] = ()


def open_client(*, timeout_s: float = TIMEOUT_S, ca: Path | None = None) -> httpx.AsyncClient:
    """Give a client that keeps connections to witnesses. `ca` is a file of authorities for those inside a region.

    The environment's proxies count, but not for this very machine. Raises OSError for a bad `ca`.
    """
    return httpx.AsyncClient(verify=trusting(ca), timeout=timeout_s, mounts=_LOOPBACK)


def trusting(ca: Path | None) -> ssl.SSLContext | bool:
    """Give what httpx verifies servers by: the file of authorities `ca`, or the usual ones. Raises OSError."""
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise OSError(f"{ca}: cannot be used as a file of authorities in PEM: {error}") from None


async def collect(  # noqa: PLR0913 - what a round needs, each by name
    checkpoint: bytes,
    policy: TrustPolicy,
    *,
    seen: MutableMapping[str, int],
    proof_for: ProofFor,
    client: httpx.AsyncClient,
    delegations: Callable[[], bytes] = bytes,
    skip: AbstractSet[str] = frozenset(),
    timeout_s: float = TIMEOUT_S,
) -> Collected:
    """Ask all witnesses of a policy, except those in `skip`, to cosign our `checkpoint`.

    Comes back when the quorum is reached and the others have had a moment, or when the time is over. `seen` holds the
    size that each witness has of this log, by its name in the policy: it saves a question, and is kept up to date.
    `delegations` gives the file of delegations beside the log, for a witness that does not know the key yet.

    Raises MalformedError when `checkpoint` is none. What a witness does wrong is in the result.
    """
    note = parse_note(checkpoint)
    head = parse_head(note.text)
    asked = [witness for witness in policy.witnesses if witness.name not in skip]
    questions = [
        Question(
            witness=witness,
            head=head,
            note=note,
            checkpoint=checkpoint,
            seen=seen,
            proof_for=proof_for,
            client=client,
            delegations=delegations,
        )
        for witness in asked
    ]
    tasks = {asyncio.create_task(question.ask()): question.witness.name for question in questions}
    cosignatures: dict[str, tuple[Signature, ...]] = {}
    failures: dict[str, str] = {}
    diverged: list[DivergedError] = []
    began = monotonic()
    due = began + timeout_s
    pending = set(tasks)
    try:
        while pending and monotonic() < due:
            done, pending = await asyncio.wait(pending, timeout=due - monotonic(), return_when=asyncio.FIRST_COMPLETED)
            before = policy.satisfied_by(cosignatures.keys())
            for task in done:
                name = tasks[task]
                try:
                    cosignatures[name] = task.result()
                except DivergedError as error:
                    failures[name] = str(error)
                    diverged.append(error)
                except WitnessError as error:
                    failures[name] = str(error)
            if not before and policy.satisfied_by(cosignatures.keys()):
                due = min(due, monotonic() + GRACE_S)
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    late = f"no answer within {monotonic() - began:.1f} s"
    failures |= {tasks[task]: f"{tasks[task]}: {late}" for task in pending}
    ordered = [each for witness in asked for each in cosignatures.get(witness.name, ())]
    return Collected(
        note=format_note(Note(text=note.text, signatures=(*note.signatures, *ordered))),
        names=frozenset(cosignatures),
        reached=policy.satisfied_by(cosignatures.keys()),
        failures=failures,
        diverged=tuple(diverged),
    )
