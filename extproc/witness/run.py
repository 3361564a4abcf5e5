"""One witness as a program: what the operator asked for, put together, and taken apart again in order.

The one place of this package that knows all the others.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import structlog
from prometheus_client import CollectorRegistry, Gauge

from extproc.ledger.commit import Ledger, LogIdentity
from extproc.notes.keys import load_key
from extproc.notes.note import VerifierKey
from extproc.trust.tlog_policy import TrustPolicy, load_tlog_policy
from extproc.witness.client import open_client
from extproc.witness.cosigner import Cosigner, check_not_rolled_back
from extproc.witness.logs import KnownLogs, load_roots
from extproc.witness.published import last_log
from extproc.witness.rootlog import RootLog
from extproc.witness.server import start_witness
from extproc.witness.state import State
from extproc.witness.witness import Witness, WitnessKey

_FINISH_S: Final = 5.0
"""For other witnesses to cosign the last of the root log."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RootOptions:
    """A root log below `directory`. `witnesses` is a policy file; `ca` authorities for those inside a region."""

    directory: Path
    identity: LogIdentity
    key: Path
    witnesses: Path | None = None
    ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessOptions:
    """What `situs audit witness serve` was told; see its --help."""

    listen: str
    key: Path
    name: str
    state: Path
    logs: Sequence[Path]
    tls_cert: Path | None = None
    tls_key: Path | None = None
    heads: bool = False
    root: RootOptions | None = None


async def run_witness(
    options: WitnessOptions, *, stop: asyncio.Event, started: Callable[[str, WitnessKey], None]
) -> None:
    """Be a witness until `stop` is set. `started` is told the address and the key.

    Raises OSError, NoteError, LedgerError and WitnessError, which name the mend, when it cannot begin or end well.
    """
    key = WitnessKey.named(options.name, load_key(options.key))
    tls = _tls(options)
    state = await asyncio.to_thread(State, options.state, vkey=key.vkey)
    async with AsyncExitStack() as stack:
        stack.callback(state.close)
        logs = KnownLogs(load_roots(options.logs), state)
        # Taken apart from the end: no more requests, then what they left for the root log, then its last cosignatures.
        root = (
            None if options.root is None else await stack.enter_async_context(_root(options.root, state, key.verifier))
        )
        server = await start_witness(
            options.listen,
            Witness(key, logs=logs, state=state),
            logs=logs,
            state=state,
            heads=options.heads,
            why_not_well=tuple if root is None else root.why_not_well,
            tls=tls,
        )
        stack.push_async_callback(server.stop)
        if root is not None:
            root.show(server.registry)
        started(server.address, key)
        await stop.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Root:
    """A running root log."""

    log: RootLog
    cosigner: Cosigner | None

    def why_not_well(self) -> list[str]:
        """Give the reasons why the root log is not what it should be."""
        reasons = [f"root log: {self.log.failure}"] if self.log.failure is not None else []
        if self.cosigner is not None and self.cosigner.alarm is not None:
            reasons.append(f"root log: {self.cosigner.alarm}")
        return reasons

    def show(self, registry: CollectorRegistry) -> None:
        """Add the age of the last quorum to the metrics."""
        if self.cosigner is not None:
            cosigner = self.cosigner
            age = Gauge(
                "situs_witness_root_quorum_age_seconds",
                "Seconds since enough witnesses had cosigned all of the root log.",
                registry=registry,
            )
            age.set_function(lambda: cosigner.age_s)


@asynccontextmanager
async def _root(options: RootOptions, state: State, witness: VerifierKey) -> AsyncIterator[_Root]:
    policy = None if options.witnesses is None else load_tlog_policy(options.witnesses)
    signer = load_key(options.key)
    async with open_client(ca=options.ca) as client, AsyncExitStack() as stack:
        if policy is not None:
            await _check_last(options, policy, client)
        ledger = await Ledger.open(options.directory, identity=options.identity, key=signer)
        cosigner = None if policy is None else Cosigner(ledger.directory, policy, client=client)
        if cosigner is not None:
            # Only a closed log has its last checkpoint, so this comes after the close.
            stack.push_async_callback(cosigner.finish, _FINISH_S)
        stack.push_async_callback(ledger.close)
        log = RootLog(ledger, state, witness=witness)
        stack.push_async_callback(log.stop)
        log.start()
        if cosigner is not None:
            cosigner.start()
        yield _Root(log=log, cosigner=cosigner)


async def _check_last(options: RootOptions, policy: TrustPolicy, client: httpx.AsyncClient) -> None:
    last = last_log(options.identity.directory(options.directory))
    if last is not None and not await check_not_rolled_back(last, policy, client=client):
        _log.warning("no witness says that the last root log is whole", log=str(last))


def _tls(options: WitnessOptions) -> ssl.SSLContext | None:
    """Read certificate and key. Raises OSError, naming both files."""
    if options.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except (ssl.SSLError, OSError) as error:
        raise OSError(f"--tls-cert {options.tls_cert}, --tls-key {options.tls_key}: cannot be used: {error}") from None
    return context
