"""What runs beside a log: each second its newest checkpoint goes to the witnesses, and comes back cosigned.

Owns when witnesses are asked, and what is done with a witness that does not answer: it is left alone for a while, and
the log goes on. Nothing here is on the way of a decision.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import httpx
import structlog

from extproc.ledger.log import WITNESSED
from extproc.notes.errors import NoteError
from extproc.notes.note import parse_note
from extproc.trust.tlog_policy import TrustPolicy
from extproc.witness.client import TIMEOUT_S, Collected, collect, open_client
from extproc.witness.errors import DivergedError, RolledBackError
from extproc.witness.published import PublishedLog
from extproc.witness.request import parse_head

INTERVAL_S: Final = 1.0
_LONGEST_REST_S: Final = 60.0
_RETRY_S: Final = 0.2
"""While a log is being finished: time between two rounds."""

_log = structlog.get_logger()


@dataclass(slots=True)
class _Rest:
    """How long a witness that failed is left alone."""

    failures: int = 0
    until: float = 0.0

    def failed(self, now: float) -> None:
        self.until = now + min(_LONGEST_REST_S, 2.0**self.failures)
        self.failures += 1


class Cosigner:
    """Keeps the log in one folder cosigned. Make it, :meth:`start` it, and :meth:`finish` it after the log's close."""

    def __init__(  # noqa: PLR0913 - what may be told, each by name
        self,
        directory: Path,
        policy: TrustPolicy,
        *,
        client: httpx.AsyncClient | None = None,
        interval_s: float = INTERVAL_S,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`directory` holds `log/`. `clock` gives seconds that nobody sets. A `client` given is not closed here."""
        self._log = PublishedLog(directory=directory)
        self._policy = policy
        self._client = open_client(timeout_s=timeout_s) if client is None else client
        self._own_client = client is None
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._rests: dict[str, _Rest] = {}
        self._seen: dict[str, int] = {}
        self._began = clock()
        self._covered_at: float | None = None
        self.size = 0
        """Entries under the latest checkpoint that enough witnesses have cosigned."""
        self.failures: Mapping[str, str] = {}
        """What went wrong with which witness in the latest round, by its name in the policy."""
        self.alarm: DivergedError | None = None
        """The first time that a witness told another history. It stays: a person must look."""

    @property
    def age_s(self) -> float:
        """Seconds since enough witnesses had cosigned all that was published; since the beginning, if never."""
        return self._clock() - (self._began if self._covered_at is None else self._covered_at)

    @property
    def covered(self) -> bool:
        """Whether enough witnesses have ever cosigned this log."""
        return self._covered_at is not None

    def start(self) -> None:
        """Begin to ask, each second, as a task of the running loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="cosigner")

    async def cosign(self, *, rested: bool = True) -> bool:
        """Do one round now; tell whether all that is published has enough cosignatures. `rested` leaves out who failed.

        What goes wrong is in `failures` and `alarm`, and never raised: a log does not stop for its witnesses.
        """
        try:
            checkpoint = self._log.checkpoint()
            head = parse_head(parse_note(checkpoint).text)
        except (OSError, NoteError) as error:
            self.failures = {"": f"the log cannot be read: {error}"}
            return False
        now = self._clock()
        if head.size == self.size and self.covered:
            self._covered_at = now
            return True
        skip = {name for name, rest in self._rests.items() if rest.until > now} if rested else set()
        awake = {witness.name for witness in self._policy.witnesses} - skip
        if not self._policy.satisfied_by(awake):
            return False
        collected = await collect(
            checkpoint,
            self._policy,
            seen=self._seen,
            proof_for=lambda old, _: self._log.proof_for(old, head),
            client=self._client,
            delegations=self._log.delegations,
            skip=skip,
            timeout_s=self._timeout_s,
        )
        self._learn(collected, self._grown_to(head.size))
        if collected.reached:
            try:
                # A write that has begun is let end, whoever is cancelled: the next must come after it.
                self._writing = asyncio.create_task(asyncio.to_thread(self._log.write_witnessed, collected.note))
                await asyncio.shield(self._writing)
            except OSError as error:
                self.failures = {**self.failures, "": f"the cosigned checkpoint cannot be kept: {error}"}
                return False
            self.size = head.size
            self._covered_at = now
        return collected.reached

    async def finish(self, timeout_s: float = TIMEOUT_S) -> bool:
        """Stop asking each second, and have the last checkpoint cosigned, for at most so long; tell whether it is.

        Call it when the log is closed: only then is its last checkpoint published.
        """
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._writing is not None:
            await asyncio.wait([self._writing])
        try:
            async with asyncio.timeout(timeout_s):
                while not await self.cosign(rested=False):  # noqa: ASYNC110 - what is waited for is elsewhere
                    await asyncio.sleep(_RETRY_S)
        except TimeoutError:
            _log.warning("log not fully cosigned", witnessed=self.size, failures=dict(self.failures))
            return False
        finally:
            if self._own_client:
                await self._client.aclose()
        return True

    async def _run(self) -> None:
        while True:
            due = self._clock() + self._interval_s
            try:
                await self.cosign()
            except Exception:  # noqa: BLE001 - whatever it is, the next second may be better, and age_s tells
                _log.exception("cosigning failed")
            await asyncio.sleep(max(0.0, due - self._clock()))

    def _grown_to(self, size: int) -> int:
        """Give the size that is published by now: another process may have had a newer checkpoint cosigned."""
        with contextlib.suppress(OSError, NoteError):
            return max(size, parse_head(parse_note(self._log.checkpoint()).text).size)
        return size

    def _learn(self, collected: Collected, published: int) -> None:
        if collected.failures and collected.failures.keys() != self.failures.keys():
            _log.warning("witnesses failed", failures=dict(collected.failures))
        self.failures = collected.failures
        now = self._clock()
        for name in collected.names:
            self._rests.pop(name, None)
        for name in collected.failures:
            self._rests.setdefault(name, _Rest()).failed(now)
        for error in collected.diverged:
            if isinstance(error, RolledBackError) and error.size <= published:
                continue
            if self.alarm is None:
                self.alarm = error
                _log.error("a witness tells another history", witness=error.witness, reason=str(error))


