"""One witness and one checkpoint: what is asked, what is answered, and what the answer is worth.

A witness is believed in one thing only: a cosignature that its key verifies.

SPEC: https://c2sp.org/tlog-witness
"""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

import httpx

from extproc.ledger.checkpoint import Checkpoint
from extproc.ledger.errors import LedgerError
from extproc.notes.errors import MalformedError
from extproc.notes.note import Note, Signature, cosigned_at_s, parse_note
from extproc.trust.tlog_policy import Witness
from extproc.witness.errors import DivergedError, ForkedError, RolledBackError, WitnessError
from extproc.witness.request import (
    ADD_CHECKPOINT,
    ADD_DELEGATIONS,
    AddCheckpoint,
    format_add_checkpoint,
    monitor_path,
    parse_head,
    parse_signatures,
    parse_size,
)

ProofFor: TypeAlias = Callable[[int, int], Sequence[bytes]]
"""Gives the consistency proof between two sizes of our log. Raises FileNotFoundError and LedgerError."""

_ANSWER_BYTES: Final = 64 << 10
_TRIES: Final = 4
"""A size that is learned, delegations that are handed over, and one that another of ours came before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One witness and our checkpoint."""

    witness: Witness
    head: Checkpoint
    note: Note
    checkpoint: bytes
    seen: MutableMapping[str, int]
    proof_for: ProofFor
    client: httpx.AsyncClient
    delegations: Callable[[], bytes]

    async def ask(self) -> tuple[Signature, ...]:
        """Give the witness's cosignatures, verified. Raises WitnessError, whatever goes wrong."""
        name = self.witness.name
        if self.witness.url is None:
            raise WitnessError(f"{name}: has no URL; add one to its line in the policy")
        try:
            return await self._ask()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise WitnessError(
                f"{name}: {self.witness.url} cannot be asked: {str(error) or type(error).__name__}"
            ) from None
        except MalformedError as error:
            raise WitnessError(f"{name}: {self.witness.url} does not speak tlog-witness: {error}") from None
        except (OSError, LedgerError) as error:
            raise WitnessError(f"{name}: no proof can be made of our own files: {error}") from None

    async def _ask(self) -> tuple[Signature, ...]:
        name, handed = self.witness.name, False
        for _ in range(_TRIES):
            old = self.seen.get(name, 0)
            if old > self.head.size:
                raise await self._rolled_back(old)
            proof = tuple(self.proof_for(old, self.head.size)) if old else ()
            request = AddCheckpoint(old=old, proof=proof, checkpoint=self.checkpoint)
            status, body = await self._send("POST", ADD_CHECKPOINT, format_add_checkpoint(request))
            if status == HTTPStatus.OK:
                cosignatures = self._verify(body)
                self.seen[name] = self.head.size
                return cosignatures
            if status == HTTPStatus.CONFLICT:
                self.seen[name] = parse_size(body.removesuffix(b"\n"))
            elif status == HTTPStatus.UNPROCESSABLE_ENTITY and old:
                raise await self._forked(old, body)
            elif status == HTTPStatus.FORBIDDEN and not handed and (notes := self.delegations()):
                handed = True
                await self._send("POST", ADD_DELEGATIONS, notes)
            else:
                raise WitnessError(f"{name}: answers {status}: {_say(body)}")
        raise WitnessError(f"{name}: another size at each of {_TRIES} tries; is another process cosigning this log?")

    def _verify(self, body: bytes) -> tuple[Signature, ...]:
        """SPEC: cosignatures from unknown keys are ignored, and the time in one is not zero."""
        key = self.witness.key
        found = tuple(
            each
            for each in parse_signatures(body, self.note.text)
            if (each.name, each.key_id) == (key.name, key.key_id)
            and key.verifies(self.note.text, each.signature)
            and cosigned_at_s(each) > 0
        )
        if not found:
            raise WitnessError(
                f"{self.witness.name}: no cosignature that its key {key.name}+{key.key_id.hex()} verifies; "
                "compare the policy with the witness's vkey"
            )
        return found

    async def _rolled_back(self, size: int) -> DivergedError:
        # What we believed may be old: nothing is learned from it once it was said.
        self.seen.pop(self.witness.name, None)
        return RolledBackError(
            f"{self.head.origin}: the witness {self.witness.name} has cosigned {size} entries and there are "
            f"{self.head.size} here; bring back what is missing before anything is written, or keep this log as "
            "evidence and start in a new folder",
            witness=self.witness.name,
            size=size,
            ours=self.checkpoint,
            theirs=await self._shown(),
        )

    async def _forked(self, old: int, body: bytes) -> DivergedError:
        self.seen.pop(self.witness.name, None)
        return ForkedError(
            f"{self.head.origin}: the witness {self.witness.name} has cosigned {old} entries that our "
            f"{self.head.size} do not continue ({_say(body)}); keep both histories and find out who else has the key",
            witness=self.witness.name,
            size=old,
            ours=self.checkpoint,
            theirs=await self._shown(),
        )

    async def _shown(self) -> bytes | None:
        """Give the checkpoint of this log that the witness shows to monitors, unverified; it need not show any."""
        try:
            status, body = await self._send("GET", monitor_path(self.head.origin), b"")
            if status == HTTPStatus.OK and parse_head(parse_note(body).text).origin == self.head.origin:
                return body
        except (httpx.HTTPError, MalformedError):
            pass
        return None

    async def _send(self, method: str, path: str, content: bytes) -> tuple[int, bytes]:
        body = bytearray()
        async with self.client.stream(method, f"{self.witness.url}{path}", content=content) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _ANSWER_BYTES:
                    raise MalformedError(f"an answer of more than {_ANSWER_BYTES} bytes")
        return response.status_code, bytes(body)


def _say(body: bytes) -> str:
    """Give the first line of what a stranger said, as text that does no harm."""
    text = body[:200].decode("utf-8", "replace").partition("\n")[0]
    return "".join(each if each.isprintable() else "?" for each in text) or "nothing said"
