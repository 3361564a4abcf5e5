"""The judgement of a witness: which checkpoints it cosigns.

What it promises, of each log by its origin:

1. It cosigns a checkpoint only when one of the log's keys has signed it.
2. All that it ever cosigned is one history: each tree is the beginning of the next.
3. A cosignature leaves only when that it was given is durable, so no crash makes it forget.
4. The time in a cosignature is that at which this was the largest tree it knew.

It knows sizes, roots and signatures alone, never an entry. Knows nothing of HTTP: that is
:mod:`extproc.witness.server`.

SPEC: https://c2sp.org/tlog-witness
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import time
from typing import Final

from extproc.ledger.checkpoint import Checkpoint
from extproc.ledger.errors import ProofError
from extproc.ledger.merkle import EMPTY_ROOT, verify_consistency
from extproc.notes.errors import MalformedError, SignatureError, UnknownSignerError
from extproc.notes.keys import Signer
from extproc.notes.note import (
    KeyType,
    Note,
    VerifierKey,
    format_note,
    format_vkey,
    make_cosignature,
    open_note,
    parse_note,
)
from extproc.witness.errors import ConflictError, InconsistentError, RequestError, UntrustedError, WitnessError
from extproc.witness.logs import KnownLogs
from extproc.witness.request import AddCheckpoint, format_signatures, parse_add_checkpoint, parse_head
from extproc.witness.state import Fork, Latest, State, Transaction

_STEP_BACK_S: Final = 60
"""A clock that was set back by less than this is waited for: times in cosignatures of a log never fall. One set back by
more was wrong before, and its old times are no measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessKey:
    """A witness's key: who it is to others, and what signs for it."""

    verifier: VerifierKey
    signer: Signer

    @classmethod
    def named(cls, name: str, signer: Signer) -> "WitnessKey":
        """Give a key the name by which it cosigns. SPEC: of type 04; never a key that also signs logs."""
        return cls(verifier=VerifierKey(name=name, public=signer.public, type=KeyType.COSIGNATURE), signer=signer)

    @property
    def vkey(self) -> str:
        """What an operator hands to others."""
        return format_vkey(self.verifier)


class Witness:
    """Judges requests one after the other, whatever thread they come from."""

    def __init__(self, key: WitnessKey, *, logs: KnownLogs, state: State, clock: Callable[[], float] = time) -> None:
        self._key = key
        self._logs = logs
        self._state = state
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> bytes:
        """Judge one request, and give the lines of cosignatures when all is well: durable by then.

        Raises RequestError, UnknownLogError, UntrustedError, ConflictError, InconsistentError and StateError.
        """
        (answer,) = self.add_checkpoints([body])
        if isinstance(answer, WitnessError):
            raise answer
        return answer

    def add_checkpoints(self, bodies: Sequence[bytes]) -> list[bytes | WitnessError]:
        """Judge requests in their order, with one flush for all; give the cosignatures of each, or why there are none.

        Raises StateError when the disk does not take it: then nothing has happened.
        """
        prepared = [self._prepare(body) for body in bodies]
        answers: list[bytes | WitnessError] = []
        with self._state.transaction() as transaction:
            for each in prepared:
                try:
                    answers.append(each if isinstance(each, WitnessError) else self._advance(transaction, each))
                except WitnessError as error:
                    # What it has changed is the proof of a fork, or nothing.
                    answers.append(error)
        return answers

    def _prepare(self, body: bytes) -> "_Prepared | WitnessError":
        """Do what needs no state: read the request, and verify who signed."""
        try:
            request = parse_add_checkpoint(body)
            head = parse_head(parse_note(request.checkpoint).text)
            note = self._open(request.checkpoint, head.origin)
        except MalformedError as error:
            return RequestError(str(error))
        except WitnessError as error:
            return error
        if request.old > head.size:
            return RequestError(
                f"{head.origin}: the old size {request.old} is larger than the checkpoint's {head.size}"
            )
        return _Prepared(request=request, head=head, note=note)

    def _open(self, checkpoint: bytes, origin: str) -> Note:
        """Give the checkpoint with the signatures of the log's own keys alone."""
        keys = self._logs.keys_for(origin, at_s=self._clock())
        try:
            return open_note(checkpoint, keys)
        except (UnknownSignerError, SignatureError) as error:
            raise UntrustedError(f"{origin}: {error}") from None

    def _advance(self, transaction: Transaction, prepared: "_Prepared") -> bytes:
        """Go from the latest checkpoint to this one. The cosignature is made here, and leaves after the commit."""
        request, head, note = prepared.request, prepared.head, prepared.note
        latest = transaction.latest(head.origin)
        if latest.size != request.old:
            raise ConflictError(head.origin, latest.size)
        now_s = int(self._clock())
        if latest.note and latest.size == head.size and latest.root != head.root:
            refused = format_note(note)
            transaction.put_fork(
                Fork(origin=head.origin, size=head.size, cosigned=latest.note, refused=refused, at_s=now_s)
            )
            raise InconsistentError(f"{head.origin}: another root at {head.size} entries was cosigned before")
        if head.size == 0 and head.root != EMPTY_ROOT:
            raise InconsistentError(f"{head.origin}: expected the root of the empty tree, found {head.root.hex()}")
        try:
            verify_consistency(latest.size, latest.root, head.size, head.root, request.proof)
        except ProofError as error:
            raise InconsistentError(f"{head.origin}: {error}") from None
        if 0 < latest.cosigned_at_s - now_s < _STEP_BACK_S:
            now_s = latest.cosigned_at_s
        cosignature = make_cosignature(note.text, self._key.verifier, self._key.signer.sign, at_s=now_s)
        whole = format_note(Note(text=note.text, signatures=(*note.signatures, cosignature)))
        transaction.put(Latest(origin=head.origin, size=head.size, root=head.root, note=whole, cosigned_at_s=now_s))
        return format_signatures([cosignature])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A request that a key of its log has signed. `note` bears the signatures of the log's keys alone."""

    request: AddCheckpoint
    head: Checkpoint
    note: Note