async def check_not_rolled_back(
    directory: Path, policy: TrustPolicy, *, client: httpx.AsyncClient | None = None, timeout_s: float = TIMEOUT_S
) -> frozenset[str]:
    """See that no witness has seen more of the log in `directory` than lies there; give the names of those that agree.

    Call it at a start, on the last log (:func:`extproc.witness.published.last_log`) and before anything is written
    there: a disk that was set back must not be built upon. What is in the write-ahead log counts as there. A witness
    that does not answer says nothing, so an empty result is no proof.

    Raises RolledBackError and ForkedError, which name the mend.
    """
    log = PublishedLog(directory=directory)
    try:
        checkpoint = log.checkpoint()
        head = parse_head(parse_note(checkpoint).text)
    except (FileNotFoundError, NoteError):
        # A loss of power may leave none that is whole: then it is made again of the write-ahead log.
        return frozenset()
    kept = log.witnessed()
    if kept is not None and kept.size > head.size and kept.size > log.durable(head.origin):
        raise RolledBackError(
            f"{directory}: witnesses have cosigned {kept.size} entries, as the file beside the log says, and there are "
            f"{head.size}; bring back what is missing before anything is written",
            witness="",
            size=kept.size,
            ours=checkpoint,
            theirs=(directory / WITNESSED).read_bytes(),
        )
    asking = open_client(timeout_s=timeout_s) if client is None else client
    try:
        collected = await collect(
            checkpoint,
            policy,
            seen={},
            proof_for=lambda old, _: log.proof_for(old, head),
            client=asking,
            delegations=log.delegations,
            timeout_s=timeout_s,
        )
    finally:
        if client is None:
            await asking.aclose()
    for error in collected.diverged:
        if not isinstance(error, RolledBackError) or error.size > log.durable(head.origin):
            raise error
    return collected.names
