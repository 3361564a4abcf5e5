"""What may be otherwise in a world than in the demo's own."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What may be otherwise in a world: the policy, by default the demo's, and further options of `situs serve`.

    With `service_s` a way with a delay lies before each cell: the region's declared round trip and so many seconds, by
    which a small model answers like a large one. With `tls` every connection is mutual TLS, and the sidecar is at an
    address: clients need a certificate too.
    """

    policy: str | None = None
    durability: str = "fsync"
    options: tuple[str, ...] = ()
    service_s: float | None = None
    tls: bool = False


AS_SHIPPED: Final = Plan()
