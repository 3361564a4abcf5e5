"""What a sidecar shows, whom it admits and whom it expects, while it runs.

Owns the watch over its TLS files, what is told about them, and the contexts in which cells are asked.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from extproc.core.ids import RegionId
from extproc.sidecar.watch import Signature, Watcher
from extproc.tls.context import Contexts, PeerContext
from extproc.tls.credentials import CredentialFiles, Credentials
from extproc.tls.holder import CredentialHolder, Reload
from extproc.wire.tls import ServerTls, Stranger

_log = structlog.get_logger(__name__)

_SAID_EVERY_S: Final = 10.0
"""Strangers are told of so often at most: each of their requests would be a line else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """What a sidecar is told about TLS.

    `files` are its own, `first` what they held at the start and `seen` how they looked just before. `peers` are the
    SPIFFE ids that may ask; empty where nobody comes by an address. `cells` has the id that each region's cells must
    prove; empty where cells are asked in plain HTTP.
    """

    files: CredentialFiles
    first: Credentials
    seen: Mapping[Path, Signature]
    peers: frozenset[str] = frozenset()
    cells: Mapping[RegionId, str] = field(default_factory=dict)


class SidecarTls:
    """The credentials of one process, kept current. Metrics go into `registry`, where there is one."""

    def __init__(
        self,
        settings: TlsSettings,
        registry: CollectorRegistry | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._strangers = _Strangers()
        self._metrics = None if registry is None else _Metrics(registry)
        self.holder = CredentialHolder(settings.files, settings.first, told=self._reloaded)
        self._told_expired = False
        self._tell_expiry()

    def server(self) -> ServerTls | None:
        """Give what the server shows and whom it admits; None where it listens on a Unix socket."""
        if not self._settings.peers:
            return None
        return ServerTls(lambda: self.holder.current, self._settings.peers, refused=self._refuse)

    def cells(self) -> Mapping[RegionId, PeerContext] | None:
        """Give the context in which each region's cells are asked; None for plain HTTP."""
        if not self._settings.cells:
            return None
        contexts = Contexts(lambda: self.holder.current)
        return {region: PeerContext(contexts, expected) for region, expected in self._settings.cells.items()}

    def watch(self) -> Awaitable[None]:
        """Give the work without end that takes replaced files."""
        return Watcher(self._settings.seen, lambda _paths: self.holder.reload()).look_forever()

    def look(self) -> None:
        """See what the passing of time has changed. Call it about twice a second."""
        if self._metrics is not None:
            self._metrics.stale.set(self.holder.stale)
        expired = self.holder.expired(self._clock())
        if expired and not self._told_expired:
            _log.error("the TLS certificate has expired", certificate=str(self._settings.files.certificate))
        self._told_expired = expired

    def reasons(self) -> list[str]:
        """Tell why Envoy could not connect anew at this moment."""
        if not self._settings.peers or not self.holder.expired(self._clock()):
            return []
        until = datetime.fromtimestamp(self.holder.current.not_after_s, UTC).isoformat()
        return [f"the TLS certificate expired at {until}: Envoy cannot connect anew"]

    def _reloaded(self, what: Reload) -> None:
        if self._metrics is not None:
            self._metrics.reloads.labels(what.value).inc()
        self._tell_expiry()

    def _tell_expiry(self) -> None:
        if self._metrics is not None:
            self._metrics.expiry.set(self.holder.current.not_after_s)

    def _refuse(self, why: Stranger, said: str) -> None:
        if self._metrics is not None:
            self._metrics.strangers.labels(why.value).inc()
        self._strangers.tell(said, self._clock())


class _Strangers:
    """Tells of peers that are refused, and not of each of their calls."""

    def __init__(self) -> None:
        self._next_s = 0.0
        self._untold = 0

    def tell(self, said: str, now_s: float) -> None:
        self._untold += 1
        # A clock that was set back must not silence it.
        if self._next_s - _SAID_EVERY_S <= now_s < self._next_s:
            return
        _log.warning("a peer that is not admitted was refused", peer=said, calls=self._untold)
        self._next_s, self._untold = now_s + _SAID_EVERY_S, 0


class _Metrics:
    """There only where TLS is used, so that nobody takes an expiry of 0 for one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.reloads = Counter(
            "situs_tls_reloads_total",
            "Changes of the TLS files that were taken, and changes refused with the last good ones kept.",
            ["result"],
            registry=registry,
        )
        self.expiry = Gauge(
            "situs_tls_certificate_expiry_timestamp_seconds",
            "When the certificate that this process shows expires.",
            registry=registry,
        )
        self.stale = Gauge(
            "situs_tls_stale",
            "1 while changed TLS files cannot be used and the last good ones are in force.",
            registry=registry,
        )
        self.strangers = Counter(
            "situs_tls_peers_refused_total",
            "Calls of peers whose certificate our authorities signed and which are not admitted, by why.",
            ["reason"],
            registry=registry,
        )
        for what in Reload:
            self.reloads.labels(what.value)
        for why in Stranger:
            self.strangers.labels(why.value)
