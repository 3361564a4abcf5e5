"""What `situs serve` is told, as one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from extproc.bundle.last_good import LastGood
from extproc.bundle.poll import PERIOD_S
from extproc.core.ids import DependencyId, RegionId
from extproc.ledger.commit import LogIdentity
from extproc.ledger.durability import Durability
from extproc.ledger.room import Room
from extproc.sidecar.configuration import Files
from extproc.sidecar.probing import Probing
from extproc.sidecar.tls import TlsSettings
from extproc.sidecar.watch import Signature
from extproc.trust.epochs import KeyRing
from extproc.trust.tlog_policy import TrustPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSocket:
    """Where legal orders are taken (`unix:/path`), from whom beside root and ourselves, and the file they go into."""

    address: str
    users: tuple[str, ...]
    overrides: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `situs serve` is told.

    `endpoints` are the cells to probe, as `host:port`s by region, and `dependencies` the URLs of what regions need;
    empty for none, or where a supervisor probes. `probing` is what somebody probes, which a policy may need. `seen`
    are the files as they were before the configuration was loaded from them. `kept` is the bundle that the policy came
    from, where it comes from elsewhere or a last good one is kept; its source is asked again every `poll_s` seconds.
    `stale` tells that the source has another one that cannot be used. `drain_s` bounds how long requests in flight are
    finished after SIGTERM. `longest_request_s` is when Envoy ends a request at the latest. `ring` holds the log's key,
    `room` the marks of its disk. `witnesses` cosign it; None for nobody. `key_store` is the file of erasable keys,
    None where the policy keeps nothing under such keys. `shipping` says where evidence goes; None where somebody else
    ships it, or nobody.
    `control` is served by this process; None where there is none, or where a supervisor serves it. `tls` is what it
    shows and whom it admits; None where all is plain. `clusters` has the region of each cluster that Envoy reports by
    another name than the policy's. `hosts` are those whose requests are decided, where a listener has others too.
    """

    files: Files
    listen: str
    log: Path
    identity: LogIdentity
    ring: KeyRing
    durability: Durability
    endpoints: Mapping[RegionId, Sequence[str]]
    seen: Mapping[Path, Signature]
    kept: LastGood | None = None
    stale: bool = False
    poll_s: float = PERIOD_S
    admin: str | None = None
    drain_s: float = 5.0
    longest_request_s: float = 60.0
    room: Room = field(default_factory=Room)
    witnesses: TrustPolicy | None = None
    key_store: Path | None = None
    shipping: Path | None = None
    control: ControlSocket | None = None
    dependencies: Mapping[RegionId, Mapping[DependencyId, str]] = field(default_factory=dict)
    probing: Probing = field(default_factory=Probing)
    tls: TlsSettings | None = None
    clusters: Mapping[str, RegionId] = field(default_factory=dict)
    hosts: Sequence[str] = ("*",)
